"""Sign-in by the password itself, where the pool's client lets that through."""

from __future__ import annotations

import asyncio

from sts_emulator.idp.user_pools import attempts, passwords, progress
from sts_emulator.idp.user_pools.kinds import PoolUser, find_user, not_authorized
from sts_emulator.idp.user_pools.progress import Attempt, Strings
from sts_emulator.wire.dispatch import Result


async def begin(attempt: Attempt, user: PoolUser | None, username: str, given: Strings) -> Result:
    """What follows the right password. Raises AwsError: NotAuthorizedException."""
    world, pool, password = attempt.world, attempt.pool, progress.demanded(given, "PASSWORD")
    name = user["username"] if user else username
    attempts.check(world, pool, name)
    progress.check_confirmed(user)
    progress.check_has_password(attempt, user)
    known = user or passwords.nobody(world, pool, username)
    is_right = await asyncio.to_thread(passwords.is_password, pool, known, password[:512])
    world.refresh()
    user = find_user(world, pool, name) if user else None
    if user is None or not is_right or user["verifier"] != known["verifier"]:
        attempts.failed(world, pool, name)
        raise not_authorized()
    return await progress.proven(attempt, user)
