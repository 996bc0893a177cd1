"""Inputs in the shapes of the public tools, with what lint must find in each written beside it by hand.

`corpus/SHAPE/NAME.SUFFIX` is an input; `NAME.expected` has a line `SEVERITY RULE LABEL` for each finding that is graver
than a suggestion, `note WORDS` for what must be said about the file, and `# ` before why.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.linting import Found, lint_file
from sts_emulator.analysis.reach import Reach
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.scenario import ScenarioError

CORPUS = Path(__file__).parent / "corpus"
OWN = "111122223333"
NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z
EXPECTED = sorted(CORPUS.rglob("*.expected"))
ANYTHING = parse('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')


def input_of(expected: Path) -> Path:
    """The file that an expectation stands beside."""
    (source,) = [path for path in expected.parent.glob(f"{expected.stem}.*") if path.suffix != ".expected"]
    return source


def name(expected: Path) -> str:
    return f"{expected.parent.name}/{expected.stem}"


def lines(expected: Path, *, notes: bool) -> list[str]:
    listed = [line for line in expected.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return sorted(line for line in listed if line.startswith("note ") == notes)


def grave(findings: tuple[Found, ...]) -> Iterator[Found]:
    return (finding for finding in findings if finding.severity != "suggestion")


def test_there_are_enough_and_each_is_of_its_own():
    inputs = [input_of(expected).read_text("utf-8") for expected in EXPECTED]
    assert len(inputs) >= 120
    assert len(set(inputs)) == len(inputs)


@pytest.mark.parametrize("expected", EXPECTED, ids=name)
def test_what_lint_finds(expected: Path):
    linted = lint_file(input_of(expected), account=OWN, now=NOW)

    told = sorted(f"{finding.severity} {finding.rule} {finding.label}" for finding in grave(linted.findings))
    assert told == lines(expected, notes=False)
    wanted = [line.removeprefix("note ") for line in lines(expected, notes=True)]
    assert [words for words in wanted if not any(words in note for note in linted.notes)] == []
    assert wanted or not linted.notes


@pytest.mark.parametrize("expected", EXPECTED, ids=name)
def test_who_shows_it_is_confirmed(expected: Path):
    """The witness of each finding about a trust policy, asked of the engine again."""
    for finding in grave(lint_file(input_of(expected), account=OWN, now=NOW).findings):
        assert finding.witness is not None, finding.rule
        assert finding.witness.words


@pytest.mark.parametrize("expected", EXPECTED, ids=name)
def test_whom_who_can_names_the_engine_lets_in(expected: Path):
    """And who shows that a policy is too wide is somebody whom who-can names."""
    path = input_of(expected)
    try:
        estate = Estate.of_files([path], OWN)
    except ScenarioError:  # what AWS would refuse to save is lint's business
        return
    with estate:
        reach = Reach(estate)
        into = {arn: list(reach.into(arn)) for arn in estate.roles if arn not in estate.assumed}
        for finding in grave(lint_file(path, account=OWN, now=NOW).findings):
            if finding.witness is None or finding.witness.asked is None or finding.witness.outcome != "gets in":
                continue
            asked = finding.witness.asked
            if asked.resource not in into:
                continue
            policies = PolicySet(
                trust=estate.trust(estate.roles[asked.resource]), identity=(ANYTHING,), resource_account=OWN
            )
            assert decide(asked, policies).allowed, finding.rule
            assert into[asked.resource] or OWN in estate.whole, finding.rule
        for arn, steps in into.items():
            for step in steps:
                assert step.statement, (arn, step.who)
