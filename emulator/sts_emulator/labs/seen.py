"""What a check is given: the attempts that a world recorded, what was decided on them, and the engine to ask itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from fnmatch import fnmatchcase
from functools import cached_property, lru_cache
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.labs.lab import PROOF
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import rehearse
from sts_emulator.scenario.expect import Expectation
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.scenario.shape import Reader
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
            value = value.get(name) if isinstance(value, (dict, Mapping)) else None
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
    _assumed: dict[str, tuple[rehearse.Call, AwsError | None]] = field(default_factory=dict, repr=False)

    @cached_property
    def attempts(self) -> list[Attempt]:
        """All attempts since the lab began, oldest first."""
        return [
            Attempt(event.at, event.record()) for event in reversed(self.server.events.newest(self.world.name, LOOKED))
        ]

    def find(self, about: Mapping[str, str], *, since: float = 0.0) -> Iterator[Attempt]:
        """The attempts whose records match, oldest first; `since` is a time of the world."""
        return (attempt for attempt in self.attempts if attempt.at >= since and attempt.fits(about))

    def came(self, about: Mapping[str, str]) -> bool:
        """Whether such an attempt came through."""
        return any(attempt.is_allowed for attempt in self.find(about))

    def last(self, about: Mapping[str, str]) -> Attempt | None:
        """The newest attempt whose record matches."""
        return next((attempt for attempt in reversed(self.attempts) if attempt.fits(about)), None)

    def allows(self, **asked: object) -> bool:
        """Whether such a request would be allowed: see `trial`."""
        return self.trial(**asked).verdict == "allow"

    def trial(self, **asked: object) -> Outcome:
        """What would come of a request now; nothing of it is recorded.

        It is asked by the keys of a scenario's `expect`, their values as texts, mappings and lists; `with_` is `with`.

        Raises:
            ScenarioError: it cannot be asked, as when it names a role that is gone.
        """
        expectation = _read(json.dumps({name.rstrip("_"): value for name, value in asked.items()}))
        assert expectation.time is None, "a check asks as of now"
        # Who may do one thing is asked for several: the session is assumed once.
        session = json.dumps({name: value for name, value in asked.items() if name != "may"}, sort_keys=True)
        if session not in self._assumed:
            self._assumed[session] = rehearse.assumed(self.server, self.world, expectation)
        call, error = self._assumed[session]
        own = replace(call, decisions=[*call.decisions], evidence={**call.evidence})
        return rehearse.asked(own, error, expectation)

    def outcomes(self, expectations: Sequence[Expectation]) -> list[Outcome]:
        """The same for expectations that are read already."""
        rehearsal = Rehearsal.in_world(self.server, self.world)
        return [rehearsal.outcome(expectation) for expectation in expectations]


@lru_cache(maxsize=1_000)  # what a class asks
def _read(asked: str) -> Expectation:
    reader = Reader("check")
    expectation: Expectation = reader.read(Expectation, Node.of(json.loads(asked)))
    reader.finish()
    return expectation
