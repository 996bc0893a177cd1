"""Groups of a directory, and who is in them; shared by the API and SCIM."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import DirectoryGroup, Membership
from sts_emulator.control_plane.reach import required
from sts_emulator.core.world import World
from sts_emulator.identity import provisioning, stores
from sts_emulator.identity.permission import invalid, page, present
from sts_emulator.identity.stores import absent, bare, check_revision, open_store, stamps, taken
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_MEMBERS = {"displayname": "name", "description": "description"}


# -- groups -------------------------------------------------------------------------------------------------------


@operation("identitystore", "CreateGroup")
def create_group(ctx: Context, *, IdentityStoreId: str, DisplayName: str = "", Description: str = "") -> Result:
    instance = open_store(ctx, IdentityStoreId)
    made = add(ctx, instance["store"], DisplayName, Description)
    return {**_named(made), "Revision": str(made["revision"])}


@operation("identitystore", "DescribeGroup")
def describe_group(ctx: Context, *, IdentityStoreId: str, GroupId: str) -> Result:
    return _shown(_reach(ctx, IdentityStoreId, GroupId))


@operation("identitystore", "ListGroups")
def list_groups(
    ctx: Context,
    *,
    IdentityStoreId: str,
    MaxResults: int | None = None,
    NextToken: str = "",
    Filters: Sequence[Mapping[str, str]] = (),
) -> Result:
    """All groups, or the one of a name."""
    instance = open_store(ctx, IdentityStoreId)
    groups = ctx.world.page(directory.GROUPS, f"{instance['store']}/")
    for wanted in Filters:
        if wanted["AttributePath"].lower() != "displayname":
            raise invalid(f"Filtering by {wanted['AttributePath']} is not supported.")
        groups = [group for group in groups if group["name"].lower() == wanted["AttributeValue"].lower()]
    return page(ctx, "Groups", groups, NextToken, MaxResults, _shown)


@operation("identitystore", "UpdateGroup")
def update_group(
    ctx: Context, *, IdentityStoreId: str, GroupId: str, Operations: Sequence[Mapping[str, Any]], Revision: str = ""
) -> Result:
    group = _reach(ctx, IdentityStoreId, GroupId)
    check_revision(group, Revision)
    members = {}
    for change in Operations:
        member = _MEMBERS.get(change["AttributePath"].lower())
        value = change.get("AttributeValue", "")
        if member is None or not isinstance(value, str):
            raise invalid(f"{change['AttributePath']} is not an attribute of groups that can be so changed.")
        members[member] = value
    made = replace(ctx, group, **members)
    return {**_named(made), "Revision": str(made["revision"])}


@operation("identitystore", "DeleteGroup")
def delete_group(ctx: Context, *, IdentityStoreId: str, GroupId: str, Revision: str = "") -> Result:
    """Remove a group with its assignments; who was in it stays."""
    group = _reach(ctx, IdentityStoreId, GroupId)
    check_revision(group, Revision)
    remove(ctx.world, group)
    return {}


@operation("identitystore", "GetGroupId")
def get_group_id(ctx: Context, *, IdentityStoreId: str, AlternateIdentifier: Mapping[str, Any]) -> Result:
    """The id of the group of a name or external id."""
    instance = open_store(ctx, IdentityStoreId)
    groups = ctx.world.page(directory.GROUPS, f"{instance['store']}/")
    if "ExternalId" in AlternateIdentifier:
        matching = [group for group in groups if AlternateIdentifier["ExternalId"] in group["external_ids"]]
    else:
        attribute = AlternateIdentifier["UniqueAttribute"]
        if attribute["AttributePath"].lower() != "displayname" or not isinstance(attribute["AttributeValue"], str):
            raise invalid(f"{attribute['AttributePath']} is not a unique attribute of groups.")
        matching = [group for group in groups if group["name"].lower() == attribute["AttributeValue"].lower()]
    if not matching:
        raise absent("GROUP", "")
    return _named(matching[0])


# -- memberships --------------------------------------------------------------------------------------------------


@operation("identitystore", "CreateGroupMembership")
def create_group_membership(ctx: Context, *, IdentityStoreId: str, GroupId: str, MemberId: Mapping[str, str]) -> Result:
    group = _reach(ctx, IdentityStoreId, GroupId, *_member_arns(MemberId))
    user = _member(ctx.world, group["store"], MemberId)
    if membership(ctx.world, group, user) is not None:
        raise taken("Member and Group relationship already exists.")
    return _named_membership(join(ctx, group, user))


@operation("identitystore", "DescribeGroupMembership")
def describe_group_membership(ctx: Context, *, IdentityStoreId: str, MembershipId: str) -> Result:
    return _shown_membership(_reach_membership(ctx, IdentityStoreId, MembershipId))


@operation("identitystore", "DeleteGroupMembership")
def delete_group_membership(ctx: Context, *, IdentityStoreId: str, MembershipId: str) -> Result:
    membership = _reach_membership(ctx, IdentityStoreId, MembershipId)
    leave(ctx.world, membership)
    return {}


@operation("identitystore", "GetGroupMembershipId")
def get_group_membership_id(ctx: Context, *, IdentityStoreId: str, GroupId: str, MemberId: Mapping[str, str]) -> Result:
    group = _reach(ctx, IdentityStoreId, GroupId, *_member_arns(MemberId))
    user = _member(ctx.world, group["store"], MemberId)
    return _named_membership(required(membership(ctx.world, group, user), absent("GROUP_MEMBERSHIP", "")))


@operation("identitystore", "ListGroupMemberships")
def list_group_memberships(
    ctx: Context, *, IdentityStoreId: str, GroupId: str, MaxResults: int | None = None, NextToken: str = ""
) -> Result:
    group = _reach(ctx, IdentityStoreId, GroupId)
    listed = members(ctx.world, group)
    return page(ctx, "GroupMemberships", listed, NextToken, MaxResults, _shown_membership)


@operation("identitystore", "ListGroupMembershipsForMember")
def list_group_memberships_for_member(
    ctx: Context,
    *,
    IdentityStoreId: str,
    MemberId: Mapping[str, str],
    MaxResults: int | None = None,
    NextToken: str = "",
) -> Result:
    instance = open_store(ctx, IdentityStoreId, *_member_arns(MemberId))
    user = _member(ctx.world, instance["store"], MemberId)
    listed = directory.memberships(ctx.world, instance["store"], user)
    return page(ctx, "GroupMemberships", listed, NextToken, MaxResults, _shown_membership)


@operation("identitystore", "IsMemberInGroups")
def is_member_in_groups(
    ctx: Context, *, IdentityStoreId: str, MemberId: Mapping[str, str], GroupIds: Sequence[str]
) -> Result:
    """For each of the groups, whether somebody is in it."""
    instance = open_store(ctx, IdentityStoreId, *_member_arns(MemberId))
    user = _member(ctx.world, instance["store"], MemberId)
    mine = {membership["group"] for membership in directory.memberships(ctx.world, instance["store"], user)}
    results: list[Result] = []
    for identifier in map(bare, GroupIds):
        if ctx.world.get(directory.GROUPS, f"{instance['store']}/{identifier}") is None:
            raise absent("GROUP", identifier)
        results.append({"GroupId": identifier, "MemberId": {"UserId": user}, "MembershipExists": identifier in mine})
    return {"Results": results}


# -- shared with SCIM ---------------------------------------------------------------------------------------------


def add(
    ctx: Context, store: str, name: str, description: str = "", *, external_ids: Sequence[Mapping[str, str]] = ()
) -> DirectoryGroup:
    """Store a new group. Raises AwsError: ValidationException; ConflictException for a name that is taken."""
    group: DirectoryGroup = {**stores.born(ctx, store, external_ids), "name": name}  # type: ignore[typeddict-item]  # these members
    if description:
        group["description"] = description
    _check(ctx.world, group)
    _store(ctx.world, group)
    return group


def replace(ctx: Context, group: DirectoryGroup, **changed: object) -> DirectoryGroup:
    """The group with other members, stored. Raises AwsError: as `add`."""
    after: DirectoryGroup = stores.renewed(ctx, group, changed)
    _check(ctx.world, after)
    ctx.world.take(directory.GROUPS, f"{group['store']}/{group['id']}")  # the name is its uid
    _store(ctx.world, after)
    return after


def remove(world: World, group: DirectoryGroup) -> None:
    """Remove a group with its memberships and assignments."""
    for membership in members(world, group):
        leave(world, membership)
    provisioning.unassign_principal(world, group["store"], group["id"])
    world.take(directory.GROUPS, f"{group['store']}/{group['id']}")


def members(world: World, group: DirectoryGroup) -> list[Membership]:
    return world.page(directory.MEMBERSHIP, f"{group['store']}/{group['id']}/")


def membership(world: World, group: DirectoryGroup, user: str) -> Membership | None:
    """That a user (an id) is in a group."""
    return world.get(directory.MEMBERSHIP, f"{group['store']}/{group['id']}/{user}")


def join(ctx: Context, group: DirectoryGroup, user: str) -> Membership:
    """Put a user (an id) into a group; once more changes nothing."""
    known = membership(ctx.world, group, user)
    if known is not None:
        return known
    store = group["store"]
    made: Membership = {
        "store": store,
        "id": str(uuid.uuid4()),
        "group": group["id"],
        "user": user,
        "created": int(ctx.world.now()),
        "created_by": stores.author(ctx),
    }
    ctx.world.add(directory.MEMBERSHIP, f"{store}/{group['id']}/{user}", made, uid=f"{store}/{made['id']}")
    return made


def leave(world: World, membership: Membership) -> None:
    world.take(directory.MEMBERSHIP, f"{membership['store']}/{membership['group']}/{membership['user']}")


# -- parts --------------------------------------------------------------------------------------------------------


def _reach(ctx: Context, store_id: str, group_id: str, *resources: str) -> DirectoryGroup:
    identifier = bare(group_id).lower()
    instance = open_store(ctx, store_id, stores.arn("group", identifier), *resources)
    return required(ctx.world.get(directory.GROUPS, f"{instance['store']}/{identifier}"), absent("GROUP", identifier))


def _reach_membership(ctx: Context, store_id: str, membership_id: str) -> Membership:
    identifier = bare(membership_id).lower()
    instance = open_store(ctx, store_id, stores.arn("membership", identifier))
    known = ctx.world.find(directory.MEMBERSHIP, f"{instance['store']}/{identifier}")
    return required(known, absent("GROUP_MEMBERSHIP", identifier))


def _member_arns(member: Mapping[str, str]) -> list[str]:
    return [stores.arn("user", bare(member["UserId"]))] if "UserId" in member else []


def _member(world: World, store: str, member: Mapping[str, str]) -> str:
    """The id of the user that a request means."""
    identifier = bare(member.get("UserId", "")).lower()
    if not identifier:
        raise invalid("MemberId must name a user.")
    if directory.user(world, store, identifier) is None:
        raise absent("USER", identifier)
    return identifier


def _check(world: World, group: DirectoryGroup) -> None:
    if not group["name"].strip():
        raise invalid("DisplayName is a required attribute")
    if group["name"].lower() in ("administrator", "awsadministrators"):
        raise invalid(f"DisplayName {group['name']} is reserved.")
    namesake = directory.group_by_name(world, group["store"], group["name"])
    if namesake is not None and namesake["id"] != group["id"]:
        raise taken("Duplicate GroupDisplayName")


def _store(world: World, group: DirectoryGroup) -> None:
    store = group["store"]
    world.add(directory.GROUPS, f"{store}/{group['id']}", group, uid=f"{store}/{group['name'].lower()}")


def _named(group: DirectoryGroup) -> Result:
    return {"IdentityStoreId": group["store"], "GroupId": group["id"], "GroupArn": stores.arn("group", group["id"])}


def _shown(group: DirectoryGroup) -> Result:
    described = {"Description": group.get("description", ""), "ExternalIds": group["external_ids"]}
    return {
        **_named(group),
        "Revision": str(group["revision"]),
        "DisplayName": group["name"],
        **present(described),
        **stamps(group),
    }


def _named_membership(membership: Membership) -> Result:
    return {
        "IdentityStoreId": membership["store"],
        "MembershipId": membership["id"],
        "MembershipArn": stores.arn("membership", membership["id"]),
    }


def _shown_membership(membership: Membership) -> Result:
    return {
        **_named_membership(membership),
        "GroupId": membership["group"],
        "MemberId": {"UserId": membership["user"]},
        **stamps(membership),
    }
