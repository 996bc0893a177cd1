"""Token exchange (GetDerivedToken): a user's token for another one, of another client, for another service.

Source: botocore's model (GetDerivedToken), RFC 8693. What it leaves open is read strictly: an issued token is good no
longer than its subject's, ends with the same sign-in, and has no scope that the requesting client is not allowed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp import keys
from sts_emulator.idp.user_pools import clients, pools, tokens
from sts_emulator.idp.user_pools.kinds import (
    CLIENT,
    USER,
    Client,
    Pool,
    PoolUser,
    client_of,
    invalid,
    not_authorized,
    not_found,
    pool_of,
    unsupported,
)
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

ACCESS: Final = "ACCESS_TOKEN"
ID: Final = "ID_TOKEN"
_DEEPEST: Final = 8  # actors of actors; AWS publishes no number, this one is ours


@operation("cognito-idp", "GetDerivedToken")
async def get_derived_token(
    ctx: Context,
    *,
    ClientId: str,
    SubjectToken: str,
    SubjectTokenType: str,
    ClientSecret: str | None = None,
    SubjectTokenProviderName: str = "",
    ActorToken: str | None = None,
    ActorTokenType: str = "",
    ActorTokenProviderName: str = "",
    Scopes: Iterable[str] | None = None,
    Audiences: Iterable[str] | None = None,
    Resources: Iterable[str] | None = None,
    RequestedTokenType: str = ACCESS,
) -> Result:
    """A token for whom the subject's token stands for; with an actor's, it says who acts for them."""
    world, client = ctx.world, client_of(ctx.world, ClientId)
    clients.check_secret(client, ClientSecret)
    pool = pool_of(world, client)
    _check_allowed(pool, client, has_actor=ActorToken is not None)
    if SubjectTokenProviderName or ActorTokenProviderName or "SAML2" in (SubjectTokenType, ActorTokenType):
        raise unsupported("tokens and assertions of other identity providers in an exchange")
    if ActorToken is not None and not ActorTokenType:
        raise invalid("Missing required parameter ActorTokenType")
    if Audiences and Resources:
        raise invalid("Audiences and Resources cannot be requested together.")
    subject = _verified(world, pool, SubjectToken, SubjectTokenType)
    user = _user(world, pool, subject)
    actor = None if ActorToken is None else _verified(world, pool, ActorToken, ActorTokenType)
    scopes = _scopes(client, subject, Scopes)
    claims = {
        **_for(world, pool, client, user, subject),
        **_audience(world, pool, client, RequestedTokenType, list(Audiences or ()), list(Resources or ())),
        **_acting(subject, actor),
    }
    if RequestedTokenType == ACCESS:
        claims |= {"client_id": client["id"], "username": user["username"]}
        claims |= {"scope": " ".join(scopes)} if scopes else {}
    else:
        claims |= {"cognito:username": user["username"]}
    signers = await tokens.keys_of(world, pool)
    signer = signers["access" if RequestedTokenType == ACCESS else "id"]
    issued = await asyncio.to_thread(keys.sign, signer, tokens.ALGORITHM, claims, typ=None)
    return {
        "IssuedToken": issued,
        "IssuedTokenType": RequestedTokenType,
        "TokenType": "Bearer" if RequestedTokenType == ACCESS else "N_A",
        "ExpiresIn": claims["exp"] - claims["iat"],
        **({"Scopes": scopes} if scopes and RequestedTokenType == ACCESS else {}),
    }


def _check_allowed(pool: Pool, client: Client, *, has_actor: bool) -> None:
    if pool["settings"].get("UserPoolTier") == "LITE":
        raise AwsError("OperationNotEnabledException", "Token exchange is not available in the tier LITE.")
    flow = "ALLOW_TOKEN_EXCHANGE_DELEGATION" if has_actor else "ALLOW_TOKEN_EXCHANGE_IMPERSONATION"
    if flow not in (client["settings"].get("ExplicitAuthFlows") or ()):
        raise not_authorized(f"{flow.removeprefix('ALLOW_')} is not enabled for this client.")


def _verified(world: World, pool: Pool, text: str, kind: str) -> Mapping[str, Any]:
    """The claims of a token of this pool that is still good. Raises AwsError: NotAuthorizedException."""
    stored = world.get(tokens.KEYS, pool["id"])
    if stored is None or len(text) > tokens.LONGEST:
        raise not_authorized("Invalid token.")
    use, key = ("access", stored["access"]) if kind == ACCESS else ("id", stored["id"])
    claims = required(tokens.proven(text, key), not_authorized("Could not verify signature for token."))
    if claims.get("token_use") != use or claims.get("iss") != pools.issuer_url(pool):
        raise not_authorized("Invalid token.")
    if claims["exp"] <= world.now():
        raise not_authorized("Token has expired")
    # Whom an ID token was given to: its audience, or who derived it for another.
    client = claims["client_id"] if kind == ACCESS else str(claims.get("azp") or claims["aud"])
    if world.get(CLIENT, client) is None:
        raise not_authorized("Token has been revoked")
    sign_in = f"{pool['id']}/{claims['sub']}/{claims.get('event_id')}"
    if "event_id" in claims and world.get(tokens.SIGN_IN, sign_in) is None:
        raise not_authorized("Token has been revoked")
    return claims


def _user(world: World, pool: Pool, subject: Mapping[str, object]) -> PoolUser:
    """The user of the subject's token: what a client has for itself stands for nobody."""
    user = world.find(USER, f"{pool['id']}/{subject['sub']}")
    if user is None or "event_id" not in subject:
        raise not_authorized("The subject token is not a user's.")
    if not user["enabled"]:
        raise not_authorized("User is disabled.")
    return user


