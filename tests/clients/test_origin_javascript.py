"""Who it was originally, by the AWS SDK for JavaScript, which has the members of 2026."""

from __future__ import annotations

import json
import subprocess

import pytest

DEV = "111122223333"
GITHUB = f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"
MAIN = "repo:acme/shop:ref:refs/heads/main"
SCENARIO = f"""
accounts:
  "{DEV}":
    oidc_providers: [{{issuer: github, origin: {{type: workload, claims: {{repo: repository}}}}}}]
    roles:
      ci:
        trust:
          - Effect: Allow
            Principal: {{Federated: "{GITHUB}"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {{StringLike: {{"token.actions.githubusercontent.com:sub": "repo:acme/*"}}}}
        inline: {{all: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}
"""


@pytest.mark.scenario(SCENARIO)
def test_the_sdk_reads_the_context_and_asks_for_a_token_of_the_origin(aws, javascript_clients):
    aws.client("iam").enable_outbound_web_identity_federation()
    token = aws.token("github", repo="acme/shop", branch="main")
    command = ["node", "origin.mjs", f"arn:aws:iam::{DEV}:role/ci", token]
    done = subprocess.run(command, cwd=javascript_clients, env=aws.env(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)

    assert told["context"] == {
        "OriginIdentity": {
            "Subject": MAIN,
            "SubjectType": "workload",
            "Issuer": "token.actions.githubusercontent.com",
            "FederatedProviderArn": GITHUB,
        },
        "TransactionContext": {"IdentityProvider": {"repo": "acme/shop"}},
    }
    claims = told["claims"]
    assert (claims["sub"], claims["subject_mode"], claims["scope"]) == (MAIN, "OriginIdentity", "read write")
