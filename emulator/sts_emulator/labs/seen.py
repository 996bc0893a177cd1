"""What a check is given: the attempts that a world recorded, what was decided on them, and the engine to ask itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Final

from sts_emulator.core.events import Event
from sts_emulator.core.world import World
from sts_emulator.labs.lab import PROOF
from sts_emulator.scenario import parse
from sts_emulator.scenario.expect import Expectation
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.vending.context import Server

LOOKED: Final = 1_000
"""Events of a world that are looked at: the newest, which are all that a lab makes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: its record, as CloudTrail would have it, and what came of it."""

    at: float
    record: Mapping[str, Any]

    @property
    def is_allowed(self) -> bool:
        """Whether it came through; one that another service failed at was allowed."""
        return bool(self.record["additionalEventData"]["outcome"] != "denied")

    @property
    def layer(self) -> str:
        """What refused it: a layer of policies, or PROOF; "" where nothing did."""
        if self.is_allowed:
            return ""
        decisions = self.record["additionalEventData"]["decisions"]
        refused = [decision for decision in decisions if decision["verdict"] != "allow"]
        return str(refused[-1]["layer"]) if refused else PROOF

    def value(self, path: str) -> str:
        """A member of the record by its path (`userIdentity.arn`), as text; "" where there is none."""
        value: Any = self.record
        for name in path.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        return "" if value is None else str(value)

    def fits(self, about: Mapping[str, str]) -> bool:
        """Whether members of the record match these patterns (`*` is anything)."""
        return all(fnmatchcase(self.value(path), pattern) for path, pattern in about.items())


@dataclass(frozen=True)
class Seen:
    """A learner's world as checks see it; `values` are those of the lab's placeholders."""

    server: Server
    world: World
    values: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def attempts(self) -> list[Attempt]:
        """All attempts since the lab began, oldest first."""
        return [_attempt(event) for event in reversed(self.server.events.newest(self.world.name, LOOKED))]

    def find(self, about: Mapping[str, str], *, since: float = 0.0) -> Iterator[Attempt]:
        """The attempts whose records match, oldest first; `since` is a time of the world."""
        return (attempt for attempt in self.attempts if attempt.at >= since and attempt.fits(about))

    def last(self, about: Mapping[str, str]) -> Attempt | None:
        """The newest attempt whose record matches."""
        return next((attempt for attempt in reversed(self.attempts) if attempt.fits(about)), None)

    def may(self, expectation: str) -> bool:
        """Whether such a request would be allowed."""
        return self.trial(expectation).verdict == "allow"

    def trial(self, expectation: str) -> Outcome:
        """What would come of a request that is written as in a scenario's `expect`; nothing of it is recorded.

        Raises:
            ScenarioError: it cannot be asked, as when it names a role that is gone.
        """
        return self.outcomes(parse(f"expect:\n- {expectation.strip()}", "check").expect)[0]

    def outcomes(self, expectations: Sequence[Expectation]) -> list[Outcome]:
        """The same for expectations that are read already."""
        rehearsal = Rehearsal.in_world(self.server, self.world)
        return [rehearsal.outcome(expectation) for expectation in expectations]


def _attempt(event: Event) -> Attempt:
    return Attempt(event.at, event.record())
