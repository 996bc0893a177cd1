"""Deciders: what a scenario may name in place of the IAM engine, and what becomes of one that fails."""

from __future__ import annotations

import textwrap
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from sts_emulator.analysis.trials import Plan, Trial, try_file
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Request, decide
from sts_emulator.scenario import ScenarioError, parse
from sts_emulator.vending import deciders

EXAMPLE = Path(__file__).parents[2] / "examples" / "decider"
SCENARIO = """
decider: NAME
accounts:
  "111122223333":
    users: {alice: }
    roles:
      app: {trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/alice"}, Action: sts:AssumeRole}]}
expect:
  - {assume: app, caller: {user: alice}, result: RESULT}
"""


def tried(folder: Path, name: str, result: str = "allow") -> Trial:
    (folder / "s.yaml").write_text(SCENARIO.replace("NAME", name).replace("RESULT", result))
    return try_file(folder / "s.yaml", Plan())


def module(folder: Path, body: str) -> None:
    head = "from sts_emulator.policy.deciding.engine import Decision, decide\n\n\ndef answer(request, policies):\n"
    (folder / "mine.py").write_text(head + textwrap.indent(body, "    ") + "\n")


def test_the_documented_example_comes_as_it_expects():
    trial = try_file(EXAMPLE / "night.yaml", Plan())
    assert [case.mismatch for case in trial.cases] == ["", "", ""]


def test_the_page_shows_the_example():
    page = (EXAMPLE.parents[1] / "docs" / "deciders.md").read_text("utf-8")
    for line in (EXAMPLE / "office_hours.py").read_text("utf-8").splitlines():
        if line.strip() and not line.strip().startswith(('"""', "It shows", "from __future__")) and '"""' not in line:
            assert line in page or line.strip() in page


def test_a_module_beside_the_scenario(tmp_path: Path):
    module(tmp_path, "return Decision('explicit_deny')")
    trial = tried(tmp_path, "mine:answer")
    (case,) = trial.cases
    assert case.verdict == "deny"
    assert case.tree[0] == "the scenario's decider says explicit_deny; IAM's own rules would say:"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise KeyError('x')", "the decider `mine:answer` failed: KeyError: 'x'"),
        ("return True", "the decider `mine:answer` answered with bool, not with a Decision"),
    ],
)
def test_one_that_fails_never_allows(tmp_path: Path, body: str, told: str):
    module(tmp_path, body)
    (case,) = tried(tmp_path, "mine:answer").cases
    assert case.mismatch == f"expected allow, got InternalFailure: InternalFailure: {told}"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("absent:answer", "decider `absent:answer` cannot be loaded: No module named 'absent'"),
        ("mine:absent", "decider `mine:absent` cannot be loaded: module"),
        ("mine:CONSTANT", "decider `mine:CONSTANT` is not callable"),
        ("../mine:answer", "decider `../mine:answer` is no `module:callable`"),
        ("nobody", "no installed package offers a decider `nobody`"),
    ],
)
def test_one_that_is_not_there_is_a_mistake_of_the_file(tmp_path: Path, name: str, told: str):
    module(tmp_path, "return decide(request, policies)")
    (tmp_path / "mine.py").write_text((tmp_path / "mine.py").read_text() + "CONSTANT = 7\n")
    (problem,) = tried(tmp_path, name).problems
    assert problem.message.startswith(told)
    assert problem.line == 2


def test_a_scenario_that_is_posted_names_no_code():
    with pytest.raises(ScenarioError, match="only a scenario that is itself a file may name Python code"):
        parse("decider: os:system\n")


def never(request: Request, policies: PolicySet) -> Decision:
    del request, policies
    return Decision("explicit_deny")


def test_an_installed_package_offers_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    point = EntryPoint("never", f"{__name__}:never", deciders.GROUP)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **wanted: EntryPoints([point]).select(**wanted))
    assert tried(tmp_path, "never", "deny").cases[0].passed


def test_without_one_it_is_the_engine():
    assert deciders.load("sts_emulator.policy.deciding.engine:decide") is decide
