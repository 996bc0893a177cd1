"""What a learner has done so far: kept in their world, so that terminal, browser and another server see the same."""

from __future__ import annotations

from typing import Final, TypedDict

from sts_emulator.core.store import Kind
from sts_emulator.core.world import World


class Guess(TypedDict):
    """What somebody predicted of a step, and when."""

    answer: str
    layer: str
    at: float


class Progress(TypedDict):
    """One lab of a learner: the ids of its accounts, and how far they are. Times are the world's; 0 is not yet."""

    lab: str
    values: dict[str, str]
    started: float
    hints: int
    guesses: dict[str, Guess]
    passed: dict[str, float]
    tried: int  # how often it was checked
    complaint: str  # what the last check said first
    solved: float
    shown: bool  # a solution was


class Bench(TypedDict):
    """Which lab a world is set up for."""

    lab: str


PROGRESS: Final[Kind[Progress]] = Kind("lab-progress")
"""Keyed by the lab's name."""

BENCH: Final[Kind[Bench]] = Kind("lab-bench")
ON_IT: Final = "now"
"""The key of the only document of that kind."""


def current(world: World) -> str:
    """The lab that a world is set up for, or ""."""
    bench = world.get(BENCH, ON_IT)
    return bench["lab"] if bench else ""


def all_of(world: World) -> dict[str, Progress]:
    """Progress by lab."""
    return {progress["lab"]: progress for progress in world.page(PROGRESS)}


def begun(lab: str, values: dict[str, str], at: float) -> Progress:
    """A lab that begins."""
    return {
        "lab": lab,
        "values": values,
        "started": at,
        "hints": 0,
        "guesses": {},
        "passed": {},
        "tried": 0,
        "complaint": "",
        "solved": 0.0,
        "shown": False,
    }
