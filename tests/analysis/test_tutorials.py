"""What public guides teach and what goes wrong with it: lint says so, and the engine shows that lint is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sts_emulator.analysis.callers import Caller, federated, user
from sts_emulator.analysis.search import BASE, request
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.policy.linting.lint import lint

ACCOUNT = "111122223333"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
ANYTHING = parse('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "tutorials.yaml").read_text("utf-8"))


def document(case: dict[str, Any]) -> str:
    issuer = case.get("issuer")
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity" if issuer else "sts:AssumeRole",
        "Principal": case.get("principal") or {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
    }
    if "trust" in case:
        statement["Condition"] = case["trust"]
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def allowed(case: dict[str, Any], given: dict[str, Any]) -> bool:
    policies = PolicySet(trust=parse(document(case)), identity=(ANYTHING,))
    caller, context = asking(case, given)
    return decide(request(caller, caller.action, ROLE, {**BASE, **caller.context, **context}), policies).allowed


def asking(case: dict[str, Any], given: dict[str, Any]) -> tuple[Caller, dict[str, tuple[str, ...]]]:
    if "issuer" not in case:
        account = case["principal"]["AWS"].split(":")[4]
        return user(account, "somebody", ""), {key.lower(): (str(value),) for key, value in given.items()}
    claims = {"aud": "sts.amazonaws.com", **given} if given else {}
    issuer = case["issuer"]
    keys = {f"{issuer.lower()}:{claim}": (value,) for claim, value in claims.items() if value is not None}
    return federated(f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"), keys


def test_there_are_enough_of_them():
    assert len({case["source"] for case in CASES if not case["source"].startswith("classic")}) >= 6


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_lint_finds_exactly_this(case: dict[str, Any]):
    findings = lint(document(case), role_account=ACCOUNT)
    assert sorted(finding.rule for finding in findings) == sorted(case["findings"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_engine_shows_that_it_is_so(case: dict[str, Any]):
    assert [given for given in case.get("admits", ()) if not allowed(case, given)] == []
    assert [given for given in case.get("refuses", ()) if allowed(case, given)] == []
