"""Lint: every rule is proved by its own two examples."""

from __future__ import annotations

import json

import pytest

from sts_emulator.policy.linting.findings import Finding, Known
from sts_emulator.policy.linting.lint import RULES, lint

ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer"
KNOWN = Known(frozenset({DEPLOYER}), frozenset({ACCOUNT}))
WITH_PROVIDERS = KNOWN | Known(
    frozenset({f"arn:aws:iam::{ACCOUNT}:saml-provider/Okta"}), frozenset(), frozenset({ACCOUNT})
)
NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z


def found(text, kind="trust", known=KNOWN):
    return lint(text, kind=kind, role_account=ACCOUNT, known=known, now=NOW)


def rules(text, kind="trust", known=KNOWN):
    return [finding.rule for finding in found(text, kind, known)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_wrong_example_and_not_on_its_right_one(rule):
    kind = rule.kinds[0]

    (hit, *_) = [finding for finding in found(rule.wrong, kind, WITH_PROVIDERS) if finding.rule == rule.id]

    assert (hit.severity, bool(hit.message), bool(hit.fix)) == (rule.severity, True, True)
    assert rule.id not in rules(rule.right, kind, WITH_PROVIDERS)
    assert "refused-on-save" not in rules(rule.right, kind)


def test_rules_have_names_of_their_own():
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert all(rule.id == rule.id.lower() and " " not in rule.id and rule.title for rule in RULES)


def test_a_finding_says_where_it_is():
    text = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": DEPLOYER}, "Action": "sts:TagSession"},
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": DEPLOYER},
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
    assert finding.fix == f"write {DEPLOYER}"


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


def trust(principal, action="sts:AssumeRole", **condition):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def oidc(issuer, action="sts:AssumeRoleWithWebIdentity", **condition):
    return trust({"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}, action, **condition)


CLUSTER = "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
OTHER = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
POD = "system:serviceaccount:karpenter:karpenter"


@pytest.mark.parametrize("key", [f"arn:aws:iam::{ACCOUNT}:oidc-provider/{CLUSTER}:sub", f"{OTHER}:sub"])
def test_a_key_that_the_provider_never_sends_is_told_with_the_one_that_was_meant(key):
    """The classic IRSA mistakes: aws/karpenter-provider-aws#1666, aws/amazon-eks-pod-identity-webhook#30."""
    (finding,) = found(oidc(CLUSTER, StringEquals={key: POD}))

    assert (finding.rule, finding.severity, finding.fix) == ("key-never-there", "error", f"test {CLUSTER}:sub")
    assert finding.message.endswith("the condition is never true")


def test_issuers_are_told_as_they_are_written():
    assert {finding.fix for finding in found(oidc(CLUSTER))} == {f"test {CLUSTER}:sub", f"test {CLUSTER}:aud"}


@pytest.mark.parametrize(
    "condition",
    [
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/deploy"}},
        {"StringEquals": {"aws:PrincipalTag/team": "ci"}},
        {"StringLike": {"aws:userid": "*:admin"}},
        {"StringEquals": {"aws:username": "admin"}},
        {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    ],
)
def test_what_a_stranger_can_have_too_does_not_narrow_everybody(condition):
    assert "anybody" in rules(trust({"AWS": "*"}, **condition))


@pytest.mark.parametrize(
    "condition",
    [
        {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/*"}},
        {"StringLike": {"aws:userid": "AROAEXAMPLE0000000001:*"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
    ],
)
def test_an_account_a_role_or_an_organization_narrows_everybody(condition):
    assert "anybody" not in rules(trust({"AWS": "*"}, **condition))


def test_an_external_id_that_may_be_left_out_is_none():
    policy = trust({"AWS": "444455556666"}, StringEqualsIfExists={"sts:ExternalId": "Vendor-42"})

    assert rules(policy) == ["if-exists-open"]


@pytest.mark.parametrize(
    ("issuer", "subject", "wide"),
    [
        ("gitlab.com", "project_path:acme/shop*:ref_type:branch:ref:main", True),
        ("gitlab.com", "project_path:acme*/shop:ref_type:branch:ref:main", True),
        ("gitlab.com", "project_path:acme/shop:*", False),
        ("gitlab.com", "project_path:acme/*", False),
        ("app.terraform.io", "organization:acme*:project:p:workspace:w:run_phase:apply", True),
        ("app.terraform.io", "organization:acme:project:p*:workspace:w:run_phase:apply", True),
        ("app.terraform.io", "organization:acme:project:p:workspace:w:run_phase:*", False),
        ("agent.buildkite.com", "organization:acme:pipeline:shop*:ref:refs/heads/main:commit:x:step:y", True),
        ("agent.buildkite.com", "organization:acme:pipeline:shop:ref:refs/heads/main:*", False),
        ("oidc.circleci.com/org/6f1e", "org/6f1e/project/a*/user/b", True),
        ("oidc.circleci.com/org/6f1e", "org/6f1e/project/a/user/*", False),
        (CLUSTER, "system:serviceaccount:shop*", True),
        (CLUSTER, "system:serviceaccount:shop:check*", True),
        (CLUSTER, "system:serviceaccount:shop:*", False),
    ],
)
def test_a_pattern_that_cuts_a_name_in_the_middle_admits_others(issuer, subject, wide):
    policy = oidc(issuer, StringLike={f"{issuer}:sub": subject}, StringEquals={f"{issuer}:aud": "x"})

    assert ("open-subject" in rules(policy)) is wide


@pytest.mark.parametrize(
    ("subject", "possible"),
    [
        ("repo:acme/shop:ref:refs/heads/main", True),
        ("repo:acme/shop:ref:refs/tags/v1", True),
        ("repo:acme/shop:environment:production", True),
        ("repo:acme/shop:pull_request", True),
        ("repo:acme@1/shop@2:ref:refs/heads/main", True),
        ("repository_owner:acme:job_workflow_ref:acme/x/.github/workflows/y.yml@refs/heads/main", True),
        ("repo:acme/shop:ref:main", False),
        ("repo:acme/shop:branch:main", False),
        ("repo:acme/shop", False),
        ("repo:github.com/acme/shop:ref:refs/heads/main", False),
        ("https://github.com/acme/shop", False),
    ],
)
def test_a_subject_that_github_never_issues(subject, possible):
    """GitHub's documentation, "OpenID Connect reference", example subject claims."""
    policy = oidc(GITHUB, StringEquals={f"{GITHUB}:sub": subject, f"{GITHUB}:aud": "sts.amazonaws.com"})

    assert ("impossible-github-subject" not in rules(policy)) is possible


def test_a_service_that_nobody_knows_is_refused_as_on_saving():
    assert "refused-on-save" in rules(trust({"Service": "lamda.amazonaws.com"}))


def test_a_confused_deputy_is_told_where_the_service_sends_what_guards_against_it():
    assert "confused-deputy" in rules(trust({"Service": "scheduler.amazonaws.com"}))
    assert "confused-deputy" not in rules(trust({"Service": "autoscaling.amazonaws.com"}))


def test_a_role_of_an_identity_pool_that_does_not_ask_how_somebody_signed_in_admits_guests():
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": "cognito-identity.amazonaws.com"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:pool"}},
    }
    (finding,) = lint(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert finding.rule == "oidc-subject"
    assert "guests of the identity pool" in finding.message


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("saml-provider/okta", f"write arn:aws:iam::{ACCOUNT}:saml-provider/Okta"),
        (f"oidc-provider/{GITHUB}", "create it first, or name one that there is"),
    ],
)
def test_a_provider_that_is_missing_is_told_with_the_one_that_was_meant(named, told):
    text = trust({"Federated": f"arn:aws:iam::{ACCOUNT}:{named}"}, "sts:AssumeRoleWithSAML")
    fixes = [finding.fix for finding in found(text, known=WITH_PROVIDERS) if finding.rule == "unknown-provider"]
    assert fixes == [told]
    assert "unknown-provider" not in rules(text)
