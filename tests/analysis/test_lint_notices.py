"""Lint is tried itself: a good policy that is weakened by one step is found, and repaired it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis.compare import compare
from sts_emulator.analysis.mutants import mutants
from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.linting.findings import Finding
from sts_emulator.policy.linting.lint import lint

OWN = "111122223333"
ROLE = f"arn:aws:iam::{OWN}:role/r"
NOW = 1_795_435_200.0  # 2026-11-23T12:00:00Z
BARE = Path(__file__).parents[1] / "importers" / "corpus" / "bare"
GOOD = [
    path for path in sorted(BARE.glob("*.json")) if path.with_suffix(".expected").read_text("utf-8").count("\n") == 1
]
MEANT = (
    "widen token.actions.githubusercontent.com:sub `repo:acme/shop:ref:refs/heads/main` to `repo:acme/shop:*`",
    "to `project_path:acme/shop:ref_type:branch:ref:*`",
    "to `organization:acme:project:shop:workspace:prod:*`",
    "to `organization:acme:pipeline:*`",
    "to `system:serviceaccount:shop:*`",
    ":sub with StringEqualsIfExists",
    ":sub with StringLikeIfExists",
    ":aud with StringEqualsIfExists",
    "aws:SourceAccount with StringEqualsIfExists",
    "aws:SourceArn with ArnEqualsIfExists",
    "aws:CurrentTime",
    "SAML:aud",
    "trust-anchor/*`",
    "/project/9b2d4c6e-1f0e-4d56-9a4e-2b1c7e9f0a11/*`",
)
"""Steps that people take on purpose, or that change nothing: claims and times that are always there."""


def findings(text: str) -> list[Finding]:
    return lint(text, kind="trust", role_account=OWN, now=NOW)


def grave(text: str) -> list[str]:
    return [finding.rule for finding in findings(text) if finding.severity != "suggestion"]


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_policy_weakened_by_one_step(path: Path):
    text = path.read_text("utf-8")
    assert grave(text) == []
    told = {finding.rule for finding in findings(text)}
    unnoticed = [
        mutant.words
        for mutant in mutants(text)
        if not any(words in mutant.words for words in MEANT)
        and compare(parse(text), parse(mutant.text), ROLE)
        and not {finding.rule for finding in findings(mutant.text)} - told
    ]
    assert unnoticed == []


def test_there_are_good_ones_of_every_kind():
    kinds = {kind for path in GOOD for kind in json.loads(path.read_text("utf-8"))["Statement"][0]["Principal"]}
    assert kinds == {"AWS", "Federated", "Service"}
    assert len(GOOD) > 15


REPAIRS: dict[str, tuple[tuple[str, Any], ...]] = {
    "github-owner-cut": (("repo:acme*", "repo:acme/shop:*"),),
    "github-branch-word": (("repo:acme/shop:branch:main", "repo:acme/shop:ref:refs/heads/main"),),
    "github-star-taken-literally": (("StringEquals", "StringLike"),),
    "gitlab-git-ref": (("refs/heads/", ""),),
    "gitlab-project-cut": (("shop*:", "shop:"),),
    "terraform-without-project": (("acme:workspace", "acme:project:shop:workspace"),),
    "buildkite-one-commit": (
        ("9f3c1e5a7b2d4c6e8f0a1b3c5d7e9f1a2b4c6d8e", "*"),
        ("StringEquals", "StringLike"),
    ),
    "circleci-audience": (("sts.amazonaws.com", "8d5f3b6c-1f0e-4d56-9a4e-2b1c7e9f0a11"),),
    "eks-namespace-cut": (("shop*", "shop:*"),),
    "eks-without-account": (('shop"', 'shop:web"'),),
    "vendor-if-exists": (("IfExists", ""),),
    "vendor-impossible-id": (("Acme number 42", "Acme-42"),),
    "organization-if-exists": (("IfExists", ""),),
    "organization-misspelt": (("PrincipalOrgld", "PrincipalOrgID"),),
    "mfa-if-exists": (("BoolIfExists", "Bool"),),
    "time-over": (("2020-", "2099-"),),
    "deny-over": (("2020-", "2099-"),),
    "deny-without-mfa": (('"Bool"', '"BoolIfExists"'),),
    "tag-not-equal": (("StringNotEquals", "StringEquals"),),
    "session-in-principal-arn": (("arn:aws:sts::", "arn:aws:iam::"), ("assumed-role/ci/*", "role/ci")),
    "saml-wrong-action": (('"sts:AssumeRole"', '"sts:AssumeRoleWithSAML"'),),
    "address-is-text": (("StringEquals", "IpAddress"),),
}


@pytest.mark.parametrize("name", REPAIRS)
def test_a_finding_goes_when_it_is_repaired(name: str):
    text = (BARE / f"{name}.json").read_text("utf-8")
    assert grave(text)
    for wrong, right in REPAIRS[name]:
        assert wrong in text
        text = text.replace(wrong, right)
    assert grave(text) == []
