"""Over files of other tools: who-can, what-can, diff, explain and lint's witnesses never contradict the engine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis.classes import sessions_of
from sts_emulator.analysis.compare import compare
from sts_emulator.analysis.estate import Estate
from sts_emulator.analysis.linting import lint_file
from sts_emulator.analysis.reach import Reach, Step
from sts_emulator.analysis.search import BASE, request
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, Request, decide
from sts_emulator.policy.explaining.explain import explain
from sts_emulator.scenario import ScenarioError

CORPUS = Path(__file__).parents[1] / "importers" / "corpus"
OWN = "111122223333"
NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z
ANYTHING = parse('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')
SHAPES = ("bare", "cdk", "terraform-plan", "account", "sam", "nested")
FILES = [path for shape in SHAPES for path in sorted((CORPUS / shape).glob("*.*")) if path.suffix != ".expected"]


@pytest.fixture(params=FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def estate(request: pytest.FixtureRequest) -> Iterator[Estate]:
    try:
        made = Estate.of_files([request.param], OWN)
    except ScenarioError:
        pytest.skip("AWS would not save it, which is lint's business")
    with made:
        yield made


def roles(estate: Estate) -> Iterator[tuple[str, Any]]:
    return ((arn, role) for arn, role in estate.roles.items() if arn not in estate.assumed)


def generous(estate: Estate, role: Any) -> PolicySet:
    return PolicySet(trust=estate.trust(role), identity=(ANYTHING,), resource_account=str(role["account"]))


def requests(estate: Estate, role: Any, step: Step) -> Iterator[Request]:
    """What a step says that a user or role of the estate asks."""
    holder = estate.holder(step.who)
    brought = {key.lower(): values for key, values in step.brings.items()}
    for caller in sessions_of(holder.caller, estate.shown_trust(role)) if holder else ():
        context = {**BASE, **estate.resource_keys(role), **caller.context, **brought}
        yield request(caller, step.action, str(role["arn"]), context)


def test_whom_who_can_names_the_engine_lets_in(estate: Estate):
    for arn, role in roles(estate):
        for step in Reach(estate).into(arn):
            asked = list(requests(estate, role, step))
            policies = estate.policies(role, estate.holder(step.who))
            assert not asked or any(decide(request, policies).allowed for request in asked), step


def test_what_can_is_the_other_side_of_who_can(estate: Estate):
    reach = Reach(estate)
    known = {*estate.users, *estate.roles}
    backwards = {(step.who, arn) for arn in estate.roles for step in reach.into(arn) if step.who in known}
    forwards = {(who, step.role) for who in known for step in reach.out_of(who)}
    assert forwards == backwards


def test_diff_from_nothing_gains_just_where_who_can_names_somebody(estate: Estate):
    for arn, role in roles(estate):
        trust = estate.shown_trust(role)
        assert compare(trust, trust, arn) == []
        gains = [witness for witness in compare(None, trust, arn) if witness.direction == "gains"]
        assert [witness for witness in compare(trust, None, arn) if witness.direction == "gains"] == []
        into = [step for step in Reach(estate).into(arn) if step.action.startswith("sts:AssumeRole")]
        assert not into or gains, arn
        for witness in gains:
            assert decide(replace(witness.request), PolicySet(trust=trust, identity=(ANYTHING,))).allowed


def test_explain_says_what_the_engine_decides(estate: Estate):
    for arn, role in roles(estate):
        policies = generous(estate, role)
        for witness in compare(None, estate.shown_trust(role), arn):
            assert explain(witness.request, policies).to_json()["decision"] == decide(witness.request, policies).verdict


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_stranger_of_lint_gains_in_diff(path: Path):
    for finding in lint_file(path, account=OWN, now=NOW).findings:
        witness = finding.witness
        if witness is None or witness.asked is None or finding.path.partition("[")[0] != "Statement":
            continue
        asked = witness.asked
        try:
            with Estate.of_files([path], OWN) as estate:
                role = estate.roles.get(asked.resource)
                if role is None:
                    continue
                allowed = decide(asked, generous(estate, role)).allowed
        except ScenarioError:
            continue
        assert allowed == (witness.outcome == "gets in"), finding.rule
