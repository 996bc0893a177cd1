"""The worlds of a class: `NAME-01`, `NAME-02` and so on, one for each learner. They are all that is kept of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

CLASS: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?")
"""What a class may be called: the beginning of a world's name."""

MOST: Final = 500
_SEAT: Final = re.compile(rf"({CLASS.pattern})-([0-9]{{2,3}})")


def seats(name: str, learners: int) -> list[str]:
    """The worlds of a class of that many."""
    return [f"{name}-{number:02}" for number in range(1, learners + 1)]


def classes(worlds: Iterable[str]) -> dict[str, list[str]]:
    """The classes among these worlds, each with its worlds in order."""
    numbered: dict[str, list[tuple[int, str]]] = {}
    for world in worlds:
        if seat := _SEAT.fullmatch(world):
            numbered.setdefault(seat[1], []).append((int(seat[2]), world))
    return {name: [world for _, world in sorted(places)] for name, places in sorted(numbered.items())}
