"""What is redeemed once and only until it expires: codes, refresh tokens, started sign-ins. One caller gets each.

Keys begin with the expiry, so that what is over is found first, and goes when something new comes.
"""

from __future__ import annotations

from typing import Final, TypedDict, TypeVar

from sts_emulator.accounts.documents import changed
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World

_SWEPT: Final = 50  # of a kind that are over and removed whenever one is added


class Kept(TypedDict):
    """What each has: a name that nobody can guess, or that is none of a secret, and an end."""

    name: str
    until: int


Shape = TypeVar("Shape", bound=Kept)


def keep(world: World, kind: Kind[Shape], kept: Shape) -> None:
    with world.unit(lock=True):  # pages keep things too, whom nobody would start again
        for key, _ in world.page_keys(kind, limit=_SWEPT):
            if int(key.partition("/")[0]) >= world.now():
                break
            world.take(kind, key)
        world.add(kind, _key(kept), kept, uid=kept["name"])


def spend(world: World, kind: Kind[Kept], name: str, until: int) -> bool:
    """Use a name up until its time is over; False for everybody but the first."""
    with world.unit(lock=True):
        if look(world, kind, name) is not None:
            return False
        keep(world, kind, Kept(name=name, until=until))
    return True


def look(world: World, kind: Kind[Shape], name: str) -> Shape | None:
    """What is kept under a name, though its time may be over; None when nothing is."""
    return world.find(kind, name)


def change(world: World, kind: Kind[Shape], name: str, **members: object) -> None:
    """Change members of what is kept under a name, which must be there."""
    kept = world.find(kind, name)
    assert kept is not None, "whoever changes it has looked"
    world.update(kind, _key(kept), changed(**members))


def take(world: World, kind: Kind[Shape], name: str) -> Shape | None:
    """Take it away; None for everybody but the first, and when its time is over."""
    kept = world.find(kind, name)
    taken = None if kept is None else world.take(kind, _key(kept))
    return taken if taken is not None and taken["until"] > world.now() else None


def _key(kept: Kept) -> str:
    return f"{kept['until']:012}/{kept['name']}"
