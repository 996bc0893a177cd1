"""Authenticator apps of a pool's users: paired, preferred, and their codes, each good once."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.accounts.people import STEP, code_of_step, new_seed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import challenges, tokens
from sts_emulator.idp.user_pools.kinds import (
    CLIENT,
    Pool,
    PoolUser,
    Token,
    change_user,
    find_user,
    invalid,
    not_authorized,
    pool_of,
    reach,
    unsupported,
    user_of,
)
from sts_emulator.idp.user_pools.pools import has_software_tokens, mfa_of
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import operation

SOFTWARE_TOKEN: Final = "SOFTWARE_TOKEN_MFA"  # noqa: S105 - the name of a challenge
SETUP: Final = "MFA_SETUP"
WINDOW: Final = 1
"""Steps of thirty seconds that an app's clock may be off either way. AWS publishes no number; this one is ours."""

_UNPAIRED = "pending-seed"  # member of a challenge's data
_PAIRED = "paired"


@operation("cognito-idp", "AssociateSoftwareToken")
async def associate_software_token(
    ctx: Context, *, AccessToken: str | None = None, Session: str | None = None
) -> Mapping[str, Any]:
    """A secret for an authenticator app, which counts once `VerifySoftwareToken` has proven it."""
    world, seed = ctx.world, new_seed()
    if AccessToken:
        party, _ = tokens.bearer(world, AccessToken)
        _check_kind(party.pool)
        pending = Token(seed=seed, used=[], verified=False, enabled=False, preferred=False)
        with world.unit(lock=True):
            known = party.user.get("token")
            if known is not None and known["verified"]:  # the old one stays until the new one is proven
                change_user(world, party.pool, party.user, token={**known, "next": seed})
            else:
                change_user(world, party.pool, party.user, token=pending)
        return {"SecretCode": seed}
    with world.unit(lock=True):
        challenge, _ = _setup(world, Session)
        data = {**challenge["data"], _UNPAIRED: seed}
        following = challenges.ask(world, world_client(world, challenge), SETUP, challenge["username"], data)
    return {"SecretCode": seed, "Session": challenges.session_of(following)}


@operation("cognito-idp", "VerifySoftwareToken")
async def verify_software_token(
    ctx: Context, *, UserCode: str, AccessToken: str | None = None, Session: str | None = None, **_: Any
) -> Mapping[str, Any]:
    """Prove that the app has the secret."""
    world = ctx.world
    if AccessToken:
        party, _key = tokens.bearer(world, AccessToken)
        token = party.user.get("token")
        if token is None:
            raise AwsError("SoftwareTokenMFANotFoundException", "Software token MFA not found for the user.")
        seed = str(token.get("next") or token["seed"])
        step = _proven(world, seed, UserCode)
        paired = Token(seed=seed, used=[step], verified=True, enabled=token["enabled"], preferred=token["preferred"])
        with world.unit(lock=True):
            change_user(world, party.pool, party.user, token=paired)
        return {"Status": "SUCCESS"}
    with world.unit(lock=True):
        challenge, _user = _setup(world, Session)
        try:
            step = _proven(world, challenge["data"].get(_UNPAIRED, ""), UserCode)
        except AwsError as wrong:
            challenges.give_back(world, challenge)
            refusal: AwsError | None = wrong
        else:
            refusal = None
            data = {**challenge["data"], _PAIRED: step}
            following = challenges.ask(world, world_client(world, challenge), SETUP, challenge["username"], data)
    if refusal is not None:  # outside the unit: what was used up stays used up
        raise refusal
    return {"Status": "SUCCESS", "Session": challenges.session_of(following)}


@operation("cognito-idp", "SetUserMFAPreference")
def set_user_mfa_preference(
    ctx: Context,
    *,
    AccessToken: str,
    SoftwareTokenMfaSettings: Mapping[str, Any] | None = None,
    **others: Any,
) -> Mapping[str, Any]:
    """Switch the app on or off, by the user."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    _prefer(ctx.world, party.pool, party.user, SoftwareTokenMfaSettings, others)
    return {}


@operation("cognito-idp", "AdminSetUserMFAPreference")
def admin_set_user_mfa_preference(
    ctx: Context,
    *,
    UserPoolId: str,
    Username: str,
    SoftwareTokenMfaSettings: Mapping[str, Any] | None = None,
    **others: Any,
) -> Mapping[str, Any]:
    """The same by an administrator."""
    pool = reach(ctx, UserPoolId)
    _prefer(ctx.world, pool, user_of(ctx.world, pool, Username), SoftwareTokenMfaSettings, others)
    return {}


def wanted_of(pool: Pool, user: PoolUser) -> str:
    """The challenge that a user's second factor is, `MFA_SETUP` where they have yet to pair one, or nothing."""
    if mfa_of(pool) == "OFF":
        return ""
    token = user.get("token")
    if token is not None and token["verified"] and (token["enabled"] or mfa_of(pool) == "ON"):
        return SOFTWARE_TOKEN
    return SETUP if mfa_of(pool) == "ON" else ""


