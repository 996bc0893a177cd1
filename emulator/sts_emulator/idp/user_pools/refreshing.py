"""Refresh tokens in use: new tokens for old, in turn where the client rotates them; revoked, and signed out."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import clients, devices, progress, tokens
from sts_emulator.idp.user_pools.kinds import (
    USER,
    Client,
    Pool,
    PoolUser,
    client_of,
    invalid,
    not_authorized,
    pool_of,
    reach_user,
    unsupported,
)
from sts_emulator.idp.user_pools.pools import SETTING
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


async def by_flow(ctx: Context, pool: Pool, client: Client, given: Mapping[str, str]) -> JsonObject:
    """REFRESH_TOKEN_AUTH. Clients that rotate refresh by `GetTokensFromRefreshToken` only."""
    if clients.rotates(client) or not clients.allows(client, "ALLOW_REFRESH_TOKEN_AUTH"):
        raise invalid("REFRESH_TOKEN_AUTH flow not enabled for this client")
    token = progress.demanded(given, "REFRESH_TOKEN")
    if client["secret"]:
        _check_hash(ctx.world, client, token, given)
    result = await renew(ctx, pool, client, token, given.get("DEVICE_KEY", ""))
    return {"ChallengeParameters": {}, "AuthenticationResult": result}


@operation("cognito-idp", "GetTokensFromRefreshToken")
async def get_tokens_from_refresh_token(
    ctx: Context,
    *,
    RefreshToken: str,
    ClientId: str,
    ClientSecret: str | None = None,
    DeviceKey: str = "",
    ClientMetadata: Mapping[str, str] | None = None,
    **_: object,
) -> Result:
    """New tokens for a refresh token, and another refresh token where the client rotates them."""
    client = client_of(ctx.world, ClientId)
    clients.check_secret(client, ClientSecret)
    if not (clients.rotates(client) or clients.allows(client, "ALLOW_REFRESH_TOKEN_AUTH")):
        raise invalid("REFRESH_TOKEN_AUTH flow not enabled for this client")
    pool = pool_of(ctx.world, client)
    return {"AuthenticationResult": await renew(ctx, pool, client, RefreshToken, DeviceKey, ClientMetadata)}


@operation("cognito-idp", "RevokeToken")
def revoke_token(
    ctx: Context, *, Token: str, ClientId: str, ClientSecret: str | None = None, RevokeAssociatedSessions: str = "NONE"
) -> Result:
    """End one sign-in: its refresh token, and the access tokens that came of it."""
    if RevokeAssociatedSessions != "NONE":
        raise unsupported("RevokeAssociatedSessions (sessions of managed login)")
    client = client_of(ctx.world, ClientId)
    try:
        clients.check_secret(client, ClientSecret)
    except AwsError as refusal:
        raise AwsError("UnauthorizedException", refusal.message) from None
    if not clients.is_revocable(client):
        raise AwsError("UnsupportedOperationException", "Token revocation is not enabled for this client.")
    try:
        key, _turn = tokens.read_refresh_token(ctx.world, Token, client)
    except AwsError as refusal:
        if refusal.message == "Refresh Token has expired":
            return {}
        raise AwsError("UnsupportedTokenTypeException", "Unsupported token type") from None
    ctx.world.take(tokens.SIGN_IN, key)
    return {}


@operation("cognito-idp", "GlobalSignOut")
def global_sign_out(ctx: Context, *, AccessToken: str) -> Result:
    """End all sign-ins that the user has, by the user."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    tokens.sign_out_everywhere(ctx.world, party.pool, party.user)
    return {}


@operation("cognito-idp", "AdminUserGlobalSignOut")
def admin_user_global_sign_out(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    tokens.sign_out_everywhere(ctx.world, *reach_user(ctx, UserPoolId, Username))
    return {}


async def renew(
    ctx: Context, pool: Pool, client: Client, token: str, device: str = "", metadata: Mapping[str, str] | None = None
) -> dict[str, Json]:
    """New tokens for a refresh token, with the scopes that the sign-in had. Raises AwsError."""
    world = ctx.world
    key, turn = tokens.read_refresh_token(world, token, client)
    with world.unit(lock=True):
        begun = world.get(tokens.SIGN_IN, key)
        if begun is None:
            raise not_authorized("Refresh Token has been revoked")
        user = world.find(USER, f"{pool['id']}/{begun['sub']}")
        if user is None:
            raise not_authorized("Invalid Refresh Token")
        if not user["enabled"]:
            raise not_authorized("User is disabled.")
        _check_device(world, pool, user, begun, device)
        if clients.rotates(client):
            begun = _turned(world, client, key, begun, turn)
        elif world.get(SETTING, tokens.session_setting(pool)) is not None:
            begun = {**begun, "turned": world.now()}
            world.put(tokens.SIGN_IN, key, begun)
    party = tokens.Party(pool, client, user)
    result = await tokens.tokens(ctx, party, begun, source=tokens.REFRESH, metadata=metadata)
    if clients.rotates(client):
        result["RefreshToken"] = tokens.refresh_token(world, begun)
    return result


def _check_device(world: World, pool: Pool, user: PoolUser, begun: tokens.SignIn, given: str) -> None:
    """A token of a sign-in on a device is refreshed on that device only, which an app has confirmed.

    Source: docs/aws/cognito.md, "Devices".
    """
    held = begun.get("device")
    if held is None or not devices.tracks(pool):
        return
    if given != held["key"] or devices.find(world, pool, user, given) is None:
        raise not_authorized("Invalid Refresh Token")


def _turned(world: World, client: Client, key: str, begun: tokens.SignIn, turn: int) -> tokens.SignIn:
    """The sign-in one turn on; the token of the turn before is good for as long as the client says, for retries."""
    grace = client["settings"].get("RefreshTokenRotation", {}).get("RetryGracePeriodSeconds", 0)
    now = world.now()
    if turn == begun["turn"]:
        following: tokens.SignIn = {**begun, "turn": turn + 1, "turned": now}
        world.put(tokens.SIGN_IN, key, following)
        return following
    if turn == begun["turn"] - 1 and now < begun["turned"] + grace:
        return begun
    raise AwsError("RefreshTokenReuseException", "Refresh token reuse detected.")


def _check_hash(world: World, client: Client, token: str, given: Mapping[str, str]) -> None:
    """The hash is made with whatever the user is called; sub included, which is what Amplify sends."""
    key, _ = tokens.read_refresh_token(world, token, client)
    user = world.find(USER, "/".join(key.split("/")[:2]))
    names = [] if user is None else [user["username"], user["sub"], *user["attributes"].values()]
    for name in dict.fromkeys(names):
        try:
            clients.check_secret_hash(client, name, given.get("SECRET_HASH"))
        except AwsError as refusal:
            last = refusal
        else:
            return
    raise last if names else not_authorized("Invalid Refresh Token")
