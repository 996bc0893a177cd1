"""Who may administer an instance of Identity Center: its owner, whom the owner delegated, and nobody else.

Where AWS's sentences are not recorded they are ours; the codes are the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import directory, organizations
from sts_emulator.accounts.directory import Instance, PermissionSet
from sts_emulator.control_plane.listing import Listing
from sts_emulator.control_plane.reach import resource_tag_keys
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Context, Keys
from sts_emulator.wire.dispatch import Result


def permit(ctx: Context, *resources: str, keys: Keys | None = None) -> None:
    """Let the call go on with all of the resources (none: `*`), or refuse it. Raises AwsError: AccessDenied."""
    for resource in resources or ("*",):
        authorize(ctx, _action(ctx), resource, keys)


def manage(ctx: Context, instance_arn: str, *resources: str, keys: Keys | None = None) -> Instance:
    """The instance, once the caller may do the call to it and to the resources.

    Who may not, and who asks for one that is another account's or nobody's, hears the same (the model: a deleted
    instance is AccessDeniedException).

    Raises:
        AwsError: AccessDenied.
    """
    instance = ctx.world.get(directory.INSTANCE, instance_arn.rpartition("/")[2])
    permit(ctx, instance_arn, *resources, keys={**resource_tag_keys(instance), **(keys or {})})
    if instance is None or instance["arn"] != instance_arn or not is_administrator(ctx, instance):
        raise foreign(ctx, instance_arn)
    return instance


def is_administrator(ctx: Context, instance: Instance) -> bool:
    """Whether the caller's account owns the instance, or administers it for its owner."""
    account, org = ctx.identity.account, organizations.organization(ctx.world)
    if account == instance["account"]:
        return True
    if org is None or org["management"] != instance["account"]:
        return False
    return organizations.is_delegate(org, account, organizations.IDENTITY_CENTER)


def reach(ctx: Context, instance_arn: str, permission_set_arn: str) -> tuple[Instance, PermissionSet]:
    """Instance and permission set, once the caller may do the call to both.

    Raises:
        AwsError: AccessDenied; ResourceNotFoundException.
    """
    known = ctx.world.get(directory.PERMISSION_SET, permission_set_arn)
    instance = manage(ctx, instance_arn, permission_set_arn, keys=resource_tag_keys(known))
    if known is None or known["instance"] != instance["id"]:
        raise absent("PermissionSet", permission_set_arn)
    return instance, known


def reach_to_change(ctx: Context, instance_arn: str, permission_set_arn: str) -> tuple[Instance, PermissionSet]:
    """Like `reach`, for what a delegated administrator may not do to sets that are in the management account.

    Source: IAM Identity Center User Guide, "Delegated administration".
    """
    instance, known = reach(ctx, instance_arn, permission_set_arn)
    if directory.provisioned(ctx.world, permission_set_arn, instance["account"]):
        owner_only(ctx, instance, permission_set_arn)
    return instance, known


def reach_by_arn(
    ctx: Context, kind: Kind[Body], arn: str, what: str, *, key: str = "", keys: Keys | None = None
) -> tuple[Instance, Body]:
    """An instance and something of it that its ARN names, once the caller may do the call to that.

    `key` where it is not stored by its ARN; `keys` are of the call's own.

    Raises:
        AwsError: AccessDenied; ResourceNotFoundException.
    """
    thing: Any = ctx.world.get(kind, key or arn)
    permit(ctx, arn, keys={**resource_tag_keys(thing), **(keys or {})})
    instance = ctx.world.get(directory.INSTANCE, arn.split("/")[1])
    if instance is None or not is_administrator(ctx, instance):
        raise foreign(ctx, arn)
    if thing is None or thing["arn"] != arn:
        raise absent(what, arn)
    return instance, thing


def owner_only(ctx: Context, instance: Instance, resource: str) -> None:
    """Refuse the delegated administrator. Raises AwsError: AccessDenied."""
    if ctx.identity.account != instance["account"]:
        raise foreign(ctx, resource)


def foreign(ctx: Context, resource: str) -> AwsError:
    """The refusal of whoever is of the wrong account."""
    return access_denied(
        f"User: {ctx.identity.arn} is not authorized to perform: {_action(ctx)} on resource: {resource}"
    )


def absent(what: str, identifier: str) -> AwsError:
    """The error for something that is not there."""
    return AwsError("ResourceNotFoundException", f"{what} not found: {identifier}")


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message)


page = Listing(100, lambda: invalid("The NextToken is not one of this list.")).page


def present(members: Mapping[str, Any]) -> Result:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value not in (None, "", [], {})}


def _action(ctx: Context) -> str:
    return f"{'sso' if ctx.service == 'sso-admin' else ctx.service}:{ctx.operation}"
