"""Tries a file's expectations and tells what came of them as plain data, so that it may happen in another process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from sts_emulator.analysis.coverage import Covered
from sts_emulator.analysis.mutation import Mutated
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario import Scenario, ScenarioError
from sts_emulator.scenario.judge import Outcome


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with each file: `imports` are files that are there before it, `account` is that of imports."""

    imports: tuple[Path, ...] = ()
    account: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    mutate: bool = False
    coverage: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One expectation and what came of it; `tree` is the explanation of a failure, as lines."""

    title: str
    file: str
    line: int
    expected: str
    verdict: str
    mismatch: str
    tree: tuple[str, ...] = ()
    decided_by: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it came as expected."""
        return not self.mismatch

    def to_json(self) -> dict[str, Json]:
        """As JSON data."""
        return {
            "name": self.title,
            "file": self.file,
            "line": self.line,
            "passed": self.passed,
            "expected": self.expected,
            "verdict": self.verdict,
            "mismatch": self.mismatch,
            "decided_by": list(self.decided_by),
            "explanation": "\n".join(self.tree),
        }


@dataclass(slots=True)
class Problem:
    """A mistake in a file."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        """`file:line: message`."""
        return f"{self.file}{f':{self.line}' if self.line else ''}: {self.message}"


@dataclass(slots=True)
class Trial:
    """What came of one file; with `problems` nothing else is known. `imported` tells what was imported, in words."""

    file: str
    problems: tuple[Problem, ...] = ()
    cases: tuple[Case, ...] = ()
    imported: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    mutated: tuple[Mutated, ...] = ()
    covered: tuple[Covered, ...] = ()

    @property
    def failed(self) -> int:
        """How many expectations did not come as expected."""
        return sum(not case.passed for case in self.cases)


def try_file(path: Path, plan: Plan) -> Trial:
    """Try one file; mistakes in it are part of the answer."""
    from sts_emulator.app import create_server
    from sts_emulator.settings import Settings

    server = create_server(Settings())
    try:
        return _tried(server, path, plan)
    except ScenarioError as error:
        problems = tuple(Problem(problem.where.file, problem.where.line, problem.message) for problem in error.problems)
        return Trial(str(path), problems=problems)
    finally:
        server.worlds.store.close()


def _tried(server: Any, path: Path, plan: Plan) -> Trial:
    from sts_emulator.core.world import DEFAULT
    from sts_emulator.scenario import apply, parse_file
    from sts_emulator.scenario.rehearse import Rehearsal
    from sts_emulator.scenario.repeats import repeated

    base = [parse_file(file, plan.account, plan.parameters) for file in plan.imports]
    for earlier in base:
        apply(server, server.worlds.get(DEFAULT), earlier)
    scenario = parse_file(path, plan.account, plan.parameters)
    rehearsal = Rehearsal(server, scenario)
    notes = [note.told(source.file) for source in scenario.imported for note in source.inventory.notes]
    notes += repeated([*base, scenario])
    trial = Trial(str(path), imported=_imported(scenario), notes=tuple(notes))
    if plan.mutate or plan.coverage:
        _examine(trial, rehearsal, plan)
    else:  # one after the other, so that a long list of expectations takes no memory
        trial.cases = tuple(case(outcome) for outcome in rehearsal.outcomes())
    return trial


def _examine(trial: Trial, rehearsal: Any, plan: Plan) -> None:
    from sts_emulator.analysis.coverage import coverage
    from sts_emulator.analysis.mutation import mutation

    outcomes = list(rehearsal.outcomes())
    trial.cases = tuple(case(outcome) for outcome in outcomes)
    if plan.coverage:
        trial.covered = tuple(coverage(rehearsal, outcomes))
    if plan.mutate:
        trial.mutated = tuple(mutation(rehearsal, outcomes))


def case(outcome: Outcome) -> Case:
    """An outcome as plain data, with the explanation of a failure."""
    expectation = outcome.expectation
    lines = () if outcome.passed else tuple(explanation(outcome))
    because = outcome.tree["decided_by"] if lines and outcome.tree is not None else ()
    where = expectation.where
    return Case(
        expectation.title,
        where.file,
        where.line,
        str(expectation.result),
        outcome.verdict,
        outcome.mismatch,
        lines,
        tuple(because),
    )


def explanation(outcome: Outcome) -> list[str]:
    """The decision tree of an outcome, or what was refused before any policy was asked."""
    from sts_emulator.policy.explaining.report import lines_of, refused_before

    if outcome.tree is not None and outcome.deciding is not None:
        verdict = outcome.deciding.decision.verdict
        other = verdict != outcome.tree["decision"]
        head = [f"the scenario's decider says {verdict}; IAM's own rules would say:"] if other else []
        return head + lines_of(outcome.tree)
    if "refused" in outcome.evidence:
        return refused_before(outcome.evidence)
    refused = f"{outcome.error.code}: {outcome.error.message}" if outcome.error else "allowed"
    return [f"no policy was asked: {refused}"]


def _imported(scenario: Scenario) -> tuple[str, ...]:
    notes = []
    for source in scenario.imported:
        counts = Counter(thing.section for thing in source.inventory.things)
        told = ", ".join(_counted(section, number) for section, number in counts.items()) or "nothing"
        notes.append(f"{source.file}: {source.inventory.kind}: {told}")
    return tuple(notes)


def _counted(section: str, number: int) -> str:
    from sts_emulator.importers.inventory import WORDS

    word = WORDS.get(section, section)
    return f"{number:,} {word if number == 1 else f'{word[:-1]}ies' if word.endswith('y') else f'{word}s'}"
