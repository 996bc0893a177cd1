"""IAM roles: their life, their trust policies, and how results show them."""

from __future__ import annotations

from typing import Any, Unpack

from sts_emulator.accounts.documents import InstanceProfile, Role, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import INSTANCE_PROFILE, ROLE, born, claim, listing
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import list_under, permit_new, reach
from sts_emulator.iam.policies.policy_documents import quoted, trust_to_show, trust_to_store
from sts_emulator.iam.policies.policy_holders import boundary_keys, check_bare, check_boundary, shown_boundary
from sts_emulator.iam.principals.protected_roles import RESERVED, SERVICE_LINKED, check_modifiable, is_service_linked
from sts_emulator.iam.signin_durations import check_one_of
from sts_emulator.vending.assume import DEFAULT_MAX_DURATION
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

tag_role, untag_role, list_role_tags = tags.operations(ROLE)


@operation("iam", "CreateRole")
def create_role(
    ctx: Context,
    *,
    RoleName: str,
    AssumeRolePolicyDocument: str,
    Path: str = "/",
    Description: str = "",
    MaxSessionDuration: int = DEFAULT_MAX_DURATION,
    MaxSigninSessionDuration: int | None = None,
    PermissionsBoundary: str | None = None,
    Tags: tags.Pairs | None = None,
) -> Result:
    """Create a role; the result echoes the trust policy as given, without description and duration.

    Source: docs/aws/iam.md, "Members of results".
    """
    labels = tags.checked(ROLE, Tags)
    arn = ROLE.arn(ctx.identity.account, Path, RoleName)
    permit_new(ctx, ROLE, arn, labels, boundary_keys(PermissionsBoundary))
    if Path.startswith((SERVICE_LINKED, RESERVED)):
        raise AwsError("ValidationError", f"Roles with path {Path} cannot be created by users.")
    trust = trust_to_store(ctx.world, AssumeRolePolicyDocument)
    if PermissionsBoundary:
        check_boundary(ctx, PermissionsBoundary)
    claim(ctx, ROLE, RoleName)
    optional = {"boundary": PermissionsBoundary, "max_signin_duration": MaxSigninSessionDuration}
    given = {member: value for member, value in optional.items() if value}
    role = add(
        ctx, Path, RoleName, trust, description=Description, max_duration=MaxSessionDuration, tags=labels, **given
    )
    return {
        "Role": {
            **shown(ctx.world, role),
            "AssumeRolePolicyDocument": quoted(AssumeRolePolicyDocument),
            **shown_boundary(role),
            **tags.echoed(labels),
        }
    }


def add(ctx: Context, path: str, name: str, trust: str, **members: Any) -> Role:
    """A new role; `members` are those of its document that are to be set."""
    plain = {"description": "", "max_duration": DEFAULT_MAX_DURATION, "tags": {}, "inline": {}, "attached": []}
    role: Any = {**born(ctx, ROLE, path, name), "trust": trust, **plain, **members}
    ctx.world.add(ROLE.kind, ROLE.key(role), role, uid=role["id"])
    made: Role = role
    return made


@operation("iam", "GetRole")
def get_role(ctx: Context, *, RoleName: str) -> Result:
    """One role with everything that is set, and when it was last used."""
    role = reach(ctx, ROLE, RoleName)
    return {
        "Role": {
            **shown_in_list(ctx.world, role),
            **shown_boundary(role),
            **tags.shown_if_any(role["tags"]),
            "RoleLastUsed": last_used(ctx.world, role),
        }
    }


@operation("iam", "ListRoles")
def list_roles(ctx: Context, *, PathPrefix: str = "/", **paging: Unpack[Paging]) -> Result:
    """The account's roles under a path, without tags, boundary and last use (docs/aws/iam.md, "Members of results")."""
    under = list_under(ctx, ROLE, PathPrefix)
    return page(ctx, "Roles", under, paging, lambda role: shown_in_list(ctx.world, role))


