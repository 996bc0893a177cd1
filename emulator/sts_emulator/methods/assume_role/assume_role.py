"""Method 4, AssumeRole: the proof is an AWS signature, by a user or by another role's session."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.accounts import resources
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.arns import parse_arn
from sts_emulator.vending import authenticate, identity_context
from sts_emulator.vending.assume import Ask, Proof, assume
from sts_emulator.vending.authorize import access_denied
from sts_emulator.vending.context import Caller, Context
from sts_emulator.vending.session import FEDERATED, ROOT_TASK
from sts_emulator.vending.session_policies import arns
from sts_emulator.vending.tags import tag_map
from sts_emulator.wire.dispatch import Result, operation


@operation("sts", "AssumeRole")
def assume_role(
    ctx: Context,
    *,
    RoleArn: str,
    RoleSessionName: str,
    PolicyArns: list[Mapping[str, str]] | None = None,
    Policy: str = "",
    DurationSeconds: int | None = None,
    Tags: list[Mapping[str, str]] | None = None,
    TransitiveTagKeys: list[str] | None = None,
    ExternalId: str = "",
    SerialNumber: str = "",
    TokenCode: str = "",
    SourceIdentity: str = "",
    ProvidedContexts: list[Mapping[str, str]] | None = None,
    MinimumSessionTokenSize: int = 0,
) -> Result:
    """Vend a session of a role to a signed caller.

    Source: docs/aws/sts.md, "Durations" to "Denials of AssumeRole", "Order of processing".
    """
    caller, role = ctx.identity, resources.role_by_arn(ctx.world, RoleArn)
    if role is None:  # a role that there is has a proper ARN
        check_role_arn(RoleArn)
    _refuse_wrong_callers(caller, RoleArn)
    context: dict[str, tuple[str, ...]] = {"sts:externalid": (ExternalId,)} if ExternalId else {}
    if SerialNumber or TokenCode:
        context |= authenticate.present_mfa(ctx, caller, SerialNumber, TokenCode)
    ask = Ask(
        RoleSessionName,
        DurationSeconds,
        Policy,
        arns(PolicyArns),
        tag_map(Tags),
        tuple(TransitiveTagKeys or ()),
        SourceIdentity,
        identity_context.provided(ctx.world, ProvidedContexts, caller.session) if ProvidedContexts else None,
        RoleArn,
        MinimumSessionTokenSize,
    )
    proof = Proof("AssumeRole", caller.principal, context, caller)
    return assume(ctx, proof, "sts:AssumeRole", role, ask).to_wire()


def check_role_arn(arn: str) -> None:
    """Refuse what is not a role's ARN, in AWS's words (docs/aws/sts.md, "Denials of federated calls").

    Raises:
        AwsError: ValidationError.
    """
    parts = parse_arn(arn)
    if (
        parts is None
        or not names.is_account_id(parts.account)
        or parts.partition not in ("aws", "aws-cn", "aws-us-gov")
    ):
        raise AwsError("ValidationError", f"{arn} is invalid")
    if parts.service != "iam" or not parts.resource.startswith("role/"):
        raise AwsError("ValidationError", "Request ARN is invalid")


def _refuse_wrong_callers(caller: Caller, role_arn: str) -> None:
    # A caller that --permissive let in as root is nobody's root user: the guard is for real root credentials.
    if caller.principal.type == "root" and not caller.permissive:
        raise access_denied("Roles may not be assumed by root accounts.")
    if caller.session is not None and caller.session.kind in (FEDERATED, ROOT_TASK):
        # Only that it is refused is recorded (docs/aws/sts.md, "Who may call what"), not the text: the general one.
        raise access_denied(f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}")
