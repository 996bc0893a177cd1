"""Lint: every rule is proved by its own two examples."""

from __future__ import annotations

import json

import pytest

from sts_emulator.policy.linting.findings import Finding
from sts_emulator.policy.linting.lint import RULES, lint

ACCOUNT = "111122223333"
KNOWN = (f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer",)
GITHUB = "token.actions.githubusercontent.com"


def found(text, kind="trust"):
    return lint(text, kind=kind, role_account=ACCOUNT, known_principals=KNOWN)


def rules(text, kind="trust"):
    return [finding.rule for finding in found(text, kind)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_wrong_example_and_not_on_its_right_one(rule):
    kind = rule.kinds[0]

    (hit, *_) = [finding for finding in found(rule.wrong, kind) if finding.rule == rule.id]

    assert (hit.severity, bool(hit.message), bool(hit.fix)) == (rule.severity, True, True)
    assert rule.id not in rules(rule.right, kind)
    assert "refused-on-save" not in rules(rule.right, kind)


def test_rules_have_names_of_their_own():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id == rule.id.lower() and " " not in rule.id and rule.title for rule in RULES)


def test_a_finding_says_where_it_is():
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": KNOWN[0]}, "Action": "sts:TagSession"},
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": KNOWN[0]},
                    "Action": "sts:AssumeRole",
                    "Condition": {"StringEquals": {"sts:ExternalId": "a*"}},
                },
            ],
        }
    )

    assert [finding.to_json() for finding in found(text)] == [
        {
            "rule": "literal-wildcard",
            "severity": "error",
            "path": "Statement[1].Condition.StringEquals.sts:ExternalId",
            "message": "StringEquals takes the wildcard in `a*` literally",
            "fix": "use StringLike",
        }
    ]


def test_the_gravest_comes_first():
    severities = [finding.severity for rule in RULES for finding in found(rule.wrong)[:1]]

    assert set(severities) <= {"error", "security", "warning", "suggestion"}
    order = ["error", "security", "warning", "suggestion"]
    for rule in RULES:
        ranks = [order.index(finding.severity) for finding in found(rule.wrong)]
        assert ranks == sorted(ranks)


def test_what_cannot_be_read_is_one_finding():
    assert lint("{") == [
        Finding(
            "malformed", "error", "", "This policy contains invalid Json", "see the grammar of the JSON policy language"
        )
    ]


def test_accounts_and_existence_are_only_judged_when_they_are_known():
    foreign = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": ["444455556666", f"arn:aws:iam::{ACCOUNT}:user/nobody"]},
                "Action": "sts:AssumeRole",
            },
        }
    )

    assert lint(foreign) == []
    assert {finding.rule for finding in found(foreign)} == {"missing-external-id", "unknown-principal"}


def test_a_forgotten_path_is_recognized():
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/Deployer"},
                "Action": "sts:AssumeRole",
            },
        }
    )

    (finding,) = found(text)

    assert "its path is missing or wrong" in finding.message
    assert finding.fix == f"write {KNOWN[0]}"


@pytest.mark.parametrize(
    "statement",
    [
        {"Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        {
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
            "Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        },
        {
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:repository_id": "42"},
                "StringLike": {f"{GITHUB}:sub": "repo:octo-org/octo-repo:*"},
            },
        },
        {
            "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/Okta"},
            "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
            "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
        },
        {
            "Principal": {"Federated": "cognito-identity.amazonaws.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:pool"},
                "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
            },
        },
        {
            "Principal": {"AWS": "arn:aws:iam::444455556666:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "42"}, "Bool": {"aws:MultiFactorAuthPresent": "true"}},
        },
    ],
)
def test_the_policies_that_aws_documents_pass(statement):
    assert rules(json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})) == []
