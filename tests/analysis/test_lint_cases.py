"""Lint over policies as they are met: what it finds, and who gets in or is kept out, as the engine says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis import callers
from sts_emulator.analysis.callers import Caller
from sts_emulator.analysis.search import BASE, request
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.policy.linting.lint import lint
from sts_emulator.scenario.load import load

OWN = "111122223333"
FILE = Path(__file__).parent / "cases" / "lint.yaml"
CASES: list[dict[str, Any]] = load(FILE.read_bytes(), FILE.name).plain()
ANYTHING = parse('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')
ROLE = f"arn:aws:iam::{OWN}:role/r"


def is_issuer(who: str) -> bool:
    return "." in who and (who.startswith("oidc.") or not who.endswith(".amazonaws.com"))


def policy_of(case: dict[str, Any]) -> str:
    who, action = case["from"], "sts:AssumeRole"
    principal = {"AWS": who}
    if is_issuer(who):
        principal, action = {"Federated": f"arn:aws:iam::{OWN}:oidc-provider/{who}"}, "sts:AssumeRoleWithWebIdentity"
    elif "." in who:
        principal = {"Service": who}
    asked = {
        operator: {f"{who}:{key}" if ":" not in key else key: value for key, value in keys.items()}
        for operator, keys in case["asks"].items()
    }
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{**statement, **({"Condition": asked} if asked else {})}]}
    )


def caller_of(case: dict[str, Any], told: dict[str, str]) -> Caller:
    keys = {name.lower(): (value,) for name, value in told.items() if ":" in name}
    if is_issuer(case["from"]):
        caller = callers.federated(f"arn:aws:iam::{OWN}:oidc-provider/{case['from']}")
        keys = {f"{case['from']}:{claim}".lower(): (value,) for claim, value in told.items()}
    elif "user" in told:
        caller = callers.user(told["account"], told["user"], "")
    else:
        caller = callers.role(told["account"], told.get("role", "x"), "", session=told.get("session", "session"))
    return replace(caller, context={**caller.context, **keys})


def gets_in(case: dict[str, Any], told: dict[str, str]) -> bool:
    caller = caller_of(case, told)
    policies = PolicySet(trust=parse(policy_of(case)), identity=(ANYTHING,), resource_account=OWN)
    return decide(request(caller, caller.action, ROLE, {**BASE, **caller.context}), policies).allowed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_lint_says(case: dict[str, Any]):
    findings = lint(policy_of(case), kind="trust", role_account=OWN)

    grave = {finding.rule for finding in findings if finding.severity in ("error", "security")}
    every = {finding.rule for finding in findings}
    assert grave <= set(case["says"])
    assert set(case["says"]) <= every


@pytest.mark.parametrize("case", [case for case in CASES if "stranger" in case], ids=lambda case: case["name"])
def test_the_stranger_gets_in(case: dict[str, Any]):
    assert gets_in(case, case["stranger"])


@pytest.mark.parametrize("case", [case for case in CASES if "caller" in case], ids=lambda case: case["name"])
def test_whom_it_was_written_for_does_not(case: dict[str, Any]):
    assert not gets_in(case, case["caller"])


# -- weakened by one step ---------------------------------------------------------------------------------------------------


def weakened(case: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A good policy of an issuer, each time with one thing less."""
    claims: dict[str, str] = case["asks"]["StringEquals"]
    host, subject = case["from"], claims["sub"]
    start, colon, rest = subject.partition(":") if not subject.startswith("system:") else subject.rpartition(":")
    cut = f"{start}{colon}{rest[: max(1, len(rest.split('/')[0].split(':')[0]) - 1)]}*"

    def policy(**asks: Any) -> dict[str, Any]:
        return {"from": host, "asks": asks}

    return {
        "the subject is not asked": policy(StringEquals={"aud": claims["aud"]}),
        "the audience is not asked": policy(StringEquals={"sub": subject}),
        "the name is cut": policy(StringEquals={"aud": claims["aud"]}, StringLike={"sub": cut}),
        "any subject": policy(StringEquals={"aud": claims["aud"]}, StringLike={"sub": "*"}),
        "all of none": policy(
            **{"StringEquals": {"aud": claims["aud"]}, "ForAllValues:StringEquals": {"sub": subject}}
        ),
    }


EXACT = [case for case in CASES if not case["says"] and "sub" in case["asks"].get("StringEquals", {})]


@pytest.mark.parametrize("case", EXACT, ids=lambda case: case["name"])
def test_a_good_policy_that_is_weakened_by_one_step_is_found(case: dict[str, Any]):
    assert not [finding for finding in lint(policy_of(case), kind="trust", role_account=OWN) if is_grave(finding)]
    unnoticed = [
        step
        for step, weak in weakened(case).items()
        if not any(map(is_grave, lint(policy_of(weak), kind="trust", role_account=OWN)))
    ]
    assert unnoticed == []


def is_grave(finding: Any) -> bool:
    return finding.severity in ("error", "security")
