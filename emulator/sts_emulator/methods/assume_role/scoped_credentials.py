"""GetScopedCredentials: a session hands on less than itself, under its own name."""

from __future__ import annotations

from dataclasses import replace

from sts_emulator.core.errors import AwsError
from sts_emulator.vending import credentials
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Caller, Context
from sts_emulator.vending.session import Session
from sts_emulator.vending.session_policies import check_session_policies, packed_size
from sts_emulator.wire.dispatch import Result, operation

LAYERS = 3  # of GetScopedCredentials; other policies of the session do not count


@operation("sts", "GetScopedCredentials")
def get_scoped_credentials(
    ctx: Context,
    *,
    Policy: str = "",
    DurationSeconds: int | None = None,
    MinimumSessionTokenSize: int = 0,
    ScopedSessionDescription: str = "",  # noqa: ARG001 - for the audit trail, where the parameters are
) -> Result:
    """Credentials of the caller's own session that may do less, or for a shorter time.

    Rules: the operation's model and UG id_credentials_temp_control-access_getscopedcredentials. AWS's texts, and the
    order of its checks, are not recorded.
    """
    caller = ctx.identity
    if caller.session is None:
        message = "GetScopedCredentials must be called with temporary security credentials"
        raise AwsError("InvalidSubjectCredentials", message)
    if not Policy and DurationSeconds is None:
        raise AwsError("ValidationError", "At least one of Policy and DurationSeconds must be specified")
    authorize(ctx, "sts:GetScopedCredentials", "*")
    session = _narrowed(ctx, caller, caller.session, Policy, DurationSeconds)
    minted = credentials.mint(ctx.world, session, minimum_token_size=MinimumSessionTokenSize)
    result = {
        **minted.with_sizes(),
        "SessionInfo": {"ScopedSessionId": caller.user_id, "Arn": caller.arn},
        "ScopedPoliciesCount": session.extra.get("scoped", 0),
    }
    if session.source_identity:
        result["SourceIdentity"] = session.source_identity
    return result


def _narrowed(ctx: Context, caller: Caller, session: Session, policy: str, duration: int | None) -> Session:
    """The same session with a policy more, or a nearer end; it counts as issued when the first was, for revocation."""
    expires = session.expires if duration is None else int(ctx.world.now()) + duration
    if expires > session.expires:
        message = "The requested DurationSeconds exceeds the remaining lifetime of the calling session"
        raise AwsError("InsufficientSessionLifetime", message)
    if not policy:
        return replace(session, expires=expires)
    layers = session.extra.get("scoped", 0) + 1
    if layers > LAYERS:
        raise access_denied(f"User: {caller.arn} is not authorized to perform: sts:GetScopedCredentials on resource: *")
    check_session_policies(ctx, caller.account, policy, ())
    packed_size(policy, (), {})
    scopes = [*session.extra.get("scopes", ()), policy]
    return replace(session, expires=expires, extra={**session.extra, "scopes": scopes, "scoped": layers})
