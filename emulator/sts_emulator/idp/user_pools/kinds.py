"""What user pools store, and how a pool, an app client, a user or a group is found.

Passwords are kept as SRP verifiers, as on AWS (docs/cognito.md, "What is stored of a password").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NotRequired, TypedDict

from sts_emulator.accounts.documents import Passkey, Tags
from sts_emulator.control_plane.listing import Listing
from sts_emulator.control_plane.reach import own, reached, required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.vending.context import Context


class Pool(TypedDict):
    """A user pool; `settings` are members of the wire as they were given."""

    id: str
    account: str
    region: str
    arn: str
    name: str
    created: float
    modified: float
    tags: Tags
    schema: list[dict[str, Any]]
    settings: dict[str, Any]


class Secret(TypedDict):
    """A secret of an app client."""

    value: str
    created: float


class Client(TypedDict):
    """An app client; `settings` as of a pool."""

    id: str
    pool: str
    name: str
    secret: str  # "" for none
    created: float
    modified: float
    settings: dict[str, Any]
    secret_created: NotRequired[float]  # where it is not the client's first
    second: NotRequired[Secret]  # which is to follow it


class Token(TypedDict):
    """A user's authenticator app."""

    seed: str  # base32
    used: list[int]  # steps whose codes were used up
    verified: bool
    enabled: bool
    preferred: bool
    next: NotRequired[str]  # a seed that is to follow, once its app has proven it


class Verifier(TypedDict):
    """What is kept of a password."""

    salt: str  # hexadecimal, as the verifier is
    verifier: str  # "" where no password was ever set


class Preference(TypedDict):
    """What a user wants of codes that are sent to an address, as a second factor."""

    enabled: bool
    preferred: bool


class OwnPasskey(TypedDict):
    """A user's passkey, as they and the API call it."""

    passkey: Passkey
    name: str
    attachment: str  # "platform", "cross-platform", or nothing
    created: float


class PoolUser(Verifier):
    """A user of a pool."""

    pool: str
    username: str
    sub: str
    attributes: dict[str, str]
    created: float
    modified: float
    enabled: bool
    status: str
    groups: list[str]
    temporary_until: NotRequired[float]
    token: NotRequired[Token]
    history: NotRequired[list[Verifier]]  # the newest first
    pending: NotRequired[dict[str, str]]  # addresses that count once they are verified
    sent_codes: NotRequired[dict[str, Preference]]  # by the name of their challenge
    passkeys: NotRequired[list[OwnPasskey]]


class Alias(TypedDict):
    """By what else a user can sign in."""

    user: str  # the user's key


class PoolGroup(TypedDict):
    """A group of a pool's users; they name it."""

    pool: str
    name: str
    description: str
    role: str
    precedence: int | None
    created: float
    modified: float


class IdentityProvider(TypedDict):
    """Who else vouches for a pool's users; members are the wire's."""

    pool: str
    name: str
    type: str
    details: dict[str, str]
    mapping: dict[str, str]  # attribute of the pool -> claim or attribute of the provider
    identifiers: list[str]
    created: float
    modified: float


class Link(TypedDict):
    """As whom somebody of an identity provider signs in."""

    sub: str


POOL: Final[Kind[Pool]] = Kind("user-pool")  # key: its id, uid: ARN
CLIENT: Final[Kind[Client]] = Kind("user-pool-client")  # key: its id, uid: `POOL/id`
USER: Final[Kind[PoolUser]] = Kind("user-pool-user")  # key: `POOL/name`, uid: `POOL/sub`
GROUP: Final[Kind[PoolGroup]] = Kind("user-pool-group")  # key: `POOL/name`
IDENTITY_PROVIDER: Final[Kind[IdentityProvider]] = Kind("user-pool-identity-provider")  # key: `POOL/name`
LINK: Final[Kind[Link]] = Kind("user-pool-link")  # key: `POOL/provider/attribute/value`
ALIAS: Final[Kind[Alias]] = Kind("user-pool-alias")  # key: `POOL/attribute/value`

WRONG_PASSWORD: Final = "Incorrect username or password."  # noqa: S105 - AWS's sentence


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def not_authorized(message: str = WRONG_PASSWORD) -> AwsError:
    return AwsError("NotAuthorizedException", message)


def not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message)


def unsupported(what: str) -> AwsError:
    """What AWS has and this server does not: said, and never half done."""
    return AwsError("NotImplemented", f"sts-emulator does not have {what} of user pools", status=501)


def arn_of(region: str, account: str, pool: str) -> str:
    return f"arn:aws:cognito-idp:{region}:{account}:userpool/{pool}"


def reach(ctx: Context, pool_id: str, keys: Mapping[str, tuple[str, ...]] | None = None) -> Pool:
    """The caller's pool, for whoever may call this operation on it.

    Raises:
        AwsError: AccessDenied; ResourceNotFoundException.
    """
    pool = own(ctx, ctx.world.get(POOL, pool_id))
    arn = arn_of(ctx.region, ctx.identity.account, pool_id)
    missing = not_found(f"User pool {pool_id} does not exist.")
    return reached(ctx, f"cognito-idp:{ctx.operation}", arn, pool, missing, keys)


