"""Identity Center as it is stored, and who may have which role: for the control plane and for what signs people in.

Its shapes stand here and not in accounts.documents, so that nobody pays for them at the start. Ids of users and groups
are plain UUIDs, `STORE` is an identity store's id (`d-…`), times are seconds by the world's clock.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NotRequired, TypedDict

from sts_emulator.accounts import resources
from sts_emulator.accounts.documents import Passkey, Role, Tags
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.federated import SAML

USER, GROUP = "USER", "GROUP"
SIGN_IN_AUDIENCE = "https://signin.aws.amazon.com/saml"
RESERVED_PATH = "/aws-reserved/sso.amazonaws.com/"
STORE_ID = re.compile(r"d-[0-9a-f]{10}")


class Instance(TypedDict):
    """An instance of Identity Center; that of an organization's management account assigns accounts."""

    id: str  # `ssoins-…`
    arn: str
    account: str  # its owner
    kind: str  # organization, account
    name: str
    created: int
    store: str  # the id of its identity store
    region: str  # its home, which shows in paths of roles
    start_url: str
    source: str  # of identities: directory, external
    identity_provider: NotRequired[IdentityProvider]
    portal_session: int  # seconds
    tags: Tags
    attributes: NotRequired[dict[str, list[str]]]  # for access control: sources by the key of the session tag
    regions: NotRequired[dict[str, int]]  # added ones, since when
    settings: NotRequired[dict[str, Any]]  # as the wire has them
    network: NotRequired[dict[str, Any]]  # of the identity store, as the wire has it


class IdentityProvider(TypedDict):
    """A company's own identity provider, at which an instance's people sign in."""

    issuers: dict[str, list[str]]  # its signing certificates by its entity id, base64 of DER
    sign_in: str  # where it takes requests (HTTP-Redirect); of the lab's own, the path in this world


class MfaMeans(TypedDict):
    """A second factor of a directory's user."""

    id: str
    type: str  # totp, passkey
    name: str
    created: int
    seed: NotRequired[str]  # base32
    drift: NotRequired[int]
    used: NotRequired[list[int]]  # steps whose codes were taken
    passkey: NotRequired[Passkey]


class DirectoryUser(TypedDict):
    """A person. `profile` is what the wire tells of them: UserName, Name, DisplayName, Emails and the rest."""

    store: str
    id: str
    name: str  # the user name, which becomes the session's
    enabled: bool
    profile: dict[str, Any]
    external_ids: list[dict[str, str]]  # as the wire has them: Issuer, Id
    created: int
    created_by: str
    updated: int
    updated_by: str
    revision: int
    password: NotRequired[dict[str, Any]]  # people.new_password
    mfa: NotRequired[list[MfaMeans]]


class DirectoryGroup(TypedDict):
    """A group of people."""

    store: str
    id: str
    name: str
    description: NotRequired[str]
    external_ids: list[dict[str, str]]
    created: int
    created_by: str
    updated: int
    updated_by: str
    revision: int


class Membership(TypedDict):
    """That somebody is in a group."""

    store: str
    id: str
    group: str
    user: str
    created: int
    created_by: str


class PermissionSet(TypedDict):
    """What people may become; in an account it is a role once it is provisioned there."""

    arn: str
    instance: str  # its id
    name: str
    description: str
    created: int
    duration: str  # ISO 8601: `PT1H`
    relay_state: str
    managed: list[str]  # ARNs of AWS's policies
    customer_managed: list[dict[str, str]]  # Name and Path
    inline: str
    boundary: NotRequired[dict[str, Any]]  # as the wire has it
    tags: Tags


class Provisioned(TypedDict):
    """A permission set in an account, as it was when it was last provisioned there."""

    account: str
    permission_set: str  # its ARN
    role: str  # the name of the reserved role
    state: str  # a digest of what was provisioned; another one than now: not the latest
    duration: str
    relay_state: str


class Assignment(TypedDict):
    """That somebody, or a group, may have a permission set in an account."""

    account: str
    permission_set: str  # its ARN
    principal_type: str  # USER, GROUP
    principal: str


class Application(TypedDict):
    """A customer-managed application."""

    arn: str
    account: str
    instance: str  # its id
    provider: str
    name: str
    description: str
    status: str  # ENABLED, DISABLED
    portal: dict[str, Any]  # as the wire has it
    created: int
    assignment_required: bool
    assignments: list[list[str]]  # type and id of a principal
    scopes: dict[str, list[str]]  # authorized targets by scope
    grants: dict[str, dict[str, Any]]  # as the wire has them, by grant type
    actor_policy: NotRequired[Any]
    background_session: NotRequired[str]
    tags: Tags
    token: NotRequired[str]  # of the request that made it


class TrustedTokenIssuer(TypedDict):
    """An issuer of tokens that Identity Center takes for a user."""

    arn: str
    instance: str  # its id
    name: str
    url: str
    claim: str  # the path of the claim that names the user
    attribute: str  # the path of the user's attribute that it must equal
    tags: Tags
    token: NotRequired[str]  # of the request that made it


