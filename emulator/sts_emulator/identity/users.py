"""Users of a directory: kept, found, changed attribute by attribute; shared by the API and SCIM."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import DirectoryUser
from sts_emulator.control_plane.reach import required
from sts_emulator.core.world import World
from sts_emulator.identity import provisioning, stores
from sts_emulator.identity.permission import invalid, page, present
from sts_emulator.identity.stores import absent, bare, check_revision, open_store, stamps, taken
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

RESERVED = ("administrator", "awsadministrators")
ENTERPRISE = "aws:identitystore:enterprise"
# Members of a user by the first segment of their path, in lower case; Extensions are named by their own.
_MEMBERS = {
    name.lower(): name
    for name in (
        *("UserName", "Name", "DisplayName", "NickName", "ProfileUrl", "Emails", "Addresses", "PhoneNumbers"),
        *("UserType", "Title", "PreferredLanguage", "Locale", "Timezone", "Photos", "Website", "Birthdate", "Roles"),
    )
}
_LISTS = {"Emails": 1, "Addresses": 1, "PhoneNumbers": 1, "Roles": 1, "Photos": 3}  # and how many they hold at most


# -- operations ---------------------------------------------------------------------------------------------------


@operation("identitystore", "CreateUser")
def create_user(ctx: Context, *, IdentityStoreId: str, **profile: object) -> Result:
    """Add a person, who can sign in once there is a password or an identity provider for them."""
    instance = open_store(ctx, IdentityStoreId)
    made = add(ctx, instance["store"], profile)
    return {**_named(made), "Revision": str(made["revision"])}


@operation("identitystore", "DescribeUser")
def describe_user(ctx: Context, *, IdentityStoreId: str, UserId: str, Extensions: Sequence[str] = ()) -> Result:
    """One person; extensions that are asked for are shown as well."""
    return shown(_reach(ctx, IdentityStoreId, UserId), Extensions)


@operation("identitystore", "ListUsers")
def list_users(
    ctx: Context,
    *,
    IdentityStoreId: str,
    Extensions: Sequence[str] = (),
    MaxResults: int | None = None,
    NextToken: str = "",
    Filters: Sequence[Mapping[str, str]] = (),
) -> Result:
    """All people, or the one of a user name."""
    instance = open_store(ctx, IdentityStoreId)
    people = ctx.world.page(directory.USERS, f"{instance['store']}/")
    for wanted in Filters:
        if wanted["AttributePath"].lower() != "username":
            raise invalid(f"Filtering by {wanted['AttributePath']} is not supported.")
        people = [person for person in people if person["name"].lower() == wanted["AttributeValue"].lower()]
    return page(ctx, "Users", people, NextToken, MaxResults, lambda person: shown(person, Extensions))


@operation("identitystore", "UpdateUser")
def update_user(
    ctx: Context, *, IdentityStoreId: str, UserId: str, Operations: Sequence[Mapping[str, Any]], Revision: str = ""
) -> Result:
    """Change attributes by their paths; one without a value is removed."""
    person = _reach(ctx, IdentityStoreId, UserId)
    check_revision(person, Revision)
    profile: JsonObject = person["profile"]
    for change in Operations:
        profile = changed(profile, change["AttributePath"], change.get("AttributeValue"))
    made = replace(ctx, person, profile=profile)
    return {**_named(made), "Revision": str(made["revision"])}


@operation("identitystore", "DeleteUser")
def delete_user(ctx: Context, *, IdentityStoreId: str, UserId: str, Revision: str = "") -> Result:
    """Remove a person, from groups and assignments as well."""
    person = _reach(ctx, IdentityStoreId, UserId)
    check_revision(person, Revision)
    remove(ctx.world, person)
    return {}


@operation("identitystore", "GetUserId")
def get_user_id(ctx: Context, *, IdentityStoreId: str, AlternateIdentifier: JsonObject) -> Result:
    """The id of the person of a user name, e-mail address or external id."""
    instance = open_store(ctx, IdentityStoreId)
    return _named(_alternate(ctx.world, instance["store"], AlternateIdentifier))


def _alternate(world: World, store: str, alternate: Mapping[str, Any]) -> DirectoryUser:
    people = world.page(directory.USERS, f"{store}/")
    if "ExternalId" in alternate:
        matching = [person for person in people if alternate["ExternalId"] in person["external_ids"]]
    else:
        path, value = alternate["UniqueAttribute"]["AttributePath"], alternate["UniqueAttribute"]["AttributeValue"]
        if path.lower() not in ("username", "emails.value"):
            raise invalid(f"{path} is not a unique attribute of users.")
        if not isinstance(value, str):
            raise invalid("AttributeValue must be a text.")
        source = "userName" if path.lower() == "username" else "emails.value"
        matching = [person for person in people if directory.attribute(person, source).lower() == value.lower()]
    if not matching:
        raise absent("USER", "")
    return matching[0]


# -- shared with SCIM ---------------------------------------------------------------------------------------------


def add(
    ctx: Context,
    store: str,
    profile: Mapping[str, object],
    *,
    enabled: bool = True,
    external_ids: Sequence[Mapping[str, str]] = (),
) -> DirectoryUser:
    """Store a new person.

    Raises:
        AwsError: ValidationException; ConflictException for a user name or e-mail address that is taken.
    """
    person: DirectoryUser = {
        **stores.born(ctx, store, external_ids),  # type: ignore[typeddict-item]  # these members of it
        "name": profile.get("UserName", ""),
        "enabled": enabled,
        "profile": dict(profile),
    }
    _check(ctx.world, person)
    _store(ctx.world, person)
    return person


def replace(ctx: Context, person: DirectoryUser, **members: object) -> DirectoryUser:
    """The person with other members, stored. Raises AwsError: as `add`."""
    after: DirectoryUser = stores.renewed(ctx, person, members)
    after["name"] = after["profile"].get("UserName", "")
    _check(ctx.world, after)
    ctx.world.take(directory.USERS, f"{person['store']}/{person['id']}")  # the user name is its uid
    _store(ctx.world, after)
    return after


def remove(world: World, person: DirectoryUser) -> None:
    """Remove a person with memberships and assignments. Running sessions go on."""
    for membership in directory.memberships(world, person["store"], person["id"]):
        world.take(directory.MEMBERSHIP, f"{person['store']}/{membership['group']}/{person['id']}")
    provisioning.unassign_principal(world, person["store"], person["id"])
    world.take(directory.USERS, f"{person['store']}/{person['id']}")


def changed(profile: Mapping[str, Any], path: str, value: Any) -> JsonObject:
    """A profile in which the attribute at a path has another value; none removes it.

    Raises:
        AwsError: ValidationException.
    """
    first, _, rest = path.partition(".")
    if first.startswith("aws:"):
        return _with_extension(profile, first, rest, value)
    member = _MEMBERS.get(first.lower())
    if member is None:
        raise invalid(f"{path} is not an attribute of users.")
    if not rest:
        return _with(profile, member, _as_wire(value))
    if member != "Name":
        raise invalid(f"{path} cannot be set by itself.")
    return _with(profile, member, _with(profile.get(member, {}), capitalized(rest), value) or None)


def shown(person: DirectoryUser, extensions: Sequence[str] = ()) -> Result:
    """A person as results show them."""
    profile = {name: value for name, value in person["profile"].items() if name != "Extensions"}
    asked = {name: value for name, value in person["profile"].get("Extensions", {}).items() if name in extensions}
    return {
        **_named(person),
        **profile,
        "Revision": str(person["revision"]),
        "UserStatus": "ENABLED" if person["enabled"] else "DISABLED",
        **present({"ExternalIds": person["external_ids"], "Extensions": asked}),
        **stamps(person),
    }


# -- parts --------------------------------------------------------------------------------------------------------


def _reach(ctx: Context, store_id: str, user_id: str) -> DirectoryUser:
    identifier = bare(user_id).lower()
    instance = open_store(ctx, store_id, stores.arn("user", identifier))
    return required(directory.user(ctx.world, instance["store"], identifier), absent("USER", identifier))


def _named(person: DirectoryUser) -> Result:
    return {"IdentityStoreId": person["store"], "UserId": person["id"], "UserArn": stores.arn("user", person["id"])}


def _check(world: World, person: DirectoryUser) -> None:
    """What AWS demands of every user (docs/aws/identity-center.md, "SAML and SCIM"), and that no other has it."""
    profile, name = person["profile"], person["profile"].get("Name", {})
    required = {
        "UserName": person["name"],
        "DisplayName": profile.get("DisplayName"),
        "GivenName": name.get("GivenName"),
        "FamilyName": name.get("FamilyName"),
    }
    for member, value in required.items():
        if not isinstance(value, str) or not value.strip():
            raise invalid(f"{member} is a required attribute")
    if person["name"].lower() in RESERVED:
        raise invalid(f"UserName {person['name']} is reserved.")
    for member, most in _LISTS.items():
        if len(profile.get(member, ())) > most:
            raise invalid(f"{member} can have {most} entries at most.")
    if any(extension != ENTERPRISE for extension in profile.get("Extensions", {})):
        raise invalid(f"The only extension is {ENTERPRISE}.")
    _check_unique(world, person)


def _check_unique(world: World, person: DirectoryUser) -> None:
    namesake = directory.user_by_name(world, person["store"], person["name"])
    if namesake is not None and namesake["id"] != person["id"]:
        raise taken("Duplicate UserName")
    email = directory.attribute(person, "emails.value").lower()
    for other in world.page(directory.USERS, f"{person['store']}/") if email else ():
        if other["id"] != person["id"] and directory.attribute(other, "emails.value").lower() == email:
            raise taken("Duplicate email address")


def _store(world: World, person: DirectoryUser) -> None:
    store = person["store"]
    world.add(directory.USERS, f"{store}/{person['id']}", person, uid=f"{store}/{person['name'].lower()}")


def _with(members: Mapping[str, Any], name: str, value: Any) -> JsonObject:
    kept = {member: known for member, known in members.items() if member != name}
    return kept if value is None else {**kept, name: value}


def _with_extension(profile: Mapping[str, Any], extension: str, path: str, value: Any) -> JsonObject:
    """What stands in an extension is spelt there as it was sent."""
    extensions = profile.get("Extensions", {})
    if path:
        value = _with(extensions.get(extension, {}), path, value)
    return _with(profile, "Extensions", _with(extensions, extension, value) or None)


def _as_wire(value: object) -> object:
    """A value of an operation, in which members begin with a small letter, as requests to create have it."""
    if isinstance(value, Mapping):
        return {capitalized(name): _as_wire(item) for name, item in value.items()}
    return [_as_wire(item) for item in value] if isinstance(value, list) else value


def capitalized(name: str) -> str:
    return name[:1].upper() + name[1:]
