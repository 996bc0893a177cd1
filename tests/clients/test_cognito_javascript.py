"""The AWS SDK for JavaScript, unmodified, as an app uses it: fromCognitoIdentityPool and fromCognitoIdentity."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "trust_policies" / "cognito.yaml"
POOL = "us-east-1:0f2c7a3e-5b1d-4c8e-9a6f-3d2b1c0e9f8a"


@pytest.fixture
def says(aws, javascript_clients):
    """`says(logins)`: what the program prints."""
    aws.load(EXAMPLE.read_text())

    def says(logins: dict | None = None):
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": aws.endpoint_url,
            "COGNITO_ENDPOINT": aws.endpoint_url,
            "POOL": POOL,
            **({"LOGINS": json.dumps(logins)} if logins else {}),
        }
        done = subprocess.run(
            ["node", str(javascript_clients / "cognito.mjs")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return says


def test_a_guest(says):
    first, second = says()
    assert first["arn"] == "arn:aws:sts::111122223333:assumed-role/PhoneGuest/CognitoIdentityCredentials"
    assert (second["arn"], second["identity"]) == (first["arn"], first["identity"])
    assert second["key"] != first["key"]


def test_somebody_who_signed_in(aws, says):
    first, second = says({"idp.corp.test": aws.token("corp", aud="staff-app", sub="kim")})
    assert ":assumed-role/PhoneUser/" in first["arn"]
    assert second["identity"] == first["identity"]


def test_somebody_with_a_foreign_token(aws, says):
    told = says({"idp.corp.test": aws.token("corp", aud="another-app", sub="kim")})
    assert told["error"].startswith("NotAuthorizedException: Invalid login token.")
