"""The expectations that a world keeps of the scenarios that it was seeded from, read again, and tried as things are.

They are kept as they are written, so that a scenario which is made of the world has them as they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import rehearse
from sts_emulator.scenario.expect import Expectation
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.shape import Reader
from sts_emulator.vending.context import Server


@dataclass(frozen=True, slots=True)
class Kept:
    """An expectation of a world, and how it is written."""

    file: str
    written: dict[str, Any]
    expectation: Expectation

    @property
    def title(self) -> str:
        return self.expectation.title


def expectations(world: World) -> Iterator[Kept]:
    """All of them, in the order of their files; without those that an older or newer emulator wrote otherwise."""
    for stored in world.page(documents.EXPECTATIONS):
        for written in stored["expect"]:
            reader = Reader(stored["file"])
            expectation = reader.read(Expectation, Node.of(written))
            if not reader.problems:
                yield Kept(stored["file"], written, expectation)


def of_role(world: World, arn: str) -> Iterator[Kept]:
    """Those whose request is to assume a role."""
    for kept in expectations(world):
        with suppress(ScenarioError):
            if kept.expectation.assume and rehearse.role_arn(world, kept.expectation) == arn:
                yield kept


def tried(server: Server, world: World, kept: Kept) -> Outcome:
    """What would come of an expectation in a world, also at another time than the world's. Raises ScenarioError."""
    expectation = kept.expectation
    then = world if expectation.time is None else world.apart(expectation.time - world.now())
    return rehearse.tried(server, then, expectation)


class _UndoneError(Exception):
    """Takes back what a unit has written."""


@contextmanager
def undone(world: World) -> Iterator[World]:
    """The world for a unit of which nothing stays. INVARIANT: nothing is awaited in it."""
    with suppress(_UndoneError), world.unit(lock=True):
        yield world.apart(0)
        raise _UndoneError
