"""Which statements and conditions the expectations exercised: a statement by applying, a condition both ways.

A condition counts as failed only where nothing else in its statement failed: only then it was what decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field

from sts_emulator.analysis.mutation import documents_of
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.explaining.traces import StatementTrace, trace_statements
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.policy_texts import held
from sts_emulator.scenario.rehearse import Rehearsal


@dataclass
class _Counted:
    """How often a statement applied, and each of its conditions held and decided against it."""

    applied: int = 0
    held: dict[int, int] = field(default_factory=dict)
    failed: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Covered:
    """One thing that can be exercised, in one policy, and how often it was."""

    label: str
    file: str
    line: int
    path: str
    words: str
    times: int

    def to_json(self) -> dict[str, Json]:
        """As JSON data."""
        return {name: getattr(self, name) for name in self.__slots__}


def coverage(rehearsal: Rehearsal, outcomes: Sequence[Outcome]) -> Iterator[Covered]:
    """Everything that can be exercised in the scenario's policies."""
    counted = _count(outcomes)
    for policy in held(rehearsal.world, rehearsal.scenario):
        text, shown = policy.text(rehearsal.world), policy.shown(rehearsal.world)
        if text is None or shown is None:
            continue
        for statement in parse(shown).statements:
            seen = counted.get((text, statement.index), _Counted())
            place = (policy.label, policy.file)
            sid = f' "{statement.sid}"' if statement.sid else ""
            path = statement.path
            yield Covered(*place, policy.line(path), path, f"{statement.effect}{sid} applies", seen.applied)
            for number, condition in enumerate(statement.conditions):
                below = f"{path}.Condition.{condition.operator.text}.{condition.key}"
                line, told = policy.line(below), f"{condition.operator.text} {condition.key}"
                yield Covered(*place, line, below, f"{told} holds", seen.held.get(number, 0))
                yield Covered(*place, line, below, f"{told} fails", seen.failed.get(number, 0))


def _count(outcomes: Sequence[Outcome]) -> Mapping[tuple[str, int], _Counted]:
    counted: dict[tuple[str, int], _Counted] = {}
    for outcome in outcomes:
        for consulted in outcome.decisions:
            for document in documents_of(consulted):
                for trace in trace_statements(document, consulted.request, bounded=False):
                    _note(counted.setdefault((document.text, trace.statement.index), _Counted()), trace)
    return counted


def _note(seen: _Counted, trace: StatementTrace) -> None:
    seen.applied += trace.applies
    failing = [name for name in trace.failing if not name.startswith("condition")]
    if failing:
        return
    wrong = [number for number, condition in enumerate(trace.conditions) if not condition.result]
    for number in range(len(trace.conditions)):
        if number not in wrong:
            seen.held[number] = seen.held.get(number, 0) + 1
        elif wrong == [number]:
            seen.failed[number] = seen.failed.get(number, 0) + 1
