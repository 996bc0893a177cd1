"""Providers that an imported trust policy names are taken to exist, as users and roles are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.cli.main import main

ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trust(provider: str, action: str, condition: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"Federated": provider}, "Action": action, "Condition": condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def from_github(audience: str) -> str:
    asked = {f"{GITHUB}:aud": audience, f"{GITHUB}:sub": "repo:acme/shop:ref:refs/heads/main"}
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
    return trust(provider, "sts:AssumeRoleWithWebIdentity", {"StringEquals": asked})


@pytest.mark.parametrize(
    ("asked", "brought", "code"),
    [
        ("sts.amazonaws.com", "sts.amazonaws.com", 0),
        ("acme-deploys", "acme-deploys", 0),
        ("acme-deploys", "sts.amazonaws.com", 1),
        ("acme-deploys", "nobody-registered", 1),
    ],
)
def test_a_token_for_a_bare_trust_policy(here: Path, asked: str, brought: str, code: int):
    (here / "deploy.json").write_text(from_github(asked))
    (here / "q.yaml").write_text(
        f"expect:\n  - {{assume: deploy, with: {{github: {{repo: acme/shop, branch: main, aud: {brought}}}}}}}\n"
    )
    assert main(["check", "--import", "deploy.json", "q.yaml"]) == code


def test_a_provider_that_is_declared_is_the_one_that_counts(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "deploy.json").write_text(from_github("sts.amazonaws.com"))
    (here / "q.yaml").write_text(
        f"accounts: {{'{ACCOUNT}': {{oidc_providers: [{{issuer: github, client_ids: [other]}}]}}}}\n"
        "expect:\n  - {assume: deploy, with: {github: {repo: acme/shop, branch: main}}}\n"
    )
    assert main(["check", "--import", "deploy.json", "q.yaml"]) == 1
    assert "Incorrect token audience" in capsys.readouterr().out


def test_an_assertion_of_the_scenarios_identity_provider(here: Path):
    provider = f"arn:aws:iam::{ACCOUNT}:saml-provider/Okta"
    asked = {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
    (here / "deploy.json").write_text(trust(provider, "sts:AssumeRoleWithSAML", asked))
    role = f"arn:aws:iam::{ACCOUNT}:role/deploy"
    (here / "q.yaml").write_text(
        f"saml_idps: {{okta: {{provider: Okta, users: {{jane: {{roles: ['{role}']}}}}}}}}\n"
        "expect:\n  - {assume: deploy, with: {saml: {user: jane}}}\n"
    )
    assert main(["check", "--import", "deploy.json", "q.yaml"]) == 0


def test_what_is_no_provider_is_not_made(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "deploy.json").write_text(
        trust(f"arn:aws:iam::{ACCOUNT}:oidc-provider/", "sts:AssumeRoleWithWebIdentity", {})
    )
    assert main(["check", "deploy.json"]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err