@operation("iam", "UpdateRole")
def update_role(
    ctx: Context,
    *,
    RoleName: str,
    Description: str | None = None,
    MaxSessionDuration: int | None = None,
    MaxSigninSessionDuration: int | None = None,
    ResetMaxSigninSessionDuration: bool = False,
) -> Result:
    """Change description and durations; what is left out stays."""
    role = reach(ctx, ROLE, RoleName)
    check_one_of(MaxSigninSessionDuration, reset=ResetMaxSigninSessionDuration)
    for what, is_asked in (
        ("max session duration", MaxSessionDuration is not None),
        ("max sign-in session duration", MaxSigninSessionDuration is not None or ResetMaxSigninSessionDuration),
    ):
        if is_asked and is_service_linked(role):
            message = f"{role['name']} is an AWS service linked role, {what} cannot be changed."
            raise AwsError("UnmodifiableEntity", message)
    news = {
        "description": Description,
        "max_duration": MaxSessionDuration,
        "max_signin_duration": MaxSigninSessionDuration,
    }
    given: dict[str, Any] = {member: value for member, value in news.items() if value is not None}
    if ResetMaxSigninSessionDuration:
        given["max_signin_duration"] = None
    ctx.world.update(ROLE.kind, ROLE.key(role), changed(**given))
    return {}


@operation("iam", "UpdateRoleDescription")
def update_role_description(ctx: Context, *, RoleName: str, Description: str) -> Result:
    """Change the description; the result leaves out durations, tags and boundary (recorded 2026-09)."""
    role = reach(ctx, ROLE, RoleName)
    new = ctx.world.update(ROLE.kind, ROLE.key(role), changed(description=Description))
    return {"Role": {**shown(ctx.world, new), **_description(new)}}


@operation("iam", "UpdateAssumeRolePolicy")
def update_assume_role_policy(ctx: Context, *, RoleName: str, PolicyDocument: str) -> Result:
    """Replace the trust policy."""
    role = reach(ctx, ROLE, RoleName)
    check_modifiable(role)
    trust = trust_to_store(ctx.world, PolicyDocument)
    ctx.world.update(ROLE.kind, ROLE.key(role), changed(trust=trust))
    return {}


@operation("iam", "DeleteRole")
def delete_role(ctx: Context, *, RoleName: str) -> Result:
    """Delete a role that has no policies and stands in no instance profile; its sessions end with it."""
    role = reach(ctx, ROLE, RoleName)
    check_modifiable(role)
    if profiles_of(ctx.world, role):
        raise AwsError("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
    check_bare(role)
    ctx.world.take(ROLE.kind, ROLE.key(role))
    return {}


def shown(world: World, role: Role) -> Result:
    """A role as every result shows it, and no more."""
    return {**ROLE.shown(role), "AssumeRolePolicyDocument": quoted(trust_to_show(world, role["trust"]))}


def shown_in_list(world: World, role: Role) -> Result:
    """A role as ListRoles shows it."""
    result = {**shown(world, role), **_description(role), "MaxSessionDuration": role["max_duration"]}
    if role.get("max_signin_duration"):
        result["MaxSigninSessionDuration"] = role["max_signin_duration"]
    if source := role.get("template"):
        result["SourceRoleTemplate"] = {"TemplateArn": source["arn"], "TemplateMinorVersion": source["minor"]}
    return result


def last_used(world: World, role: Role) -> Result:
    """`RoleLastUsed`: an empty element for a role that was not used."""
    used = world.touched(ROLE.kind, role["id"])
    return {"LastUsedDate": used[0], "Region": used[1]} if used else {}


def profiles_of(world: World, role: Role) -> list[InstanceProfile]:
    """The instance profiles that hold a role."""
    everything = listing(world, INSTANCE_PROFILE, role["account"])
    return [profile for profile in everything if role["name"] in profile["roles"]]


def _description(role: Role) -> dict[str, str]:
    return {"Description": role["description"]} if role.get("description") else {}
