"""Sessions of a pool's users: listed and revoked one by one, where the pool tracks them.

Source: botocore's model (SetUserPoolSessionConfiguration, UserSessionType). Tracked are the sign-ins that gave tokens;
the session of a browser at managed login is its cookie, and is not listed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import tokens
from sts_emulator.idp.user_pools.kinds import (
    Pool,
    PoolUser,
    invalid,
    not_found,
    page,
    reach,
    reach_client,
    reach_user,
    unsupported,
)
from sts_emulator.idp.user_pools.pools import SETTING
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_PAGE: Final = 125
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_UNSET: Final[Mapping[str, Any]] = {"UserSessionTracking": "DISABLED", "TokenSession": {"MaxPerUser": 20}}


@operation("cognito-idp", "SetUserPoolSessionConfiguration")
def set_user_pool_session_configuration(
    ctx: Context, *, UserPoolId: str, UserSessionTracking: str, TokenSession: Mapping[str, int]
) -> Result:
    """Track sessions or do not, and how many a user may have: one more ends the one that was used longest ago."""
    pool = reach(ctx, UserPoolId)
    if pool["settings"].get("UserPoolTier") == "LITE":
        raise AwsError("FeatureUnavailableInTierException", "User session tracking is not available in the tier LITE.")
    wanted: Result = {"UserSessionTracking": UserSessionTracking, "TokenSession": dict(TokenSession)}
    ctx.world.put(SETTING, tokens.session_setting(pool), wanted)
    return {"UserPoolId": UserPoolId, **wanted}


@operation("cognito-idp", "GetUserPoolSessionConfiguration")
def get_user_pool_session_configuration(ctx: Context, *, UserPoolId: str) -> Result:
    """What is set, or AWS's defaults."""
    return {"UserPoolId": UserPoolId, **_configuration(ctx.world, reach(ctx, UserPoolId))}


@operation("cognito-idp", "GetUserPoolClientSessionConfiguration")
def get_user_pool_client_session_configuration(ctx: Context, *, UserPoolId: str, ClientId: str) -> Result:
    """How long a browser's session at managed login is used again: always AWS's default, an hour."""
    reach_client(ctx, UserPoolId, ClientId)
    return {"UserPoolId": UserPoolId, "ClientId": ClientId, "SSOSession": {"MaxValidityMinutes": 60}}


@operation("cognito-idp", "ListUserSessions")
def list_user_sessions(ctx: Context, *, AccessToken: str, NextToken: str | None = None) -> Result:
    """One's own sessions, and which of them asks."""
    party, current = tokens.bearer(ctx.world, AccessToken)
    return _listed(ctx, party.pool, party.user, NextToken, current)


@operation("cognito-idp", "AdminListUserSessions")
def admin_list_user_sessions(ctx: Context, *, UserPoolId: str, Username: str, NextToken: str | None = None) -> Result:
    return _listed(ctx, *reach_user(ctx, UserPoolId, Username), NextToken)


@operation("cognito-idp", "RevokeUserSession")
def revoke_user_session(
    ctx: Context, *, AccessToken: str, SessionId: str, RevokeAssociatedSessions: str = "NONE"
) -> Result:
    """End another session of one's own."""
    party, current = tokens.bearer(ctx.world, AccessToken)
    _revoke(ctx.world, party.pool, party.user, SessionId, RevokeAssociatedSessions, current)
    return {}


@operation("cognito-idp", "AdminRevokeUserSession")
def admin_revoke_user_session(
    ctx: Context, *, UserPoolId: str, Username: str, SessionId: str, RevokeAssociatedSessions: str = "NONE"
) -> Result:
    _revoke(ctx.world, *reach_user(ctx, UserPoolId, Username), SessionId, RevokeAssociatedSessions)
    return {}


def _configuration(world: World, pool: Pool) -> Result:
    return world.get(SETTING, tokens.session_setting(pool)) or _UNSET


def _check_tracked(world: World, pool: Pool) -> None:
    if _configuration(world, pool)["UserSessionTracking"] != "ENABLED":
        raise AwsError("OperationNotEnabledException", "User session tracking is not enabled for this user pool.")


def _sign_ins(world: World, pool: Pool, user: PoolUser) -> list[tuple[str, tokens.SignIn]]:
    pairs = world.page_keys(tokens.SIGN_IN, f"{pool['id']}/{user['sub']}/")
    return [(key, begun) for key, begun in pairs if begun["until"] > world.now()]


def _identifier(begun: tokens.SignIn) -> str:
    """`tkn` and 25 signs that are the sign-in's own."""
    number, signs = int.from_bytes(hashlib.sha256(begun["id"].encode()).digest(), "big"), ""
    for _ in range(25):
        number, digit = divmod(number, len(_DIGITS))
        signs += _DIGITS[digit]
    return f"tkn{signs}"


def _listed(ctx: Context, pool: Pool, user: PoolUser, token: str | None, current: str = "") -> Result:
    _check_tracked(ctx.world, pool)
    told = [
        {
            "SessionId": _identifier(begun),
            "SessionType": "TOKEN",
            "ClientId": begun["client"],
            "CreateDate": begun["at"],
            "LastActiveDate": begun["turned"],
            "IsCurrentSession": key == current,
        }
        for key, begun in _sign_ins(ctx.world, pool, user)
    ]
    return page(ctx, "Sessions", told, token, _PAGE)


def _revoke(world: World, pool: Pool, user: PoolUser, identifier: str, associated: str, current: str = "") -> None:
    _check_tracked(world, pool)
    if associated != "NONE":
        raise unsupported("RevokeAssociatedSessions (sessions of managed login)")
    key = next((key for key, begun in _sign_ins(world, pool, user) if _identifier(begun) == identifier), "")
    if not key:
        raise not_found("Session does not exist.")
    if key == current:
        raise invalid("The current session cannot be revoked.")
    world.take(tokens.SIGN_IN, key)
