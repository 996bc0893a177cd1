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

SIGNED_UP: Final = "SIGNED_UP"
CONFIRMED: Final = "SIGN_UP_CONFIRMED"


def session(world: World, pool: Pool, client: Client, user: PoolUser, attribute: str, step: str) -> dict[str, str]:
    """The Session that a step tells, where the address that its code goes or went to can be a first factor."""
    allowed = pools.first_factors(pool["settings"])
    factors = [factor for factor, address in one_time_codes.ADDRESSES.items() if address == attribute]
    if not set(factors) & set(allowed) or not clients.allows(client, "ALLOW_USER_AUTH"):
        return {}
    waiting = challenges.ask(world, client, step, user["username"], {"sub": user["sub"]})
    return {"Session": challenges.session_of(waiting)}


def take(world: World, session: str, client: Client, user: PoolUser, step: str) -> challenges.Challenge:
    """The sign-up that a session of a step is of. Raises AwsError: NotAuthorizedException."""
    challenge = challenges.take(world, session, client, step)
    if challenge["data"]["sub"] != user["sub"]:
        raise not_authorized(challenges.OVER)
    return challenge


async def begin(attempt: Attempt, user: PoolUser | None, session: str) -> Result:
    """What follows: tokens, or the next challenge. Raises AwsError: NotAuthorizedException."""
    world, pool = attempt.world, attempt.pool
    if user is None:
        raise not_authorized(challenges.OVER)
    take(world, session, attempt.client, user, CONFIRMED)
    if world.page_keys(tokens.SIGN_IN, f"{pool['id']}/{user['sub']}/", limit=1):  # the first sign-in alone
        raise not_authorized(challenges.OVER)
    return await progress.proven(attempt, user)
