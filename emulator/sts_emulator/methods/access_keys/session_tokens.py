"""Method 1, IAM user access keys: the proof is the signature; and the sessions that a key's owner can ask for."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.accounts import documents
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.vending import authenticate, credentials
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Caller, Context
from sts_emulator.vending.origin import passed
from sts_emulator.vending.session import FEDERATED, USER, Session
from sts_emulator.vending.session_policies import arns, check_session_policies, packed_size
from sts_emulator.vending.tags import tag_keys, tag_map
from sts_emulator.wire.dispatch import Result, operation

DEFAULT_DURATION = 43_200
ROOT_LIMIT = 3_600


@operation("sts", "GetCallerIdentity")
def get_caller_identity(ctx: Context) -> Result:
    """Name the caller. Needs no permission, and no explicit deny stops it (docs/aws/sts.md, "GetCallerIdentity")."""
    caller = ctx.identity
    return {"Arn": caller.arn, "UserId": caller.user_id, "Account": caller.account}


@operation("sts", "GetAccessKeyInfo")
def get_access_key_info(ctx: Context, *, AccessKeyId: str) -> Result:
    """The account that owns an access key, active or not, anybody's (docs/aws/sts.md, "GetAccessKeyInfo")."""
    authorize(ctx, "sts:GetAccessKeyInfo", "*")
    stored = ctx.world.get(documents.ACCESS_KEY, AccessKeyId)
    account = stored["account"] if stored else names.account_of(AccessKeyId)
    if account is None or AccessKeyId[:4] not in ("AKIA", "ASIA"):
        # AWS's text for a key id that is none is not recorded (docs/aws/sts.md, "Not recorded").
        raise AwsError("ValidationError", f"{AccessKeyId} is invalid")
    return {"Account": account}


@operation("sts", "GetSessionToken")
def get_session_token(
    ctx: Context,
    *,
    DurationSeconds: int = DEFAULT_DURATION,
    SerialNumber: str = "",
    TokenCode: str = "",
    MinimumSessionTokenSize: int = 0,
) -> Result:
    """Temporary credentials of the caller itself, with MFA if a code is given; needs no permission.

    Source: docs/aws/sts.md, "Who may call what".
    """
    caller = ctx.identity
    _refuse_sessions(caller, "GetSessionToken")
    now = int(ctx.world.now())
    with_mfa = False
    if SerialNumber or TokenCode:
        with_mfa = bool(authenticate.present_mfa(ctx, caller, SerialNumber, TokenCode))
    session = Session(
        kind=USER,
        account=caller.account,
        name=caller.user["name"] if caller.user else "",
        id=caller.user_id,
        issued=now,
        expires=now + _capped(caller, DurationSeconds),
        mfa_at=now if with_mfa else 0,
        method="GetSessionToken",
    )
    minted = credentials.mint(ctx.world, session, minimum_token_size=MinimumSessionTokenSize)
    return minted.with_sizes()


@operation("sts", "GetFederationToken")
def get_federation_token(
    ctx: Context,
    *,
    Name: str,
    Policy: str = "",
    PolicyArns: list[Mapping[str, str]] | None = None,
    DurationSeconds: int = DEFAULT_DURATION,
    Tags: list[Mapping[str, str]] | None = None,
    MinimumSessionTokenSize: int = 0,
) -> Result:
    """Credentials for somebody the caller vouches for: what caller and session policy both allow.

    Source: docs/aws/sts.md, "Session policies".
    """
    caller = ctx.identity
    _refuse_sessions(caller, "GetFederationToken")
    tags = tag_map(Tags)
    arn = f"arn:aws:sts::{caller.account}:federated-user/{Name}"
    authorize(ctx, "sts:GetFederationToken", arn, tag_keys(tags))
    if tags:
        authorize(ctx, "sts:TagSession", arn, tag_keys(tags))
    policy_arns = arns(PolicyArns)
    check_session_policies(ctx, caller.account, Policy, policy_arns)
    packed = packed_size(Policy, policy_arns, tags)
    now = int(ctx.world.now())
    session = Session(
        kind=FEDERATED,
        account=caller.account,
        name=Name,
        id=f"{caller.account}:{Name}",
        issued=now,
        expires=now + _capped(caller, DurationSeconds),
        tags={**caller.tags, **tags},
        policy=Policy,
        policy_arns=policy_arns,
        method="GetFederationToken",
        extra={"maker": caller.user_id},
        chain=passed(caller),
    )
    size = max(MinimumSessionTokenSize, credentials.token_size(packed))
    minted = credentials.mint(ctx.world, session, minimum_token_size=size).with_sizes()
    return {
        **minted,
        "FederatedUser": {"FederatedUserId": session.id, "Arn": arn},
        "PackedPolicySize": minted["SessionTokenUtilization"],  # also without a policy, unlike AssumeRole's
    }


def _refuse_sessions(caller: Caller, operation_name: str) -> None:
    if caller.session is not None:
        raise access_denied(f"Cannot call {operation_name} with session credentials")


def _capped(caller: Caller, duration: int) -> int:
    """Root's sessions last an hour at most, silently (docs/aws/sts.md, "Durations")."""
    return min(duration, ROOT_LIMIT) if caller.is_root else duration
