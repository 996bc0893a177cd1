"""Every finding of lint comes with a request that shows it, and the engine agrees with each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis.witnesses import Witness, Witnesses
from sts_emulator.cli.main import main
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.policy.linting.findings import Known, Rule
from sts_emulator.policy.linting.lint import RULES, lint

OWN = "111122223333"
ROLE = f"arn:aws:iam::{OWN}:role/r"
DEPLOYER = f"arn:aws:iam::{OWN}:role/ci/Deployer"
OKTA = f"arn:aws:iam::{OWN}:saml-provider/Okta"
KNOWN = Known(frozenset({DEPLOYER, OKTA}), frozenset({OWN}), frozenset({OWN}))
NOW = 1_795_435_200.0
CLOCK = {"aws:currenttime": ("2026-11-23T12:00:00Z",), "aws:epochtime": ("1795435200",)}
GITHUB = "token.actions.githubusercontent.com"
CONCERNS_NOBODY = {
    "audience-type",
    "missing-version",
    "repeated-statement",
    "set-operator-on-single-value",
    "sts-wildcard",
}
ANYTHING = parse('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')


def witness_of(rule: Rule) -> Witness | None:
    kind = rule.kinds[0]
    listed = lint(rule.wrong, kind=kind, role_account=OWN, known=KNOWN, now=NOW)
    (finding, *_) = [finding for finding in listed if finding.rule == rule.id]
    return Witnesses(rule.wrong, kind, ROLE, CLOCK).of(finding)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_who_shows_the_wrong_example_of_a_rule(rule: Rule):
    witness = witness_of(rule)

    assert (witness is None) == (rule.id in CONCERNS_NOBODY)
    if witness is None or witness.asked is None or not parse(rule.wrong).allows or rule.kinds[0] != "trust":
        return
    policies = PolicySet(trust=parse(rule.wrong), identity=(ANYTHING,), resource_account=OWN)
    assert decide(witness.asked, policies).allowed == (witness.outcome == "gets in")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_who_gets_in_wrongly_does_not_once_it_is_right(rule: Rule):
    """What the right example of a rule admits is less, but for what it leaves to other rules."""
    witness = witness_of(rule)
    right = parse(rule.right)
    if witness is None or witness.asked is None or witness.outcome != "gets in" or not right.allows:
        return
    kind = rule.kinds[0]
    policies = (
        PolicySet(trust=right, identity=(ANYTHING,), resource_account=OWN)
        if kind == "trust"
        else PolicySet(identity=(right,), trust=parse(_trusting(witness)), resource_account=OWN)
    )
    assert not decide(witness.asked, policies).allowed


def _trusting(witness: Witness) -> str:
    assert witness.asked is not None
    principal = {"AWS": witness.asked.principal.account}
    return json.dumps({"Statement": {"Effect": "Allow", "Principal": principal, "Action": "sts:*"}})


def linted(folder: Path, capsys: pytest.CaptureFixture[str], policy: Any, *options: str) -> str:
    (folder / "trust.json").write_text(json.dumps(policy))
    main(["lint", "trust.json", "--account", OWN, *options])
    return capsys.readouterr().out


OPEN = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{OWN}:oidc-provider/{GITHUB}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringLike": {f"{GITHUB}:sub": "repo:acme*"},
                "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com"},
            },
        }
    ],
}
EVIL = "repo:acme-evil/x:ref:refs/heads/main"


def test_it_stands_in_every_output(here: Path, capsys: pytest.CaptureFixture[str]):
    assert f"    for example: a token of {GITHUB} gets in with {GITHUB}:sub = {EVIL}" in linted(here, capsys, OPEN)

    (finding,) = json.loads(linted(here, capsys, OPEN, "--format", "json"))["findings"]
    witness = finding["witness"]
    assert (witness["outcome"], witness["decision"], witness["action"]) == (
        "gets in",
        "allow",
        "sts:AssumeRoleWithWebIdentity",
    )
    assert witness["resource"] == f"arn:aws:iam::{OWN}:role/trust"
    assert witness["context"][f"{GITHUB}:sub"] == [EVIL]

    (result,) = json.loads(linted(here, capsys, OPEN, "--format", "sarif"))["runs"][0]["results"]
    assert result["properties"]["witness"] == witness
    assert EVIL in result["message"]["text"]
    assert EVIL in linted(here, capsys, OPEN, "--format", "github")


def test_each_role_has_its_own_witness_though_their_words_are_the_same(here: Path, capsys: pytest.CaptureFixture[str]):
    role = {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": OPEN}}
    (here / "t.json").write_text(json.dumps({"Resources": {"A": role, "B": role}}))
    main(["lint", "t.json", "--account", OWN, "--format", "json"])
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert [finding["witness"]["resource"] for finding in findings] == [
        f"arn:aws:iam::{OWN}:role/A",
        f"arn:aws:iam::{OWN}:role/B",
    ]


# -- times -------------------------------------------------------------------------------------------------------------


def window(**conditions: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{OWN}:role/x"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": conditions}]}


BEFORE, AFTER = "2026-11-22T00:00:00Z", "2026-11-24T00:00:00Z"


@pytest.mark.parametrize(
    ("policy", "is_told"),
    [
        (window(DateLessThan={"aws:CurrentTime": BEFORE}), True),
        (window(DateLessThan={"aws:CurrentTime": AFTER}), False),
        (window(DateLessThan={"aws:CurrentTime": [BEFORE, AFTER]}), False),
        (window(DateLessThanEquals={"aws:EpochTime": "1795300000"}), True),
        (window(NumericLessThan={"aws:EpochTime": "1795300000"}), True),
        (window(NumericLessThan={"aws:EpochTime": "1795500000"}), False),
        (window(DateGreaterThan={"aws:CurrentTime": BEFORE}), False),
        (window(DateGreaterThan={"aws:CurrentTime": AFTER}), False),
        (window(DateGreaterThan={"aws:CurrentTime": AFTER}, DateLessThan={"aws:CurrentTime": BEFORE}), True),
        (
            window(
                DateGreaterThan={"aws:CurrentTime": "2027-02-01T00:00:00Z"},
                DateLessThan={"aws:CurrentTime": "2027-01-01T00:00:00Z"},
            ),
            True,
        ),
        (window(DateLessThan={"aws:TokenIssueTime": BEFORE}), False),
    ],
)
def test_times_that_are_over(policy: Any, is_told: bool, here: Path, capsys: pytest.CaptureFixture[str]):
    told = linted(here, capsys, policy, "--now", "2026-11-23T12:00:00Z", "--format", "json")
    assert any(finding["rule"] == "time-is-over" for finding in json.loads(told)["findings"]) == is_told


def test_the_same_policy_was_right_once(here: Path, capsys: pytest.CaptureFixture[str]):
    policy = window(DateLessThan={"aws:CurrentTime": BEFORE})
    assert "nothing found" in linted(here, capsys, policy, "--now", "2026-11-20T00:00:00Z")
    told = linted(here, capsys, policy, "--now", "2026-11-23T00:00:00Z")
    assert f"its time was over at {BEFORE}, so it allows nothing any more" in told
    assert f"for example: the role arn:aws:iam::{OWN}:role/x is kept out" in told


def test_a_time_that_is_none_is_refused(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "trust.json").write_text("{}")
    assert main(["lint", "trust.json", "--now", "tomorrow"]) == 2
    assert "--now takes a time like" in capsys.readouterr().err
