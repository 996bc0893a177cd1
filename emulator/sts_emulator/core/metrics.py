"""What is counted of a running server, and told as Prometheus reads it: numbers, and names of AWS's operations only."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""Upper bounds of the histogram's buckets, in seconds."""

MOST_SERIES: Final = 2_000

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counts since the start of this process."""

    def __init__(self) -> None:
        self.connections = 0
        self._calls: dict[tuple[str, str, str], int] = {}
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def count(self, service: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one attempt."""
        try:
            self._calls[service, operation, outcome] += 1
        except KeyError:
            series = (service, operation, outcome) if len(self._calls) < MOST_SERIES else ("other", "other", outcome)
            self._calls[series] = self._calls.get(series, 0) + 1
        self._buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def text(self, *, is_available: bool, lag: float) -> str:
        """All of it in the text format. `lag` is for how many seconds others' writes may have gone unseen."""
        return "\n".join([*self._lines(is_available=is_available, lag=lag), ""])

    def _lines(self, *, is_available: bool, lag: float) -> Iterator[str]:
        yield from _head("sts_emulator_calls_total", "counter", "Attempts, by service, operation and outcome.")
        for (service, operation, outcome), number in sorted(self._calls.items()):
            labels = f'service="{service}",operation="{operation}",outcome="{outcome}"'
            yield f"sts_emulator_calls_total{{{labels}}} {number}"
        name, total = "sts_emulator_call_seconds", 0
        yield from _head(name, "histogram", "Seconds from an attempt's beginning until its event.")
        for bound, number in zip((*map(str, BOUNDS), "+Inf"), self._buckets, strict=True):
            total += number
            yield f'{name}_bucket{{le="{bound}"}} {total}'
        yield f"{name}_sum {self._seconds:.6f}"
        yield f"{name}_count {total}"
        yield from _head("sts_emulator_open_connections", "gauge", "Connections to the main ports.")
        yield f"sts_emulator_open_connections {self.connections}"
        yield from _head("sts_emulator_state_available", "gauge", "1 while the state takes what is written.")
        yield f"sts_emulator_state_available {int(is_available)}"
        yield from _head(
            "sts_emulator_state_lag_seconds", "gauge", "Since the last look for what other replicas wrote."
        )
        yield f"sts_emulator_state_lag_seconds {lag:.3f}"


def _head(name: str, kind: str, told: str) -> Iterator[str]:
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"
