"""From a sign-up straight into a sign-in: the code that confirmed an address counts as the first factor of USER_AUTH.

Source: botocore's model (SignUp, ConfirmSignUp and InitiateAuth, Session); Amplify 6 gives ConfirmSignUp none, and
signs in with the one that it answers. AWS does not say which pools give a session; here it is those in which that code
could be a first factor anyway.
"""

from __future__ import annotations

from typing import Final

from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import challenges, clients, one_time_codes, pools, progress, tokens
from sts_emulator.idp.user_pools.kinds import Client, Pool, PoolUser, not_authorized
from sts_emulator.idp.user_pools.progress import Attempt
from sts_emulator.wire.dispatch import Result

_SIGNED_UP: Final = "SIGNED_UP"
_CONFIRMED: Final = "SIGN_UP_CONFIRMED"


def session_after_sign_up(world: World, pool: Pool, client: Client, user: PoolUser, attribute: str) -> dict[str, str]:
    """The Session that SignUp tells, where the address that the code went to can be a first factor."""
    return _session(world, pool, client, user, attribute, _SIGNED_UP)


def take(world: World, session: str, client: Client, user: PoolUser) -> challenges.Challenge:
    """The sign-up that a session of `session_after_sign_up` is of. Raises AwsError: NotAuthorizedException."""
    return _taken(world, session, client, user, _SIGNED_UP)


def session_after_confirmation(
    world: World, pool: Pool, client: Client, user: PoolUser, attribute: str
) -> dict[str, str]:
    """The Session that ConfirmSignUp tells, likewise."""
    return _session(world, pool, client, user, attribute, _CONFIRMED)


async def begin(attempt: Attempt, user: PoolUser | None, session: str) -> Result:
    """What follows: tokens, or the next challenge. Raises AwsError: NotAuthorizedException."""
    world, pool = attempt.world, attempt.pool
    if user is None:
        raise not_authorized(challenges.OVER)
    _taken(world, session, attempt.client, user, _CONFIRMED)
    if world.page_keys(tokens.SIGN_IN, f"{pool['id']}/{user['sub']}/", limit=1):  # the first sign-in alone
        raise not_authorized(challenges.OVER)
    return await progress.proven(attempt, user)


def _session(world: World, pool: Pool, client: Client, user: PoolUser, attribute: str, name: str) -> dict[str, str]:
    allowed = pools.first_factors(pool["settings"])
    factors = [factor for factor, address in one_time_codes.ADDRESSES.items() if address == attribute]
    if not set(factors) & set(allowed) or not clients.allows(client, "ALLOW_USER_AUTH"):
        return {}
    waiting = challenges.ask(world, client, name, user["username"], {"sub": user["sub"]})
    return {"Session": challenges.session_of(waiting)}


def _taken(world: World, session: str, client: Client, user: PoolUser, name: str) -> challenges.Challenge:
    challenge = challenges.take(world, session, client, name)
    if challenge["data"]["sub"] != user["sub"]:
        raise not_authorized(challenges.OVER)
    return challenge
