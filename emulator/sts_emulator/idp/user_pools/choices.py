"""USER_AUTH: a user chooses by what to begin, a password, a code or a passkey; one choice is one challenge.

Source: docs/aws/cognito.md, "Choices of sign-in". Whom the pool does not know is offered what others are, and fails
like them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sts_emulator.idp.user_pools import (
    attempts,
    challenges,
    codes,
    first_sign_in,
    mfa,
    one_time_codes,
    passkey_sign_in,
    password_sign_in,
    pools,
    progress,
    srp_sign_in,
)
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, invalid
from sts_emulator.idp.user_pools.progress import Attempt, Strings
from sts_emulator.wire.dispatch import Result

Begin = Callable[[Attempt, PoolUser | None, str, Strings], Awaitable[Result]]

SELECT: Final = "SELECT_CHALLENGE"
PASSWORD: Final = "PASSWORD"  # noqa: S105 - the name of a challenge
PASSWORD_SRP: Final = "PASSWORD_SRP"  # noqa: S105 - the name of a challenge
EMAIL: Final = "EMAIL_OTP"
SMS: Final = "SMS_OTP"


async def begin(attempt: Attempt, user: PoolUser | None, username: str, given: Strings) -> Result:
    """The choice that the app prefers, where it can be had, or a list of those that can."""
    attempts.check(attempt.world, attempt.pool, user["username"] if user else username)
    progress.check_confirmed(user)
    if attempt.session:
        return await first_sign_in.begin(attempt, user, attempt.session)
    offered = offers(attempt.pool, user)
    if given.get("PREFERRED_CHALLENGE") in offered:
        return await _choose(attempt, user, username, given["PREFERRED_CHALLENGE"], given)
    return {**_ask(attempt, user, username, SELECT, {}), "AvailableChallenges": offered}


async def select(attempt: Attempt, challenge: challenges.Challenge, user: PoolUser | None, given: Strings) -> Result:
    """The answer to SELECT_CHALLENGE, which may have that of the chosen one with it."""
    choice = progress.demanded(given, "ANSWER")
    if choice not in offers(attempt.pool, user):
        raise invalid("Invalid challenge selected.")
    return await _choose(attempt, user, challenge["username"], choice, given)


async def answer_password(
    attempt: Attempt, challenge: challenges.Challenge, user: PoolUser | None, given: Strings
) -> Result:
    """The password itself, or the first half of SRP's proof."""
    return await _BY_PASSWORD[challenge["name"]][1](attempt, user, challenge["username"], given)


async def answer_code(
    attempt: Attempt, challenge: challenges.Challenge, user: PoolUser | None, given: Strings
) -> Result:
    """The code of a challenge, of a first factor or of a second."""
    world, pool, name = attempt.world, attempt.pool, challenge["username"]
    attempts.check(world, pool, name)
    answer = progress.demanded(given, f"{challenge['name']}_CODE")
    try:
        one_time_codes.check(challenge["data"] if user else {}, answer[:64])
    except Exception:
        attempts.failed(world, pool, name)
        raise
    assert user is not None, "nobody's code is never right"
    return await progress.proven(attempt, user, has_second_factor=not challenge["data"]["first"])


def offers(pool: Pool, user: PoolUser | None) -> list[str]:
    """By what a user can begin; for nobody, by what they could."""
    allowed = pools.first_factors(pool["settings"])
    names = {"PASSWORD": (PASSWORD, PASSWORD_SRP)}
    listed = [name for factor in allowed for name in names.get(factor, (factor,))]
    return [name for name in listed if _is_offered(pool, user, name)]


def _is_offered(pool: Pool, user: PoolUser | None, name: str) -> bool:
    if user is None:
        return name in (PASSWORD, PASSWORD_SRP, EMAIL)
    if name in (PASSWORD, PASSWORD_SRP):
        return bool(user["verifier"])
    if name == passkey_sign_in.CHALLENGE:
        is_enough = pools.passkeys_are_enough(pool["settings"]) or not mfa.choices_of(pool, user)
        return is_enough and bool(passkey_sign_in.known(pool, user))
    attribute = one_time_codes.ADDRESSES[name]
    # A code is one factor: who has a second begins with the password (Cognito's guide, "Passwordless sign-in").
    is_verified = user["attributes"].get(f"{attribute}_verified") == "true"
    return bool(user["attributes"].get(attribute)) and is_verified and not mfa.choices_of(pool, user)


async def _choose(attempt: Attempt, user: PoolUser | None, username: str, choice: str, given: Strings) -> Result:
    member, begin_by = _BY_PASSWORD.get(choice, ("", None))
    if begin_by is not None and given.get(member):
        return await begin_by(attempt, user, username, given)
    if choice == passkey_sign_in.CHALLENGE and user is not None:
        if given.get("CREDENTIAL"):
            return await passkey_sign_in.answer(attempt, user, given)
        return passkey_sign_in.ask(attempt, user)
    if choice in (EMAIL, SMS):
        if user is None:
            where = codes.pretended(attempt.world, attempt.pool, username)
            return _ask(attempt, user, username, choice, one_time_codes.told(where))
        return await progress.ask_code(attempt, user, choice, is_first=True)
    return _ask(attempt, user, username, choice, {})


_BY_PASSWORD: Final[Mapping[str, tuple[str, Begin]]] = {
    PASSWORD: ("PASSWORD", password_sign_in.begin),
    PASSWORD_SRP: ("SRP_A", srp_sign_in.begin),
}


def _ask(attempt: Attempt, user: PoolUser | None, username: str, name: str, parameters: Mapping[str, str]) -> Result:
    called = user["username"] if user else username
    waiting = challenges.ask(attempt.world, attempt.client, name, called, {})
    return challenges.told(waiting, {"USERNAME": called, **parameters})
