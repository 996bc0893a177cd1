"""The scenarios that come along: each holds what it expects of itself, and each expects refusals too."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_lab import Lab

from sts_emulator.scenario import apply, parse_file
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.scenario.watch import BUILT_IN

FOLDER = Path(__file__).parents[2] / "trust_policies"
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_everything_comes_as_expected(lab: Lab, path: Path):
    wrong = {
        outcome.expectation.title: outcome.mismatch for outcome in Rehearsal(lab.server, parse_file(path)).outcomes()
    }
    assert {title: mismatch for title, mismatch in wrong.items() if mismatch} == {}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_some_are_let_in_and_some_are_not(path: Path):
    assert {str(item.result) for item in parse_file(path).expect} == {"allow", "deny"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_it_says_what_it_is(path: Path):
    assert parse_file(path).head.description


def test_they_live_together_in_one_world(lab: Lab):
    scenarios = [parse_file(path) for path in EXAMPLES]
    for scenario in scenarios:
        apply(lab.server, lab.world, scenario)
    roles = [role["arn"] for role in lab.world.page("role")]
    declared = [
        name
        for scenario in scenarios
        for entry in scenario.entries
        if entry.section.key == "roles"
        for name in entry.value
    ]
    assert len(roles) == len(declared), "two examples declare the same role"


def test_what_comes_along_without_a_folder_is_the_default():
    assert BUILT_IN.read_bytes() == (FOLDER / "default.yaml").read_bytes()
