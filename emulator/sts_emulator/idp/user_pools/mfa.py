"""Second factors of a pool's users: authenticator apps, each code good once, and codes that are sent; as preferred."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.accounts.people import STEP, code_of_step, new_seed
from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import challenges, tokens
from sts_emulator.idp.user_pools.kinds import (
    CLIENT,
    Client,
    Pool,
    PoolUser,
    Preference,
    Token,
    change_user,
    find_user,
    invalid,
    not_authorized,
    pool_of,
    reach_user,
)
from sts_emulator.idp.user_pools.pools import has_software_tokens, mfa_of, passkeys_are_enough
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

SOFTWARE_TOKEN: Final = "SOFTWARE_TOKEN_MFA"  # noqa: S105 - the name of a challenge
SETUP: Final = "MFA_SETUP"
SELECT: Final = "SELECT_MFA_TYPE"
SMS: Final = "SMS_MFA"
EMAIL: Final = "EMAIL_OTP"
ADDRESSES: Final = {SMS: "phone_number", EMAIL: "email"}
_CONFIGURATIONS: Final = {SMS: "SmsMfaConfiguration", EMAIL: "EmailMfaConfiguration"}
_SETTINGS: Final = {
    "SMSMfaSettings": SMS,
    "EmailMfaSettings": EMAIL,
    "SoftwareTokenMfaSettings": SOFTWARE_TOKEN,
}
WINDOW: Final = 1
"""Steps of thirty seconds that an app's clock may be off either way. AWS publishes no number; this one is ours."""

_UNPAIRED = "pending-seed"  # member of a challenge's data
_PAIRED = "paired"


@operation("cognito-idp", "AssociateSoftwareToken")
async def associate_software_token(
    ctx: Context, *, AccessToken: str | None = None, Session: str | None = None
) -> Result:
    """A secret for an authenticator app, which counts once `VerifySoftwareToken` has proven it."""
    seed, session = begin_pairing(ctx.world, AccessToken, Session)
    return {"SecretCode": seed, **({"Session": session} if session else {})}


def begin_pairing(world: World, access_token: str | None, waiting: str | None) -> tuple[str, str]:
    """The secret, and the session that waits for its code where somebody pairs on the way in. Raises AwsError."""
    seed = new_seed()
    if access_token:
        with world.unit(lock=True):
            party, _ = tokens.bearer(world, access_token)
            _check_kind(party.pool)
            token = Token(seed=seed, used=[], verified=False, enabled=False, preferred=False)
            known = party.user.get("token")
            if known is not None and known["verified"]:  # the old one stays until the new one is proven
                token = {**known, "next": seed}
            change_user(world, party.pool, party.user, token=token)
        return seed, ""
    with world.unit(lock=True):
        challenge = _setup(world, waiting)
        data = {**challenge["data"], _UNPAIRED: seed}
        following = challenges.ask(world, _client_of(world, challenge), SETUP, challenge["username"], data)
    return seed, challenges.session_of(following)


@operation("cognito-idp", "VerifySoftwareToken")
async def verify_software_token(
    ctx: Context, *, UserCode: str, AccessToken: str | None = None, Session: str | None = None, **_: Any
) -> Result:
    """Prove that the app has the secret."""
    world = ctx.world
    if AccessToken:
        with world.unit(lock=True):
            party, _key = tokens.bearer(world, AccessToken)
            token = party.user.get("token")
            if token is None:
                raise AwsError("SoftwareTokenMFANotFoundException", "Software token MFA not found for the user.")
            seed = token.get("next") or token["seed"]
            step = required(_step(world, seed, UserCode), _mismatch())
            is_enabled, is_preferred = token["enabled"], token["preferred"]
            paired = Token(seed=seed, used=[step], verified=True, enabled=is_enabled, preferred=is_preferred)
            change_user(world, party.pool, party.user, token=paired)
        return {"Status": "SUCCESS"}
    with world.unit(lock=True):
        challenge = _setup(world, Session)
        proven = _step(world, challenge["data"].get(_UNPAIRED, ""), UserCode)
        if proven is None:
            challenges.give_back(world, challenge)
        else:
            data = {**challenge["data"], _PAIRED: proven}
            following = challenges.ask(world, _client_of(world, challenge), SETUP, challenge["username"], data)
    required(proven, _mismatch())  # outside the unit: what was used up stays used up
    return {"Status": "SUCCESS", "Session": challenges.session_of(following)}


