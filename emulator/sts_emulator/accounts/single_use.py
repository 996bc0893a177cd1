"""What is redeemed once and only until it expires: codes, refresh tokens, started sign-ins. One caller gets each.

Keys begin with the expiry, so that what is over is found first, and goes when something new comes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.json_types import Json

_SWEPT: Final = 50  # of a kind that are over and removed whenever one is added


def keep(world: World, kind: Kind[Any], name: str, until: int, body: Mapping[str, object]) -> None:
    """Keep something under a name that nobody can guess, or that is none of a secret."""
    with world.unit(lock=True):  # pages keep things too, whom nobody would start again
        for key, _ in world.page_keys(kind, limit=_SWEPT):
            if int(key.partition("/")[0]) >= world.now():
                break
            world.take(kind, key)
        world.add(kind, _key(until, name), {**body, "name": name, "until": until}, uid=name)


def spend(world: World, kind: Kind[Mapping[str, object]], name: str, until: int) -> bool:
    """Use a name up until its time is over; False for everybody but the first."""
    with world.unit(lock=True):
        if look(world, kind, name) is not None:
            return False
        keep(world, kind, name, until, {})
    return True


def look(world: World, kind: Kind[Mapping[str, object]], name: str) -> Any | None:
    """What is kept under a name, though its time may be over; None when nothing is."""
    return world.find(kind, name)


def change(world: World, kind: Kind[Any], name: str, **members: Json) -> None:
    """Change members of what is kept under a name, which must be there."""
    kept = world.find(kind, name)
    assert kept is not None, "whoever changes it has looked"
    world.update(kind, _key(kept["until"], name), lambda body: {**body, **members})


def take(world: World, kind: Kind[Any], name: str) -> Any | None:
    """Take it away; None for everybody but the first, and when its time is over."""
    kept = world.find(kind, name)
    taken = None if kept is None else world.take(kind, _key(kept["until"], name))
    return taken if taken is not None and taken["until"] > world.now() else None


def _key(until: int, name: str) -> str:
    return f"{until:012}/{name}"
