"""A sign-in as far as it has come: what is demanded of who goes on, what is asked next, and the tokens at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import (
    attempts,
    attributes,
    challenges,
    clients,
    device_proof,
    devices,
    mfa,
    one_time_codes,
    tokens,
)
from sts_emulator.idp.user_pools.kinds import WRONG_PASSWORD, Client, Pool, PoolUser, find_user, invalid, not_authorized
from sts_emulator.idp.user_pools.triggers import firing
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result

Strings = Mapping[str, str]

NEW_PASSWORD: Final = "NEW_PASSWORD_REQUIRED"  # noqa: S105 - the name of a challenge
USER_ATTRIBUTE: Final = "userAttributes."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in.

    `on_page`: on a page of managed login, where no client proves itself by a hash, and tokens come later, for a code.
    `validation` is what the app told the triggers as it began, `metadata` what it tells them with an answer: AWS hands
    the first to triggers before a sign-in alone (docs/aws/cognito.md, "Triggers").
    """

    ctx: Context
    pool: Pool
    client: Client
    on_page: bool = False
    device: str = ""  # the key of one that this request names
    validation: Strings | None = None
    metadata: Strings | None = None
    session: str = ""  # of a sign-up that was just confirmed

    @property
    def world(self) -> World:
        return self.ctx.world

    @property
    def occasion(self) -> firing.Occasion:
        return firing.Occasion(self.ctx, self.pool, self.client["id"])


async def proven(
    attempt: Attempt, user: PoolUser, *, has_second_factor: bool = False, source: str = tokens.AUTHENTICATION
) -> Result:
    """The next challenge of a user who has proven a factor, or their tokens; `source` is told to the token trigger."""
    world, pool = attempt.world, attempt.pool
    check_able(user)
    if user["status"] == "FORCE_CHANGE_PASSWORD":
        if user.get("temporary_until", world.now() + 1) <= world.now():
            raise not_authorized("Temporary password has expired and must be reset by an administrator.")
        return ask(attempt, user, NEW_PASSWORD, _of_new_password(pool, user))
    device = devices.to_challenge(world, pool, user, attempt.device)
    is_enough = has_second_factor or (device is not None and devices.stands_in_for_codes(pool))
    factor = "" if is_enough else mfa.wanted_of(pool, user)
    if factor:
        return await ask_factor(attempt, user, factor)
    if device is not None:
        asked = ask(attempt, user, device_proof.SRP, {})
        devices.ask(world, pool, user, device["key"], str(asked["Session"]))
        return asked
    return await signed_in(attempt, user, source=source)


async def signed_in(attempt: Attempt, user: PoolUser, *, source: str = tokens.AUTHENTICATION) -> Result:
    """Tokens, and the keys of a new device where the pool tracks them."""
    world, pool = attempt.world, attempt.pool
    attempts.succeeded(world, pool, user["username"])
    request = {
        "userAttributes": firing.attributes_of(user),
        "newDeviceUsed": devices.tracks(pool) and devices.find(world, pool, user, attempt.device) is None,
        **firing.metadata(attempt.metadata),
    }
    source_of_event = "PostAuthentication_Authentication"
    if await firing.fire(attempt.occasion, source_of_event, user["username"], request, {}) is not None:
        user = again(attempt, user)
        check_able(user)
    if attempt.on_page:
        return {"UserSub": user["sub"]}
    held: tokens.Held | None = None
    told: Mapping[str, Any] = {}
    if devices.tracks(pool):
        with world.unit(lock=True):
            held, told = devices.for_sign_in(world, pool, user, attempt.device, attempt.ctx.source_ip)
    party = tokens.Party(pool, attempt.client, user)
    result = await tokens.sign_in(attempt.ctx, party, device=held, source=source, metadata=attempt.metadata)
    return {"ChallengeParameters": {}, "AuthenticationResult": {**result, **told}}


async def ask_factor(attempt: Attempt, user: PoolUser, factor: str) -> Result:
    """The challenge of a second factor; its code is on its way then, where one is sent."""
    if factor == mfa.SETUP:
        return ask(attempt, user, factor, {"MFAS_CAN_SETUP": json.dumps(mfa.kinds_of(attempt.pool))})
    if factor == mfa.SELECT:
        return ask(attempt, user, factor, {"MFAS_CAN_CHOOSE": json.dumps(mfa.choices_of(attempt.pool, user))})
    if factor in mfa.ADDRESSES:
        return await ask_code(attempt, user, factor, is_first=False)
    return ask(attempt, user, factor, {})


async def ask_code(attempt: Attempt, user: PoolUser, name: str, *, is_first: bool) -> Result:
    """A challenge whose code is on its way. Raises AwsError: the user waits; or see `fire`."""
    attempts.check(attempt.world, attempt.pool, user["username"])
    data, parameters = await one_time_codes.send(attempt.occasion, user, name, attempt.metadata, is_first=is_first)
    return ask(attempt, again(attempt, user), name, parameters, data)


def ask(
    attempt: Attempt, user: PoolUser, name: str, parameters: Strings, data: Mapping[str, Any] | None = None
) -> Result:
    """A challenge for a user; `data` is what its answer is checked with."""
    waiting = challenges.ask(attempt.world, attempt.client, name, user["username"], data or {})
    return challenges.told(waiting, {"USER_ID_FOR_SRP": user["username"], **parameters})


def _of_new_password(pool: Pool, user: PoolUser) -> dict[str, str]:
    missing = [f"{USER_ATTRIBUTE}{name}" for name in attributes.missing(pool, user["attributes"])]
    told = {name: value for name, value in user["attributes"].items() if name != "sub"}
    return {"requiredAttributes": json.dumps(missing), "userAttributes": json.dumps(told)}


def check_confirmed(user: PoolUser | None) -> None:
    """Before the password, as AWS does by design (docs/aws/cognito.md, "Sign-in to user pools")."""
    if user is not None and user["status"] == "UNCONFIRMED":
        raise AwsError("UserNotConfirmedException", "User is not confirmed.")


def check_has_password(attempt: Attempt, user: PoolUser | None) -> None:
    """Who was imported has none yet, and is told so where that may be told (Cognito's guide on imports)."""
    if user and not user["verifier"] and not clients.hides_users(attempt.client):
        _check_reset(user)


def check_able(user: PoolUser) -> None:
    """Who has no password, and proves themselves otherwise, has none to choose anew."""
    if not user["enabled"]:
        raise not_authorized("User is disabled.")
    if user["verifier"]:
        _check_reset(user)


def _check_reset(user: PoolUser) -> None:
    if user["status"] == "RESET_REQUIRED":
        raise AwsError("PasswordResetRequiredException", "Password reset required for the user")


def again(attempt: Attempt, user: PoolUser) -> PoolUser:
    """The user as they are now: others may have changed or deleted them meanwhile."""
    current = find_user(attempt.world, attempt.pool, user["username"])
    if current is None or current["sub"] != user["sub"]:
        raise not_authorized(WRONG_PASSWORD)
    return current


def demanded(given: Strings, name: str) -> str:
    value = given.get(name, "")
    if not value:
        raise invalid(f"Missing required parameter {name}")
    return value
