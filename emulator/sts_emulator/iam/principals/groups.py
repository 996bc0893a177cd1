"""IAM groups: their life, and who is in them."""

from __future__ import annotations

from typing import Any, Unpack

from sts_emulator.accounts.documents import Group, User
from sts_emulator.accounts.resources import key_of
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam.nouns import GROUP, USER, born, claim, listing, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import list_under, moved, permit, reach
from sts_emulator.iam.policies.policy_holders import check_bare
from sts_emulator.iam.principals import users
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

PER_USER = 10


@operation("iam", "CreateGroup")
def create_group(ctx: Context, *, GroupName: str, Path: str = "/") -> Result:
    permit(ctx, "CreateGroup", GROUP.arn(ctx.identity.account, Path, GroupName))
    claim(ctx, GROUP, GroupName)
    group: Group = {**born(ctx, GROUP, Path, GroupName), "inline": {}, "attached": []}
    ctx.world.add(GROUP.kind, GROUP.key(group), group, uid=group["id"])
    return {"Group": shown(group)}


@operation("iam", "GetGroup")
def get_group(ctx: Context, *, GroupName: str, **paging: Unpack[Paging]) -> Result:
    """A group and its members."""
    group = reach(ctx, GROUP, GroupName)
    return {"Group": shown(group), **page(ctx, "Users", members(ctx.world, group), paging, users.shown)}


@operation("iam", "ListGroups")
def list_groups(ctx: Context, *, PathPrefix: str = "/", **paging: Unpack[Paging]) -> Result:
    """The account's groups under a path."""
    return page(ctx, "Groups", list_under(ctx, GROUP, PathPrefix), paging, shown)


@operation("iam", "UpdateGroup")
def update_group(
    ctx: Context, *, GroupName: str, NewPath: str | None = None, NewGroupName: str | None = None
) -> Result:
    """Rename or move a group; members and policies stay with it."""
    group = reach(ctx, GROUP, GroupName)
    new = moved(ctx, GROUP, group, NewPath, NewGroupName)["name"]
    for user in members(ctx.world, group) if new != group["name"] else ():
        _set_groups(ctx.world, user, lambda known: [new if member == group["name"] else member for member in known])
    return {}


@operation("iam", "DeleteGroup")
def delete_group(ctx: Context, *, GroupName: str) -> Result:
    """Delete a group without members and policies."""
    group = reach(ctx, GROUP, GroupName)
    if members(ctx.world, group):
        raise AwsError("DeleteConflict", "Cannot delete entity, must remove users from group first.")
    check_bare(group)
    ctx.world.take(GROUP.kind, GROUP.key(group))
    return {}


@operation("iam", "AddUserToGroup")
def add_user_to_group(ctx: Context, *, GroupName: str, UserName: str) -> Result:
    """Make a user a member; a member stays one."""
    group, user = _pair(ctx, GroupName, UserName)
    if group["name"] in user["groups"]:
        return {}
    if len(user["groups"]) >= PER_USER:
        raise over_quota("GroupsPerUser", PER_USER)
    _set_groups(ctx.world, user, lambda known: [*known, group["name"]])
    return {}


@operation("iam", "RemoveUserFromGroup")
def remove_user_from_group(ctx: Context, *, GroupName: str, UserName: str) -> Result:
    """End a membership; removing who is no member succeeds (recorded 2026-02)."""
    group, user = _pair(ctx, GroupName, UserName)
    _set_groups(ctx.world, user, lambda known: [member for member in known if member != group["name"]])
    return {}


@operation("iam", "ListGroupsForUser")
def list_groups_for_user(ctx: Context, *, UserName: str, **paging: Unpack[Paging]) -> Result:
    """The groups that a user is in."""
    user = reach(ctx, USER, UserName)
    groups = (ctx.world.get(GROUP.kind, key_of(user["account"], name)) for name in sorted(user["groups"]))
    return page(ctx, "Groups", [group for group in groups if group is not None], paging, shown)


def shown(group: Group) -> Result:
    """A group as every result shows it."""
    return GROUP.shown(group)


def members(world: World, group: Group) -> list[User]:
    return [user for user in listing(world, USER, group["account"]) if group["name"] in user["groups"]]


def _pair(ctx: Context, group_name: str, user_name: str) -> tuple[Group, User]:
    """The group and the user; of two that are missing IAM names the user (recorded 2026-02)."""
    account = ctx.identity.account
    group = GROUP.find(ctx.world, account, group_name)
    arn = group["arn"] if group else GROUP.arn(account, "/", group_name)
    permit(ctx, ctx.operation, arn, named=GROUP.spoken.format(group_name))
    user = USER.find(ctx.world, account, user_name)
    if user is None:
        raise USER.absent(user_name)
    if group is None:
        raise GROUP.absent(group_name)
    return group, user


def _set_groups(world: World, user: User, change: Any) -> None:
    world.update(USER.kind, USER.key(user), lambda body: {**body, "groups": change(body["groups"])})
