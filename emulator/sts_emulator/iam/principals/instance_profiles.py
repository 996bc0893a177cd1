"""Instance profiles: what hands a role to an EC2 instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from sts_emulator.accounts.documents import InstanceProfile, Role
from sts_emulator.accounts.resources import role
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import INSTANCE_PROFILE, ROLE, born, claim, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import list_under, permit, permit_new, reach, resource_keys
from sts_emulator.iam.principals import roles
from sts_emulator.iam.principals.protected_roles import check_modifiable
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

tag_instance_profile, untag_instance_profile, list_instance_profile_tags = tags.operations(INSTANCE_PROFILE)


@operation("iam", "CreateInstanceProfile")
def create_instance_profile(
    ctx: Context, *, InstanceProfileName: str, Path: str = "/", Tags: tags.Pairs | None = None
) -> Result:
    """Create an instance profile without a role."""
    labels = tags.checked(INSTANCE_PROFILE, Tags)
    arn = INSTANCE_PROFILE.arn(ctx.identity.account, Path, InstanceProfileName)
    permit_new(ctx, INSTANCE_PROFILE, arn, labels)
    claim(ctx, INSTANCE_PROFILE, InstanceProfileName)
    profile: InstanceProfile = {**born(ctx, INSTANCE_PROFILE, Path, InstanceProfileName), "tags": labels, "roles": []}
    ctx.world.add(INSTANCE_PROFILE.kind, INSTANCE_PROFILE.key(profile), profile, uid=profile["id"])
    return {"InstanceProfile": {**shown(ctx.world, profile), **tags.echoed(labels)}}


@operation("iam", "GetInstanceProfile")
def get_instance_profile(ctx: Context, *, InstanceProfileName: str) -> Result:
    """One instance profile; always with a list of tags (recorded 2026-02)."""
    profile = reach(ctx, INSTANCE_PROFILE, InstanceProfileName)
    return {"InstanceProfile": {**shown(ctx.world, profile), "Tags": tags.shown(profile["tags"])}}


@operation("iam", "ListInstanceProfiles")
def list_instance_profiles(ctx: Context, *, PathPrefix: str = "/", **paging: Unpack[Paging]) -> Result:
    """The account's instance profiles under a path."""
    return _page(ctx, list_under(ctx, INSTANCE_PROFILE, PathPrefix), paging)


@operation("iam", "ListInstanceProfilesForRole")
def list_instance_profiles_for_role(ctx: Context, *, RoleName: str, **paging: Unpack[Paging]) -> Result:
    """The instance profiles that hold a role."""
    holder = reach(ctx, ROLE, RoleName)
    return _page(ctx, roles.profiles_of(ctx.world, holder), paging)


@operation("iam", "AddRoleToInstanceProfile")
def add_role_to_instance_profile(ctx: Context, *, InstanceProfileName: str, RoleName: str) -> Result:
    """Put a role into an empty instance profile; the caller must also be allowed to pass that role to EC2."""
    profile, added = _pair(ctx, InstanceProfileName, RoleName)
    permit(ctx, "PassRole", added["arn"], {**resource_keys(ROLE, added), "iam:passedtoservice": ("ec2.amazonaws.com",)})
    check_modifiable(added)
    if profile["roles"]:
        raise over_quota("InstanceSessionsPerInstanceProfile", 1)
    _set_roles(ctx.world, profile, [added["name"]])
    return {}


@operation("iam", "RemoveRoleFromInstanceProfile")
def remove_role_from_instance_profile(ctx: Context, *, InstanceProfileName: str, RoleName: str) -> Result:
    """Take a role out of an instance profile."""
    profile, removed = _pair(ctx, InstanceProfileName, RoleName)
    check_modifiable(removed)
    if removed["name"] not in profile["roles"]:
        raise AwsError("NoSuchEntity", f"Role {removed['name']} in Instance Profile {profile['name']} cannot be found.")
    _set_roles(ctx.world, profile, [])
    return {}


@operation("iam", "DeleteInstanceProfile")
def delete_instance_profile(ctx: Context, *, InstanceProfileName: str) -> Result:
    """Delete an empty instance profile."""
    profile = reach(ctx, INSTANCE_PROFILE, InstanceProfileName)
    if profile["roles"]:
        raise AwsError("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
    ctx.world.take(INSTANCE_PROFILE.kind, INSTANCE_PROFILE.key(profile))
    return {}


def shown(world: World, profile: InstanceProfile) -> Result:
    """An instance profile with its role, as every result shows it."""
    inside = (role(world, profile["account"], name) for name in profile["roles"])
    shown_roles = [roles.shown(world, role) for role in inside if role is not None]
    return {**INSTANCE_PROFILE.shown(profile), "Roles": shown_roles}


def _page(ctx: Context, profiles: Sequence[InstanceProfile], paging: Paging) -> Result:
    return page(ctx, "InstanceProfiles", profiles, paging, lambda profile: shown(ctx.world, profile))


def _pair(ctx: Context, profile_name: str, role_name: str) -> tuple[InstanceProfile, Role]:
    profile = reach(ctx, INSTANCE_PROFILE, profile_name)
    role = ROLE.find(ctx.world, profile["account"], role_name)
    if role is None:
        raise ROLE.absent(role_name)
    return profile, role


def _set_roles(world: World, profile: InstanceProfile, names: list[str]) -> None:
    world.update(INSTANCE_PROFILE.kind, INSTANCE_PROFILE.key(profile), lambda body: {**body, "roles": names})
