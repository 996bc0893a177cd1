"""How long a request waits at most, and how much of that is the server's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tests.bench import load
from tests.bench.measured import CALLS
from tests.bench.servers import SCENARIO, Running, post

SLICES = 10
KEPT = 500
"""AssumeRoles of which a world keeps the events, each with its copy in the other account's trail."""


@dataclass
class Worst:
    """Milliseconds that a request waited at most, and of CPU time that the server took at most for `CALLS` in a row."""

    waited: float
    took: float


def in_turns(server: Running, control: Running, requests: list[bytes], count: int) -> tuple[Worst, Worst]:
    """The worst of a server while it answers so many, and of a control for as long: that is the machine's."""
    own, others = [], []
    for _ in range(SLICES):
        result, worst = _drive(server, requests, 600, count // SLICES)
        own.append(worst)
        others.append(_drive(control, requests, result.seconds)[1])
    return _of(own), _of(others)


def in_new_worlds(server: Running, worlds: int, keys: tuple[str, str, str | None], parameters: dict[str, str]) -> Worst:
    """The worst while new worlds keep their first events, by which the objects alive become more with each call."""
    requests = []
    for number in range(worlds):
        post(server, "", {"name": f"world-{number}"})
        post(server, f"/world-{number}/scenario", SCENARIO.read_text())
        requests += load.signed(server.port, "assume_role", keys, 2, f"/w/world-{number}", **parameters)
    load.drive(server, requests, CALLS, 600, limit=len(requests))  # what first calls load and compile
    result, worst = _drive(server, requests, 600, worlds * KEPT)
    assert not result.errors, f"{result.errors} requests failed"
    return worst


def _drive(
    server: Running, requests: list[bytes], seconds: float, limit: int | None = None
) -> tuple[load.Result, Worst]:
    assert server.measure is not None
    server.measure.begin()
    result = load.drive(server, requests, CALLS, seconds, limit=limit, undisturbed=True)
    return result, Worst(result.worst_ms, server.measure.most_ms())


def _of(all_of_them: Iterable[Worst]) -> Worst:
    return Worst(max(worst.waited for worst in all_of_them), max(worst.took for worst in all_of_them))
