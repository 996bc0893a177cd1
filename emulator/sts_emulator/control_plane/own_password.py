"""May a user set a password of their own? For IAM's operation and for the page on which a user signs in."""

from __future__ import annotations

from sts_emulator.accounts import organizations, password_rules
from sts_emulator.accounts.documents import User
from sts_emulator.control_plane.reach import resource_tag_keys
from sts_emulator.vending.authorize import consult, denial, refused
from sts_emulator.vending.context import Context

ACTION = "iam:ChangePassword"


def authorize_change(ctx: Context, user: User) -> None:
    """By policy, or where the account lets all its users; a Deny counts for them as well.

    Source: docs/aws/console-sign-in.md, "Passwords at sign-in".

    Raises:
        AwsError: AccessDenied.
    """
    keys = {
        "aws:resourceaccount": (user["account"],),
        **organizations.resource_keys(ctx.world, user["account"]),
        **resource_tag_keys(user, "iam"),
    }
    decision = consult(ctx, ctx.identity, ACTION, user["arn"], keys)
    if decision.verdict == "allow":
        return
    if decision.verdict == "implicit_deny" and decision.layer == "identity" and _all_may(ctx, user):
        ctx.evidence["allowed by"] = "the account's password policy, AllowUsersToChangePassword"
        return
    raise refused(ctx, denial(ctx, ctx.identity, ACTION, f"user {user['name']}", decision, same_account=True))


def _all_may(ctx: Context, user: User) -> bool:
    policy = password_rules.policy(ctx.world, user["account"]) or {}
    return bool(policy.get("AllowUsersToChangePassword"))