def use_code(world: World, pool: Pool, user: PoolUser, code: str) -> PoolUser:
    """Use up a code of the user's app.

    Raises:
        AwsError: CodeMismatchException; ExpiredCodeException: it was used before.
    """
    token = user.get("token")
    step = _step(world, token["seed"], code) if token is not None else None
    if token is None or step is None:
        raise AwsError("CodeMismatchException", "Invalid code received for user")
    if step in token["used"]:
        raise AwsError("ExpiredCodeException", "Your software token has already been used once.")
    recent = [used for used in token["used"] if used >= step - 2 * WINDOW]
    return change_user(world, pool, user, token={**token, "used": [*recent, step]})


def pair(world: World, pool: Pool, user: PoolUser, data: Mapping[str, Any]) -> PoolUser:
    """What a finished MFA_SETUP leaves behind. Raises AwsError: NotAuthorizedException where it is not finished."""
    if _PAIRED not in data:
        raise not_authorized(challenges.OVER)
    token = Token(seed=data[_UNPAIRED], used=[data[_PAIRED]], verified=True, enabled=True, preferred=True)
    return change_user(world, pool, user, token=token)


def shown(user: PoolUser) -> dict[str, Any]:
    """The members of results that tell a user's factors."""
    token = user.get("token")
    told: dict[str, Any] = {}
    if token is not None and token["preferred"]:
        told["PreferredMfaSetting"] = SOFTWARE_TOKEN
    if token is not None and token["enabled"]:
        told["UserMFASettingList"] = [SOFTWARE_TOKEN]
    return told


def world_client(world: World, challenge: challenges.Challenge) -> Any:
    client = world.get(CLIENT, challenge["client"])
    if client is None:
        raise not_authorized(challenges.OVER)
    return client


def _setup(world: World, session: str | None) -> tuple[challenges.Challenge, PoolUser]:
    """Take the MFA_SETUP challenge of a session, and see that its user is still there."""
    if not session:
        raise invalid("Missing required parameter: AccessToken or Session")
    challenge = challenges.take(world, session, None, SETUP)
    pool = pool_of(world, world_client(world, challenge))
    _check_kind(pool)
    user = find_user(world, pool, challenge["username"])
    if user is None:
        raise not_authorized(challenges.OVER)
    return challenge, user


def _check_kind(pool: Pool) -> None:
    if not has_software_tokens(pool):
        raise AwsError("SoftwareTokenMFANotFoundException", "Software Token MFA has not been enabled by the userPool")


def _prefer(
    world: World, pool: Pool, user: PoolUser, settings: Mapping[str, Any] | None, others: Mapping[str, Any]
) -> None:
    for name, value in others.items():
        if value and (value.get("Enabled") or value.get("PreferredMfa")):
            raise unsupported(name)
    if settings is None:
        return
    token = user.get("token")
    is_enabled, is_preferred = bool(settings.get("Enabled")), bool(settings.get("PreferredMfa"))
    if is_preferred and not is_enabled:
        raise invalid("Preferred MFA is not enabled for the user")
    if token is None or not token["verified"]:
        if is_enabled:
            raise invalid("User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA")
        return
    change_user(world, pool, user, token={**token, "enabled": is_enabled, "preferred": is_preferred})


def _proven(world: World, seed: str, code: str) -> int:
    step = _step(world, seed, code) if seed else None
    if step is None:
        raise AwsError("EnableSoftwareTokenMFAException", "Code mismatch")
    return step


def _step(world: World, seed: str, code: str) -> int | None:
    now = int(world.now() // STEP)
    steps = range(now - WINDOW, now + WINDOW + 1)
    return next((step for step in steps if hmac.compare_digest(code_of_step(seed, step).encode(), code.encode())), None)
