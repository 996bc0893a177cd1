"""One server for all tests of labs, with moto behind its door and a file as its state; each learner has a world."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest

from sts_emulator.cli.control import Control
from sts_emulator.cli.learner import Learner


@pytest.fixture(scope="session")
def school(serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The server's URL."""
    folder = tmp_path_factory.mktemp("school")
    with serve("--upstream", "moto", "--scenario", "/dev/null", "--state", "state.db", cwd=folder) as (url, _):
        yield url


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