def client_of(world: World, client_id: str, pool_id: str = "") -> Client:
    """The app client; of that pool, where one is named. Raises AwsError: ResourceNotFoundException."""
    client = world.get(CLIENT, client_id)
    if client is None or (pool_id and client["pool"] != pool_id):
        raise not_found(f"User pool client {client_id} does not exist.")
    return client


def reach_client(ctx: Context, pool_id: str, client_id: str) -> tuple[Pool, Client]:
    """The caller's pool, as `reach`, and an app client of it."""
    return reach(ctx, pool_id), client_of(ctx.world, client_id, pool_id)


def pool_of(world: World, client: Client) -> Pool:
    """The pool of a client, which goes with it."""
    return required(world.get(POOL, client["pool"]), not_found(f"User pool client {client['id']} does not exist."))


def folded(pool: Pool, name: str) -> str:
    """A name as the pool compares it: with its case where the pool does not say (model, UsernameConfigurationType)."""
    is_case_sensitive = pool["settings"].get("UsernameConfiguration", {}).get("CaseSensitive", True)
    return name if is_case_sensitive else name.lower()


def user_key(pool: Pool, username: str) -> str:
    return f"{pool['id']}/{folded(pool, username)}"


def find_user(world: World, pool: Pool, name: str) -> PoolUser | None:
    """The user whom a name means: a username, an alias, or a sub."""
    user = world.get(USER, user_key(pool, name))
    if user is not None:
        return user
    for attribute in ("email", "phone_number", "preferred_username"):
        row = world.get(ALIAS, f"{pool['id']}/{attribute}/{folded(pool, name)}")
        if row is not None:
            return world.get(USER, row["user"])
    return world.find(USER, f"{pool['id']}/{name}")


def user_of(world: World, pool: Pool, name: str) -> PoolUser:
    """As `find_user`. Raises AwsError: UserNotFoundException."""
    return required(find_user(world, pool, name), AwsError("UserNotFoundException", "User does not exist."))


def reach_user(ctx: Context, pool_id: str, name: str) -> tuple[Pool, PoolUser]:
    """The caller's pool, as `reach`, and a user of it. Raises AwsError: UserNotFoundException, too."""
    pool = reach(ctx, pool_id)
    return pool, user_of(ctx.world, pool, name)


def aliases(pool: Pool, user: PoolUser) -> set[str]:
    """By what else a user can sign in: verified aliases, or the attributes that are the pool's usernames."""
    if user["status"] == "EXTERNAL_PROVIDER":  # who signs in elsewhere: the same address may be a local user's
        return set()
    attributes, settings = user["attributes"], pool["settings"]
    names = set(settings.get("UsernameAttributes", ())) & attributes.keys()
    for name in settings.get("AliasAttributes", ()):
        if name in attributes and (name == "preferred_username" or attributes.get(f"{name}_verified") == "true"):
            names.add(name)
    return {f"{pool['id']}/{name}/{folded(pool, attributes[name])}" for name in names}


def save_user(world: World, pool: Pool, user: PoolUser, *, force: bool = False) -> PoolUser:
    """Store a user, new or changed, and the names that lead to them; `force` takes an alias away from another.

    Raises:
        AwsError: AliasExistsException.
    """
    key = user_key(pool, user["username"])
    before = world.get(USER, key)
    wanted = aliases(pool, user)
    for gone in (aliases(pool, before) if before else set()) - wanted:
        world.take(ALIAS, gone)
    for alias in wanted:
        row = world.get(ALIAS, alias)
        is_movable = force and not alias.startswith(f"{pool['id']}/preferred_username/")  # which nobody verifies
        if row is not None and row["user"] != key and not is_movable:
            attribute = alias.split("/")[1]
            raise AwsError("AliasExistsException", f"An account with the given {attribute} already exists.")
        if row is not None and row["user"] != key:
            _unverify(world, row["user"], alias.split("/")[1])
        if row is None or row["user"] != key:
            world.put(ALIAS, alias, Alias(user=key))
    world.put(USER, key, user, uid=f"{pool['id']}/{user['sub']}")
    return user


def _unverify(world: World, key: str, attribute: str) -> None:
    """The address of a user from whom an alias is taken is verified no more: it would lead to them again."""
    former = world.get(USER, key)
    if former is not None:
        attributes = {**former["attributes"], f"{attribute}_verified": "false"}
        unverified: PoolUser = {**former, "attributes": attributes}
        world.put(USER, key, unverified, uid=f"{former['pool']}/{former['sub']}")


def change_user(world: World, pool: Pool, user: PoolUser, **changes: object) -> PoolUser:
    """Store a user with other members; see `save_user`."""
    changed: PoolUser = {**user, **changes, "modified": world.now()}  # type: ignore[typeddict-item]  # members by name
    return save_user(world, pool, changed)


def pending_without(user: PoolUser, names: Iterable[str]) -> dict[str, str]:
    """Addresses that still wait to be verified once these are written or deleted: the newest word counts."""
    gone = set(names)
    return {name: address for name, address in user.get("pending", {}).items() if name not in gone}


LISTING: Final = Listing(60, lambda: invalid("Invalid pagination token"))  # docs: 60 is the most that a list answers
PAGES: Final = replace(LISTING, token="PaginationToken")  # noqa: S106 - a member's name
"""Lists whose token has another name."""
page = LISTING.page