def _scopes(client: Client, subject: Mapping[str, Any], requested: Iterable[str] | None) -> list[str]:
    held = subject.get("scope", "").split()
    allowed = client["settings"].get("AllowedOAuthScopes") or ()
    wanted = held if requested is None else list(dict.fromkeys(requested))
    scopes = [scope for scope in wanted if scope in held and scope in allowed]
    if requested is not None and not scopes:
        raise not_authorized("None of the requested scopes is allowed.")
    return scopes


def _for(world: World, pool: Pool, client: Client, user: PoolUser, subject: Mapping[str, Any]) -> dict[str, Any]:
    now = int(world.now())
    inherited = {name: subject[name] for name in ("event_id", "origin_jti", "auth_time") if name in subject}
    groups = [group["name"] for group in tokens.groups_of(world, pool, user)]
    return {
        "sub": user["sub"],
        **({"cognito:groups": groups} if groups else {}),
        **inherited,
        "iss": pools.issuer_url(pool),
        "iat": now,
        "exp": min(subject["exp"], now + clients.lifetime(client["settings"], "AccessToken")),
        "jti": str(uuid.uuid4()),
    }


def _audience(
    world: World, pool: Pool, client: Client, kind: str, audiences: list[str], resources: list[str]
) -> dict[str, Any]:
    """For whom the token is. An ID token that names others says in `azp` who asked for it."""
    for resource in resources:
        if world.get(pools.RESOURCE_SERVER, f"{pool['id']}/{resource}") is None:
            raise not_found(f"Resource server {resource} does not exist.")
    if any(world.get(CLIENT, audience) is not None for audience in audiences):
        raise invalid("An app client cannot be an audience.")  # or whoever takes its tokens would take this one
    named: Any = audiences or resources
    if kind == ID:
        named = named or [client["id"]]
    told = {"aud": named[0] if len(named) == 1 else named} if named else {}
    use = {"token_use": "access" if kind == ACCESS else "id"}
    return {**use, **told, **({"azp": client["id"]} if kind == ID else {})}


def _acting(subject: Mapping[str, Any], actor: Mapping[str, Any] | None) -> dict[str, Any]:
    """`act` (RFC 8693, 4.1): who acts, and inside it who acted before."""
    before = subject.get("act")
    if actor is None:
        return {} if before is None else {"act": before}
    depth, level = 1, before
    while level is not None:
        depth, level = depth + 1, level.get("act")
    if depth > _DEEPEST:
        raise invalid("Too many actors.")
    return {"act": {"sub": actor["sub"], **({} if before is None else {"act": before})}}
