"""Lock-out: after five wrong passwords a user waits a second, then twice as long each time, up to a quarter of an hour.

Source: docs/aws/cognito.md, "Sign-in to user pools". Counted in memory, like other wrong secrets, so that a refusal
writes nothing, for those who are there and those who are not.
"""

from __future__ import annotations

import hashlib
from typing import Final

from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import Pool, not_authorized

FREE: Final = 5
LONGEST: Final = 900
_KIND = "user-pool-attempts"
_SLOTS = 65_536  # names that strangers make up share these, or memory would be theirs


def check(world: World, pool: Pool, username: str) -> None:
    """Raises AwsError: NotAuthorizedException while the user waits."""
    _, until = world.touched(_KIND, _slot(pool, username)) or (0, 0.0)
    if world.now() < until:
        raise not_authorized("Password attempts exceeded")


def failed(world: World, pool: Pool, username: str) -> None:
    slot = _slot(pool, username)
    count = (world.touched(_KIND, slot) or (0, 0.0))[0] + 1
    wait = min(2 ** min(count - FREE, 30), LONGEST) if count >= FREE else 0
    world.touch(_KIND, slot, (count, world.now() + wait))


def succeeded(world: World, pool: Pool, username: str) -> None:
    slot = _slot(pool, username)
    if world.touched(_KIND, slot):
        world.touch(_KIND, slot, (0, 0.0))


def _slot(pool: Pool, username: str) -> str:
    digest = hashlib.sha256(f"{pool['id']}/{username}".encode()).digest()
    return str(int.from_bytes(digest[:8], "big") % _SLOTS)