@operation("cognito-idp", "SetUserMFAPreference")
def set_user_mfa_preference(ctx: Context, *, AccessToken: str, **settings: JsonObject | None) -> Result:
    """Switch factors on or off, by the user."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    _prefer(ctx.world, party.pool, party.user, settings)
    return {}


@operation("cognito-idp", "AdminSetUserMFAPreference")
def admin_set_user_mfa_preference(
    ctx: Context, *, UserPoolId: str, Username: str, **settings: JsonObject | None
) -> Result:
    _prefer(ctx.world, *reach_user(ctx, UserPoolId, Username), settings)
    return {}


def wanted_of(pool: Pool, user: PoolUser) -> str:
    """The challenge that a user's second factor is, `SELECT_MFA_TYPE` where it is one of several.

    `MFA_SETUP` where they have yet to pair one, or nothing where they need none.
    """
    choices = choices_of(pool, user)
    if not choices:
        return SETUP if mfa_of(pool) == "ON" else ""
    preferred = _preferred(user)
    if preferred in choices:
        return preferred
    return choices[0] if len(choices) == 1 else SELECT


def choices_of(pool: Pool, user: PoolUser) -> list[str]:
    """The second factors that a user can be asked for: those they have switched on.

    Where one is demanded and none is on: an app that they have paired, or else codes to verified addresses.
    """
    if mfa_of(pool) == "OFF":
        return []
    token, is_demanded = user.get("token"), mfa_of(pool) == "ON"
    wanted = [name for name in (SMS, EMAIL) if _reaches(pool, user, name) and _preference(user, name)["enabled"]]
    if token is not None and token["verified"] and (token["enabled"] or (is_demanded and not wanted)):
        wanted.append(SOFTWARE_TOKEN)
    if wanted or not is_demanded:
        return wanted
    verified = user["attributes"]
    return [
        name
        for name in (SMS, EMAIL)
        if _reaches(pool, user, name) and verified.get(f"{ADDRESSES[name]}_verified") == "true"
    ]


def kinds_of(pool: Pool) -> list[str]:
    return [name for name in (SMS, EMAIL) if _has(pool, name)] + [SOFTWARE_TOKEN] * has_software_tokens(pool)


def _has(pool: Pool, name: str) -> bool:
    return pool["settings"].get(_CONFIGURATIONS[name]) is not None


def _reaches(pool: Pool, user: PoolUser, name: str) -> bool:
    return _has(pool, name) and bool(user["attributes"].get(ADDRESSES[name]))


def _preference(user: PoolUser, name: str) -> Preference:
    return user.get("sent_codes", {}).get(name) or Preference(enabled=False, preferred=False)


def _preferred(user: PoolUser) -> str:
    token = user.get("token")
    if token is not None and token["preferred"]:
        return SOFTWARE_TOKEN
    return next((name for name in (SMS, EMAIL) if _preference(user, name)["preferred"]), "")


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


def shown(user: PoolUser) -> Result:
    """The members of results that tell a user's factors."""
    token = user.get("token")
    told: dict[str, Any] = {}
    if preferred := _preferred(user):
        told["PreferredMfaSetting"] = preferred
    enabled = [name for name in (SMS, EMAIL) if _preference(user, name)["enabled"]]
    enabled += [SOFTWARE_TOKEN] if token is not None and token["enabled"] else []
    return {**told, "UserMFASettingList": enabled} if enabled else told


def _client_of(world: World, challenge: challenges.Challenge) -> Client:
    return required(world.get(CLIENT, challenge["client"]), not_authorized(challenges.OVER))


def _setup(world: World, session: str | None) -> challenges.Challenge:
    """Take the MFA_SETUP challenge of a session, and see that its user is still there."""
    if not session:
        raise invalid("Missing required parameter: AccessToken or Session")
    challenge = challenges.take(world, session, None, SETUP)
    pool = pool_of(world, _client_of(world, challenge))
    _check_kind(pool)
    required(find_user(world, pool, challenge["username"]), not_authorized(challenges.OVER))
    return challenge


def _check_kind(pool: Pool) -> None:
    if not has_software_tokens(pool):
        raise AwsError("SoftwareTokenMFANotFoundException", "Software Token MFA has not been enabled by the userPool")


def _prefer(world: World, pool: Pool, user: PoolUser, settings: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Switch factors on or off; one at most is preferred, and the newest wish counts."""
    passkeys = settings.get("WebAuthnMfaSettings")  # a passkey is a factor wherever the pool says so
    if passkeys and passkeys.get("Enabled") and not passkeys_are_enough(pool["settings"]):
        raise invalid("Passkeys are no second factor of this user pool.")
    wishes = {
        _SETTINGS[name]: Preference(enabled=bool(wish.get("Enabled")), preferred=bool(wish.get("PreferredMfa")))
        for name, wish in settings.items()
        if wish is not None and name in _SETTINGS
    }
    preferred = [name for name, wish in wishes.items() if wish["preferred"]]
    if len(preferred) > 1:
        raise invalid("Only one MFA type can be preferred.")
    for name, wish in wishes.items():
        _check_wish(pool, user, name, wish)
    token, sent = user.get("token"), {**user.get("sent_codes", {}), **wishes}
    wanted = sent.pop(SOFTWARE_TOKEN, None)
    if preferred:
        sent = {name: {**wish, "preferred": name in preferred} for name, wish in sent.items()}
    changes: dict[str, Any] = {"sent_codes": sent} if sent else {}
    if token is not None and token["verified"]:
        is_preferred = SOFTWARE_TOKEN in preferred if preferred or wanted else token["preferred"]
        is_enabled = wanted["enabled"] if wanted else token["enabled"]
        changes["token"] = {**token, "enabled": is_enabled, "preferred": is_preferred}
    if changes:
        change_user(world, pool, user, **changes)


def _check_wish(pool: Pool, user: PoolUser, name: str, wish: Preference) -> None:
    if wish["preferred"] and not wish["enabled"]:
        raise invalid("Preferred MFA is not enabled for the user")
    token = user.get("token")
    can_be = (token is not None and token["verified"]) if name == SOFTWARE_TOKEN else _reaches(pool, user, name)
    if wish["enabled"] and not can_be:
        raise invalid(f"User does not have delivery config set to turn on {name}")


def _mismatch() -> AwsError:
    return AwsError("EnableSoftwareTokenMFAException", "Code mismatch")


def _step(world: World, seed: str, code: str) -> int | None:
    """The step whose code this is, of a seed if there is one."""
    if not seed:
        return None
    now = int(world.now() // STEP)
    steps = range(now - WINDOW, now + WINDOW + 1)
    return next((step for step in steps if hmac.compare_digest(code_of_step(seed, step).encode(), code.encode())), None)
