"""AssumeRoot: a management account's principal works on a member account as its root, for one named task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import organizations, resources
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.arns import parse_arn
from sts_emulator.vending import credentials
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.origin import kept, passed
from sts_emulator.vending.session import ROOT_TASK, Session
from sts_emulator.wire.dispatch import Result, operation

DEFAULT_DURATION = 900
TASK_POLICIES = "arn:aws:iam::aws:policy/root-task/"


@operation("sts", "AssumeRoot")
def assume_root(
    ctx: Context,
    *,
    TargetPrincipal: str,
    TaskPolicyArn: Mapping[str, str],
    DurationSeconds: int = DEFAULT_DURATION,
    MinimumSessionTokenSize: int = 0,
) -> Result:
    """Vend a root session of a member account, limited by a task policy.

    Source: docs/aws/sts.md, "Limits of parameters", "Durations".

    AWS's texts for its refusals are not recorded (docs/aws/sts.md, "Not recorded"): they get the general forms.
    """
    caller = ctx.identity
    account = _target(TargetPrincipal)
    task = TaskPolicyArn.get("arn", "")
    if not task.startswith(TASK_POLICIES) or resources.managed_policy_text(ctx.world, task) is None:
        raise AwsError("ValidationError", f"{task} is invalid")
    target = names.root_arn(account)
    denied = access_denied(f"User: {caller.arn} is not authorized to perform: sts:AssumeRoot on resource: {target}")
    if caller.principal.type == "root" or not _may_reach(ctx, account):
        raise denied
    authorize(ctx, "sts:AssumeRoot", target, {"sts:taskpolicyarn": (task,)})
    now = int(ctx.world.now())
    session = Session(
        kind=ROOT_TASK,
        account=account,
        name="",
        id=account,
        issued=now,
        expires=now + DurationSeconds,
        policy_arns=(task,),
        source_identity=caller.session.source_identity if caller.session else "",
        method="AssumeRoot",
        context=kept(caller.session),
        chain=passed(caller),
    )
    minted = credentials.mint(ctx.world, session, minimum_token_size=MinimumSessionTokenSize)
    result: dict[str, Any] = minted.with_sizes()
    if session.source_identity:
        result["SourceIdentity"] = session.source_identity
    return result


def _target(principal: str) -> str:
    """The account that a target names, by its id or its root's ARN."""
    parts = parse_arn(principal)
    account = parts.account if parts and parts.resource == "root" else principal
    if not names.is_account_id(account):
        raise AwsError("ValidationError", f"{principal} is invalid")
    return account


def _may_reach(ctx: Context, account: str) -> bool:
    """Whether the caller stands in the management account of the organization that the target is a member of."""
    org = organizations.organization(ctx.world)
    if org is None or account == org["management"] or account not in org["parents"]:
        return False
    return bool(ctx.identity.account == org["management"])