class ScimToken(TypedDict):
    """A bearer token for SCIM; only its digest is kept."""

    id: str
    store: str
    tenant: str
    created: float
    expires: int


INSTANCE: Kind[Instance] = Kind("identity-center")  # key: its id, uid: its identity store's
USERS: Kind[DirectoryUser] = Kind("directory-user")  # key: `STORE/id`, uid: `STORE/user name` in lower case
GROUPS: Kind[DirectoryGroup] = Kind("directory-group")  # key: `STORE/id`, uid: `STORE/name` in lower case
MEMBERSHIP: Kind[Membership] = Kind("directory-membership")  # key: `STORE/group/user`, uid: `STORE/id`
PERMISSION_SET: Kind[PermissionSet] = Kind("permission-set")  # key: ARN
PROVISIONED: Kind[Provisioned] = Kind("provisioned-permission-set")  # key: `ARN of the set/account`
ASSIGNMENT: Kind[Assignment] = Kind("account-assignment")  # key: `ARN of the set/account/type/id`
APPLICATION: Kind[Application] = Kind("identity-application")  # key: ARN
TRUSTED_ISSUER: Kind[TrustedTokenIssuer] = Kind("trusted-token-issuer")  # key: ARN
SCIM_TOKEN: Kind[ScimToken] = Kind("scim-token")  # key: its SHA-256, uid: id


# -- instances ----------------------------------------------------------------------------------------------------


def instances(world: World) -> tuple[Instance, ...]:
    return world.memo(("identity-center",), lambda: tuple(world.page(INSTANCE)))


def instance_by_start_url(world: World, url: str) -> Instance | None:
    """The instance whose access portal stands at a URL, with or without a slash or fragment at its end."""
    wanted = _bare(url)
    return next((instance for instance in instances(world) if _bare(instance["start_url"]) == wanted), None)


def instance_of_store(world: World, store: str) -> Instance | None:
    return world.find(INSTANCE, store)


def store_arn(instance: Instance) -> str:
    return f"arn:aws:identitystore::{instance['account']}:identitystore/{instance['store']}"


def service_provider(instance: Instance) -> str:
    """The entity id by which identity providers know an instance (docs/aws/identity-center.md, "SAML and SCIM")."""
    return f"https://{instance['region']}.signin.aws.amazon.com/platform/saml/{instance['store']}"


def acs_path(instance: Instance) -> str:
    """Where an instance takes their responses; AWS's address has the same path, and an id that means nothing either."""
    return f"/platform/saml/acs/{acs_id(instance)}"


def acs_id(instance: Instance) -> str:
    """The last part of that path."""
    import hashlib

    return str(uuid.UUID(hashlib.sha256(instance["id"].encode()).hexdigest()[:32]))


def _bare(url: str) -> str:
    return url.partition("#")[0].rstrip("/").lower()


# -- people -------------------------------------------------------------------------------------------------------


def user(world: World, store: str, identifier: str) -> DirectoryUser | None:
    return world.get(USERS, f"{store}/{identifier}")


def user_by_name(world: World, store: str, name: str) -> DirectoryUser | None:
    """The user of that user name, in any case of letters."""
    return world.find(USERS, f"{store}/{name.lower()}")


def user_by_attribute(world: World, store: str, path: str, value: str) -> DirectoryUser | None:
    """The only user whose attribute has that value, exactly; None when there is none, or more than one."""
    if path == "userName":
        known = user_by_name(world, store, value)
        return known if known is not None and known["name"] == value else None
    matching = [person for person in world.page(USERS, f"{store}/") if value and attribute(person, path) == value]
    return matching[0] if len(matching) == 1 else None


def group_by_name(world: World, store: str, name: str) -> DirectoryGroup | None:
    """The group of that display name, in any case of letters."""
    return world.find(GROUPS, f"{store}/{name.lower()}")


def memberships(world: World, store: str, user_id: str) -> tuple[Membership, ...]:
    """In which groups a user is."""
    known = world.memo(("directory-memberships", store), lambda: tuple(world.page(MEMBERSHIP, f"{store}/")))
    return tuple(membership for membership in known if membership["user"] == user_id)


def means(world: World, person: DirectoryUser) -> set[tuple[str, str]]:
    """The principals by which something reaches a person, as type and id: themselves, and their groups."""
    groups = memberships(world, person["store"], person["id"])
    return {(USER, person["id"]), *((GROUP, membership["group"]) for membership in groups)}


def outside(world: World, person: DirectoryUser, groups: Iterable[str]) -> str:
    """That a person is in none of these groups (their ids), which are named; "" where there is none of them."""
    known = [world.get(GROUPS, f"{person['store']}/{group}") for group in groups]
    named = sorted(group["name"] for group in known if group is not None)
    return f"{', '.join(named[:5])}, and {person['name']} is in none of them" if named else ""


