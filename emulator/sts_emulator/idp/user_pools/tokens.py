"""Tokens of a user pool: ID and access tokens under keys of their own, and refresh tokens that only we can read."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final, NotRequired, TypedDict

from sts_emulator.control_plane.reach import required
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp import keys
from sts_emulator.idp.user_pools import attributes, claim_overrides, clients, pools
from sts_emulator.idp.user_pools.claim_overrides import Membership
from sts_emulator.idp.user_pools.kinds import (
    CLIENT,
    GROUP,
    POOL,
    USER,
    Client,
    Pool,
    PoolGroup,
    PoolUser,
    not_authorized,
)
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import seal, unseal

ALGORITHM: Final = "RS256"
SCOPE: Final = "aws.cognito.signin.user.admin"
AUTHENTICATION: Final = "TokenGeneration_Authentication"
NEW_PASSWORD: Final = "TokenGeneration_NewPasswordChallenge"  # noqa: S105 - a source of events
HOSTED: Final = "TokenGeneration_HostedAuth"
REFRESH: Final = "TokenGeneration_RefreshTokens"
DEVICE: Final = "TokenGeneration_AuthenticateDevice"
LONGEST: Final = 16_384
"""Characters of a token that are looked at."""

_REFRESH_HEAD = "eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoiUlNBLU9BRVAifQ"  # a JWE's, as AWS's begin
_REFRESH = "user pool refresh token"


class Keys(TypedDict):
    """A pool's two signing keys."""

    pool: str
    id: dict[str, Any]
    access: dict[str, Any]


class Held(TypedDict):
    """The device that a sign-in is on."""

    key: str
    group: str


class SignIn(TypedDict):
    """One sign-in of a user: as long as it is there, its access tokens are good, and it can be refreshed."""

    id: str  # the event_id of its tokens
    pool: str
    sub: str
    client: str
    origin: str  # origin_jti
    at: float
    until: float  # when its refresh token is over
    turn: int  # of its refresh token, where they rotate
    turned: float
    scopes: NotRequired[list[str]]  # of a sign-in by managed login
    device: NotRequired[Held]  # where the pool tracks them
    resource: NotRequired[str]  # `aud` of its access tokens


KEYS: Final[Kind[Keys]] = Kind("user-pool-keys")  # key: the pool's id, uid: the key id of access tokens
SIGN_IN: Final[Kind[SignIn]] = Kind("user-pool-sign-in")  # key: `POOL/sub/id`


# -- keys ------------------------------------------------------------------------------------------------------------


async def keys_of(world: World, pool: Pool) -> Keys:
    """The pool's keys, made when first needed: that takes some tenths of a second, in threads."""
    stored = world.get(KEYS, pool["id"])
    if stored is not None:
        return stored
    first, second = await asyncio.gather(*(asyncio.to_thread(keys.make_key, ALGORITHM) for _ in range(2)))
    with world.unit(lock=True):
        stored = world.get(KEYS, pool["id"])
        if stored is None:  # another request or process may have been first: its keys are the ones
            stored = Keys(pool=pool["id"], id=dict(first), access=dict(second))
            world.add(KEYS, pool["id"], stored, uid=second["kid"])
            pools.publish_issuer(world, pool, public_keys(stored))
    return stored


def public_keys(stored: Keys) -> list[JsonObject]:
    return [stored["id"]["public"], stored["access"]["public"]]


def session_setting(pool: Pool) -> str:
    """The key of the pool's session configuration."""
    return f"{pool['id']}/sessions"


# -- a sign-in -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Party:
    """Who signs in where."""

    pool: Pool
    client: Client
    user: PoolUser


@dataclass(frozen=True, slots=True)
class Authorized:
    """What a sign-in by managed login gives to the app: scopes, since when the person is signed in, and its nonce.

    `resource`: whom the access token is for, where the app says so.
    """

    scopes: tuple[str, ...]
    at: float
    nonce: str = ""
    resource: str = ""


