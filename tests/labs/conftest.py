"""Learners of the school's server, each with a world."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from sts_emulator.cli.control import Control
from sts_emulator.cli.learner import Learner


@pytest.fixture
def enrol(school: str) -> Iterator[Callable[[], Learner]]:
    """Somebody new, each time it is called; their worlds go with the test."""
    numbers, learners = itertools.count(1), []

    def new() -> Learner:
        learners.append(Learner(Control(school), f"learner-{next(numbers)}"))
        return learners[-1]

    yield new
    with Control(school) as control:
        for learner in learners:
            learner.close()
            if learner.world in control.api("GET", "worlds"):
                control.api("DELETE", "worlds", learner.world)


@pytest.fixture
def learner(enrol: Callable[[], Learner]) -> Learner:
    return enrol()