# -- what they may become -----------------------------------------------------------------------------------------


def permission_sets(world: World, instance: Instance) -> tuple[PermissionSet, ...]:
    """The instance's permission sets, by ARN."""
    prefix = f"arn:aws:sso:::permissionSet/{instance['id']}/"
    return world.memo(("permission-sets", instance["id"]), lambda: tuple(world.page(PERMISSION_SET, prefix)))


def permission_set_by_name(world: World, instance: Instance, name: str) -> PermissionSet | None:
    """The instance's permission set of that name, in any case of letters."""
    sets = permission_sets(world, instance)
    return next((candidate for candidate in sets if candidate["name"].lower() == name.lower()), None)


def assignments(world: World, permission_set: str, account: str = "") -> list[Assignment]:
    """Who has a permission set: in an account, or anywhere."""
    return world.page(ASSIGNMENT, f"{permission_set}/{account}/" if account else f"{permission_set}/")


def assignments_of(world: World, instance: Instance, person: DirectoryUser) -> tuple[Assignment, ...]:
    """Every assignment that reaches a person, by name or through a group."""
    reaching, known = means(world, person), _assignments(world, instance)
    return tuple(
        assignment for assignment in known if (assignment["principal_type"], assignment["principal"]) in reaching
    )


def is_assigned(world: World, application: Application, person: DirectoryUser) -> bool:
    """Whether a person may use an application: by name, through a group, or because nobody needs to be assigned."""
    if not application["assignment_required"]:
        return True
    return not means(world, person).isdisjoint((kind, identifier) for kind, identifier in application["assignments"])


def assignments_of_group(world: World, instance: Instance, group: str) -> tuple[Assignment, ...]:
    return tuple(assignment for assignment in _assignments(world, instance) if assignment["principal"] == group)


def _assignments(world: World, instance: Instance) -> tuple[Assignment, ...]:
    prefix = f"arn:aws:sso:::permissionSet/{instance['id']}/"
    return world.memo(("account-assignments", instance["id"]), lambda: tuple(world.page(ASSIGNMENT, prefix)))


def provisioned(world: World, permission_set: str, account: str) -> Provisioned | None:
    """The permission set as it stands in an account; None where it does not."""
    return world.get(PROVISIONED, f"{permission_set}/{account}")


def role_for(world: World, account: str, permission_set: str) -> Role | None:
    """The reserved role that a permission set (its ARN) is in an account; None where it is not provisioned."""
    there = provisioned(world, permission_set, account)
    return None if there is None else resources.role(world, account, there["role"])


def provider_arn(instance: Instance, account: str) -> str:
    """The ARN of the SAML provider through which the instance's people reach an account's reserved roles."""
    return SAML.arn(account, provider_name(instance, account))


def provider_name(instance: Instance, account: str) -> str:
    """`AWSSSO_<16 hex>_DO_NOT_DELETE`; its digits follow from instance and account."""
    import hashlib

    digits = hashlib.sha256(f"{instance['id']}/{account}".encode()).hexdigest()[:16]
    return f"AWSSSO_{digits}_DO_NOT_DELETE"


@lru_cache(maxsize=64)
def session_seconds(duration: str) -> int:
    """Seconds of a permission set's session duration, which has the form `PT1H30M`; 0 for anything else."""
    parts = re.fullmatch(r"PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?", duration)
    hours, minutes, seconds = parts.groups(default="0") if parts else ("0", "0", "0")
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


# -- attributes for access control --------------------------------------------------------------------------------


def session_tags(instance: Instance, person: DirectoryUser) -> dict[str, str]:
    """The session tags that the instance's attributes for access control make of a person; empty values make none.

    Source: IAM Identity Center User Guide, "Attributes for access control".
    """
    tags = {}
    for key, sources in instance.get("attributes", {}).items():
        values = [attribute(person, source) for source in sources]
        value = next((text for text in values if text), "")
        if value:
            tags[key] = value
    return tags


def attribute(person: DirectoryUser, source: str) -> str:
    """A person's attribute by its path: `${path:enterprise.department}`, or without the decoration; empty: none."""
    path = source.removeprefix("${").removesuffix("}")
    path = path.removeprefix("path:").removeprefix("user:")
    if path in ("userName", "subject"):
        return person["name"]
    if path == "externalIds.id":
        return next((identifier["Id"] for identifier in person["external_ids"]), "")
    first, _, rest = path.partition(".")
    if first == "enterprise":
        extensions = person["profile"].get("Extensions", {})
        return _text(extensions.get("aws:identitystore:enterprise", {}).get(rest))
    return _text(_below(person["profile"].get(first[:1].upper() + first[1:]), rest))


def _below(value: object, path: str) -> object:
    """What stands below a value of the profile; of a list, its first entry is asked."""
    if isinstance(value, list):
        value = value[0] if value else None
    for name in path.split(".") if path else ():
        if not isinstance(value, Mapping):
            return None
        value = value.get(name[:1].upper() + name[1:])
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
