"""Groups of a pool's users, with the roles that identity pools may give to their members."""

from __future__ import annotations

from typing import Any

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import pool_users, tokens
from sts_emulator.idp.user_pools.kinds import (
    GROUP,
    USER,
    Pool,
    PoolGroup,
    change_user,
    not_found,
    page,
    reach,
    reach_user,
    user_of,
)
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("cognito-idp", "CreateGroup")
def create_group(
    ctx: Context,
    *,
    GroupName: str,
    UserPoolId: str,
    Description: str = "",
    RoleArn: str = "",
    Precedence: int | None = None,
) -> Result:
    """A group. AWS does not ask for iam:PassRole here: the role's own trust policy decides when it is assumed."""
    pool = reach(ctx, UserPoolId)
    if ctx.world.get(GROUP, _key(pool, GroupName)) is not None:
        raise AwsError("GroupExistsException", f"A group with the name {GroupName} already exists.")
    return {"Group": _shown(add(ctx.world, pool, GroupName, Description, RoleArn, Precedence))}


def add(
    world: World, pool: Pool, name: str, description: str = "", role: str = "", precedence: int | None = None
) -> PoolGroup:
    now = world.now()
    group = PoolGroup(
        pool=pool["id"],
        name=name,
        description=description,
        role=role,
        precedence=precedence,
        created=now,
        modified=now,
    )
    world.add(GROUP, _key(pool, name), group)
    return group


@operation("cognito-idp", "GetGroup")
def get_group(ctx: Context, *, GroupName: str, UserPoolId: str) -> Result:
    return {"Group": _shown(_reach(ctx, UserPoolId, GroupName)[1])}


@operation("cognito-idp", "UpdateGroup")
def update_group(
    ctx: Context,
    *,
    GroupName: str,
    UserPoolId: str,
    Description: str | None = None,
    RoleArn: str | None = None,
    Precedence: int | None = None,
) -> Result:
    """Change what is given; what is not stays."""
    pool, group = _reach(ctx, UserPoolId, GroupName)
    changed: PoolGroup = {
        **group,
        "description": group["description"] if Description is None else Description,
        "role": group["role"] if RoleArn is None else RoleArn,
        "precedence": group["precedence"] if Precedence is None else Precedence,
        "modified": ctx.world.now(),
    }
    ctx.world.put(GROUP, _key(pool, GroupName), changed)
    return {"Group": _shown(changed)}


@operation("cognito-idp", "DeleteGroup")
def delete_group(ctx: Context, *, GroupName: str, UserPoolId: str) -> Result:
    """Delete a group; its users leave it."""
    pool, _ = _reach(ctx, UserPoolId, GroupName)
    for user in ctx.world.page(USER, f"{pool['id']}/"):
        if GroupName in user["groups"]:
            change_user(ctx.world, pool, user, groups=[name for name in user["groups"] if name != GroupName])
    ctx.world.take(GROUP, _key(pool, GroupName))
    return {}


@operation("cognito-idp", "ListGroups")
def list_groups(ctx: Context, *, UserPoolId: str, Limit: int | None = None, NextToken: str | None = None) -> Result:
    pool = reach(ctx, UserPoolId)
    return page(ctx, "Groups", ctx.world.page(GROUP, f"{pool['id']}/"), NextToken, Limit, _shown)


@operation("cognito-idp", "AdminAddUserToGroup")
def admin_add_user_to_group(ctx: Context, *, UserPoolId: str, Username: str, GroupName: str) -> Result:
    pool, group = _reach(ctx, UserPoolId, GroupName)
    user = user_of(ctx.world, pool, Username)
    if group["name"] not in user["groups"]:
        change_user(ctx.world, pool, user, groups=[*user["groups"], group["name"]])
    return {}


@operation("cognito-idp", "AdminRemoveUserFromGroup")
def admin_remove_user_from_group(ctx: Context, *, UserPoolId: str, Username: str, GroupName: str) -> Result:
    pool, _ = _reach(ctx, UserPoolId, GroupName)
    user = user_of(ctx.world, pool, Username)
    change_user(ctx.world, pool, user, groups=[name for name in user["groups"] if name != GroupName])
    return {}


@operation("cognito-idp", "AdminListGroupsForUser")
def admin_list_groups_for_user(
    ctx: Context, *, Username: str, UserPoolId: str, Limit: int | None = None, NextToken: str | None = None
) -> Result:
    groups = tokens.groups_of(ctx.world, *reach_user(ctx, UserPoolId, Username))
    return page(ctx, "Groups", groups, NextToken, Limit, _shown)


@operation("cognito-idp", "ListUsersInGroup")
def list_users_in_group(
    ctx: Context, *, UserPoolId: str, GroupName: str, Limit: int | None = None, NextToken: str | None = None
) -> Result:
    pool, _ = _reach(ctx, UserPoolId, GroupName)
    members = [user for user in ctx.world.page(USER, f"{pool['id']}/") if GroupName in user["groups"]]
    return page(ctx, "Users", members, NextToken, Limit, pool_users.shown)


def _key(pool: Pool, name: str) -> str:
    return f"{pool['id']}/{name}"


def _reach(ctx: Context, pool_id: str, name: str) -> tuple[Pool, PoolGroup]:
    pool = reach(ctx, pool_id)
    return pool, required(ctx.world.get(GROUP, _key(pool, name)), not_found("Group not found."))


def _shown(group: PoolGroup) -> Result:
    told: dict[str, Any] = {
        "GroupName": group["name"],
        "UserPoolId": group["pool"],
        "LastModifiedDate": group["modified"],
        "CreationDate": group["created"],
    }
    optional = {"Description": group["description"], "RoleArn": group["role"]}
    told |= {name: value for name, value in optional.items() if value}
    return told if group["precedence"] is None else {**told, "Precedence": group["precedence"]}
