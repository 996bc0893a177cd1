"""The judged cases: what AWS decides, with the source of every expectation in the case itself."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from judge_adapter import ask, document, load, malformed, policy_set, scenario

from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.policy.explaining.explain import explain

FOLDER = Path(__file__).parent / "cases"
JUDGED, LIVE = (
    [json.loads(line) for line in (FOLDER / name).read_text("utf-8").splitlines()]
    for name in ("cases.jsonl", "live-cases.jsonl")
)
CASES = [*JUDGED, *LIVE]
SINGLE = [case for case in CASES if case["kind"] in ("trust", "identity-only")]
SCENARIOS = [case for case in CASES if case["kind"] == "scenario"]
MALFORMED = [case for case in CASES if case["kind"] == "malformed" and case["confidence"] != "contested"]


def by_id(case: dict) -> str:
    return case["id"]


def test_the_corpus_is_all_there():
    assert Counter(case["kind"] for case in JUDGED) == {
        "trust": 731,
        "identity-only": 45,
        "scenario": 39,
        "malformed": 36,
    }
    assert Counter(case["kind"] for case in LIVE) == {"identity-only": 382, "malformed": 18}


@pytest.mark.parametrize("case", SINGLE, ids=by_id)
def test_one_document(case):
    answer = document(case["policy"], case)

    assert answer["decision"] == case["expected"], case["why"]
    if "grant" in case:
        assert answer["grant"] == case["grant"], case["why"]


@pytest.mark.parametrize("case", SINGLE, ids=by_id)
def test_one_document_explained(case):
    side = {"trust": load(case["policy"])} if case["kind"] == "trust" else {"identity": (load(case["policy"]),)}
    request, policies = ask(case["action"], case["resource"], case), PolicySet(**side)

    explanation = explain(request, policies)

    assert explanation.decision == decide(request, policies)
    if case["kind"] == "trust":
        trust = next(layer for layer in explanation.layers if layer.layer == "trust")
        assert trust.decision == case["expected"], explanation.to_text()
    if not explanation.decision.allowed:
        assert explanation.remedy.changes, explanation.to_text()


@pytest.mark.parametrize("case", SCENARIOS, ids=by_id)
def test_all_layers(case):
    answer = scenario(case)

    assert answer["decision"] == case["expected"], case["title"]
    assert answer.get("denied_action") == case["denied_action"], case["title"]


@pytest.mark.parametrize("case", SCENARIOS, ids=by_id)
def test_every_layer_of_a_scenario_says_what_is_expected(case):
    policies, names = policy_set(case), {"permissions_boundary": "boundary"}
    for action, expected in case["per_action"].items():
        explanation = explain(ask(action, case["request"]["role_arn"], case["request"]), policies)
        says = {
            f"{layer.layer}[{layer.level}]" if layer.layer in ("scp", "rcp") else layer.layer: layer.decision
            for layer in explanation.layers
        }

        assert explanation.decision.verdict == expected["decision"], case["title"]
        assert {names.get(name, name): verdict for name, verdict in expected["layers"].items()}.items() <= says.items()


@pytest.mark.parametrize("case", MALFORMED, ids=by_id)
def test_what_iam_refuses_to_save(case):
    answer = malformed(case)

    if case["message_match"] == "accepted":
        assert answer is None
        return
    assert answer is not None
    assert answer["code"] == case["expected_code"]
    if case["message_match"] == "exact":
        assert answer["message"] == case["expected_message"]
    if case["message_match"] == "prefix":
        assert answer["message"].startswith(case["expected_message"])