async def sign_in(
    ctx: Context,
    party: Party,
    authorized: Authorized | None = None,
    device: Held | None = None,
    *,
    source: str = AUTHENTICATION,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The AuthenticationResult of somebody who has proven themselves; the token trigger is told its source.

    Raises:
        AwsError: that trigger refuses.
    """
    world, pool, client, user = ctx.world, party.pool, party.client, party.user
    await keys_of(world, pool)
    now = world.now()
    begun = SignIn(
        id=str(uuid.uuid4()),
        pool=pool["id"],
        sub=user["sub"],
        client=client["id"],
        origin=str(uuid.uuid4()),
        at=now,
        until=now + clients.lifetime(client["settings"], "RefreshToken"),
        turn=0,
        turned=now,
    )
    nonce = ""
    if authorized is not None:
        begun["scopes"], begun["at"], nonce = list(authorized.scopes), authorized.at, authorized.nonce
        source = HOSTED
        if authorized.resource:
            begun["resource"] = authorized.resource
    if device is not None:
        begun["device"] = device
    with world.unit(lock=True):
        for key, known in world.page_keys(SIGN_IN, f"{pool['id']}/{user['sub']}/"):
            if known["until"] <= now:
                world.take(SIGN_IN, key)
        _make_room(world, pool, user)
        world.add(SIGN_IN, _key(begun), begun)
    return {
        **await tokens(ctx, party, begun, nonce, source=source, metadata=metadata),
        "RefreshToken": refresh_token(world, begun),
    }


def _make_room(world: World, pool: Pool, user: PoolUser) -> None:
    """Where sessions are tracked, a new one ends those that were used longest ago."""
    setting = world.get(pools.SETTING, session_setting(pool))
    if setting is None or setting["UserSessionTracking"] != "ENABLED":
        return
    held = world.page_keys(SIGN_IN, f"{pool['id']}/{user['sub']}/")
    longest_ago = sorted(held, key=lambda pair: pair[1]["turned"])
    for key, _ in longest_ago[: max(0, len(held) - setting["TokenSession"]["MaxPerUser"] + 1)]:
        world.take(SIGN_IN, key)


async def tokens(
    ctx: Context,
    party: Party,
    begun: SignIn,
    nonce: str = "",
    *,
    source: str,
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Json]:
    """An ID and an access token of a sign-in; of managed login, the first only for the scope `openid`.

    Both are as the pool's trigger wants them. Raises AwsError: it refuses.
    """
    world = ctx.world
    signers, now = await keys_of(world, party.pool), int(world.now())
    both: dict[str, Any] = {
        "iss": pools.issuer_url(party.pool),
        "event_id": begun["id"],
        "auth_time": int(begun["at"]),
        "iat": now,
        **({"origin_jti": begun["origin"]} if clients.is_revocable(party.client) else {}),
    }
    groups = membership(groups_of(world, party.pool, party.user))
    occasion = Occasion(ctx, party.pool, party.client["id"])
    scopes = begun.get("scopes", [SCOPE])
    wanted = await claim_overrides.of(occasion, party.user, source, groups, scopes, metadata)
    groups = groups if wanted.groups is None else wanted.groups
    id_claims = {**_id_claims(party, groups, begun.get("scopes")), **both, "token_use": "id", "aud": party.client["id"]}
    access_claims: dict[str, Any] = {
        "sub": party.user["sub"],
        **({"cognito:groups": list(groups.groups)} if groups.groups else {}),
        **both,
        "client_id": party.client["id"],
        "token_use": "access",
        "scope": " ".join(scopes),
        "username": party.user["username"],
        **({"version": 2} if "scopes" in begun else {}),
        **({"device_key": begun["device"]["key"]} if "device" in begun else {}),
        **({"aud": begun["resource"]} if "resource" in begun else {}),
    }
    id_claims, access_claims = wanted.in_id(id_claims), wanted.in_access(access_claims)
    lifetime = clients.lifetime(party.client["settings"], "AccessToken")
    id_claims |= {"exp": now + clients.lifetime(party.client["settings"], "IdToken"), "jti": str(uuid.uuid4())}
    access_claims |= {"exp": now + lifetime, "jti": str(uuid.uuid4())}
    access_token = await asyncio.to_thread(keys.sign, signers["access"], ALGORITHM, access_claims, typ=None)
    result: dict[str, Any] = {"AccessToken": access_token, "ExpiresIn": lifetime, "TokenType": "Bearer"}
    if "scopes" in begun:
        if "openid" not in scopes:
            return result
        id_claims |= {"at_hash": _half_hash(access_token), **({"nonce": nonce} if nonce else {})}
    id_token = await asyncio.to_thread(keys.sign, signers["id"], ALGORITHM, id_claims, typ=None)
    return {**result, "IdToken": id_token}


def _half_hash(token: str) -> str:
    """`at_hash` of an access token (OpenID Connect Core, 3.1.3.6)."""
    digest = hashlib.sha256(token.encode()).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def _id_claims(party: Party, groups: Membership, scopes: list[str] | None) -> JsonObject:
    told: dict[str, Any] = {"sub": party.user["sub"]}
    for name, value in scoped(party, scopes).items():
        told[name] = _claim(name, value)
    if groups.groups:
        told["cognito:groups"] = list(groups.groups)
    if groups.roles:
        told["cognito:roles"] = list(groups.roles)
    if groups.preferred_role:
        told["cognito:preferred_role"] = groups.preferred_role
    return {**told, "cognito:username": party.user["username"], "sub": party.user["sub"]}


def scoped(party: Party, scopes: list[str] | None) -> dict[str, str]:
    """The attributes that an app is told: what it may read, and of that what its scopes are for.

    With `openid` alone, or `profile`, that is all (docs/aws/cognito.md, "Managed login").
    """
    told = attributes.readable(party.client, party.user["attributes"])
    if scopes is None or "profile" in scopes or not {"email", "phone"} & set(scopes):
        return told
    wanted = {"sub", "identities"}
    for scope, attribute in (("email", "email"), ("phone", "phone_number")):
        wanted |= {attribute, f"{attribute}_verified"} if scope in scopes else set()
    return {name: value for name, value in told.items() if name in wanted}


def _claim(name: str, value: str) -> Json:
    if name == "identities":  # texts, where the attribute has other types (docs/aws/cognito.md, "Federation")
        return [
            {
                key: member if member is None or isinstance(member, str) else json.dumps(member)
                for key, member in identity.items()
            }
            for identity in json.loads(value)
        ]
    if name in ("email_verified", "phone_number_verified"):
        return value.lower() == "true"
    return {"formatted": value} if name == "address" else value


def groups_of(world: World, pool: Pool, user: PoolUser) -> list[PoolGroup]:
    """A user's groups, the most important first: the lowest precedence, and those without one last."""
    stored = [world.get(GROUP, f"{pool['id']}/{name}") for name in user["groups"]]
    groups = [group for group in stored if group is not None]
    return sorted(groups, key=lambda group: (group["precedence"] is None, group["precedence"] or 0, group["name"]))


def membership(groups: list[PoolGroup]) -> Membership:
    """What tokens tell of groups."""
    roles = dict.fromkeys(group["role"] for group in groups if group["role"])
    return Membership(tuple(group["name"] for group in groups), tuple(roles), _preferred_role(groups))


def _preferred_role(groups: list[PoolGroup]) -> str:
    """The role of the best precedence; none where two groups with other roles share it.

    Source: docs/aws/cognito.md, "Tokens".
    """
    if not groups:
        return ""
    best = {group["role"] for group in groups if group["precedence"] == groups[0]["precedence"]}
    return best.pop() if len(best) == 1 else ""


# -- refresh tokens --------------------------------------------------------------------------------------------------


def refresh_token(world: World, begun: SignIn) -> str:
    """Five parts, as AWS's, which clients must not read."""
    body = [_key(begun), begun["client"], begun["turn"], begun["until"]]
    sealed = seal(world, _REFRESH, json.dumps(body).encode())
    return ".".join((_REFRESH_HEAD, sealed[:8], sealed[8:16], sealed[16:-22], sealed[-22:]))


def read_refresh_token(world: World, text: str, client: Client) -> tuple[str, int]:
    """The key of its sign-in, and its turn. Raises AwsError: NotAuthorizedException."""
    head, _, rest = text[:LONGEST].partition(".")
    parts = rest.split(".")
    canonical = [len(part) for part in parts[:2]] == [8, 8] and len(parts[-1]) == 22  # noqa: PLR2004 - see above
    sealed = unseal(world, _REFRESH, "".join(parts)) if canonical and len(parts) == 4 else None  # noqa: PLR2004 - see above
    if sealed is None or head != _REFRESH_HEAD:
        raise not_authorized("Invalid Refresh Token")
    key, owner, turn, until = json.loads(sealed)
    if owner != client["id"]:
        raise not_authorized("Invalid Refresh Token")
    if until <= world.now():
        raise not_authorized("Refresh Token has expired")
    return key, turn


def _key(begun: SignIn) -> str:
    return f"{begun['pool']}/{begun['sub']}/{begun['id']}"


# -- access tokens, when they come back ------------------------------------------------------------------------------


def sign_out_everywhere(world: World, pool: Pool, user: PoolUser) -> None:
    """End what sign-ins of a user there are; one that comes later, be it in the same second, is not among them."""
    for key, _ in world.page_keys(SIGN_IN, f"{pool['id']}/{user['sub']}/"):
        world.take(SIGN_IN, key)


def bearer(world: World, access_token: str, scope: str = SCOPE) -> tuple[Party, str]:
    """Whom an access token of ours stands for, and the key of its sign-in; what it says is read once it is verified.

    Raises:
        AwsError: NotAuthorizedException: no access token, forged, expired or revoked; UserNotFoundException.
    """
    claims = _verified(world, access_token, scope)
    pool, client = world.get(POOL, claims["pool"]), world.get(CLIENT, claims["client_id"])
    user = world.find(USER, f"{claims['pool']}/{claims['sub']}")
    if claims["exp"] <= world.now():
        raise not_authorized("Access Token has expired")
    key = f"{claims['pool']}/{claims['sub']}/{claims.get('event_id', '')}"
    if pool is None or client is None or user is None or world.get(SIGN_IN, key) is None:
        raise not_authorized("Access Token has been revoked")
    if not user["enabled"]:
        raise not_authorized("User is disabled.")
    return Party(pool, client, user), key


def _verified(world: World, text: str, scope: str) -> Mapping[str, Any]:
    import jwt

    forged = not_authorized("Could not verify signature for Access Token")
    if len(text) > LONGEST:
        raise not_authorized("Invalid Access Token")
    try:
        kid = jwt.get_unverified_header(text).get("kid")  # says which key to try, and nothing else is believed of it
    except jwt.PyJWTError:
        raise forged from None
    stored = world.find(KEYS, kid) if isinstance(kid, str) else None
    if stored is None:  # no access token of this world: an ID token has another key
        raise not_authorized("Invalid Access Token")
    claims = required(proven(text, stored["access"]), forged)
    if claims.get("token_use") != "access" or scope not in claims.get("scope", "").split():
        raise not_authorized("Access Token does not have required scopes")
    return {**claims, "pool": stored["pool"]}


def proven(text: str, key: keys.Key) -> dict[str, Any] | None:
    """The claims of a token that a key has signed, whenever and for whomever that was; None for any other."""
    import jwt

    try:
        claims: dict[str, Any] = jwt.decode(
            text,
            jwt.PyJWK(key["public"]).key,
            algorithms=[ALGORITHM],
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
        )
    except jwt.PyJWTError:
        return None
    return claims
