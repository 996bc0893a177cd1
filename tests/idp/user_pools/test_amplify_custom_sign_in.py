"""Amplify 6, unmodified, signs in with a pool's own challenge, which an HTTP hook plays; with the password first, too."""

from __future__ import annotations

import json
import subprocess

import pytest
from test_custom_sign_in import FLOWS, RIDDLE

pytestmark = pytest.mark.clients


@pytest.mark.parametrize(("flow", "password"), [("CUSTOM_WITHOUT_SRP", ""), ("CUSTOM_WITH_SRP", "Correct-horse-1")])
def test_a_riddle_by_amplify(app, hooks, javascript_clients, flow, password):
    client = app.add_client(ExplicitAuthFlows=[*FLOWS, "ALLOW_USER_SRP_AUTH"])["ClientId"]
    hooks.play(app, **RIDDLE)

    def says(answer: str) -> dict:
        endpoint = f"{app.aws.endpoint_url}/"
        command = ["node", "custom_auth.mjs", endpoint, app.pool, client, flow, "ada", answer, password]
        done = subprocess.run(command, cwd=javascript_clients, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    assert says("a cat") == {"name": "ada", "asked": "What walks on four legs?"}
    assert says("a dog") == {"error": "Error: CONFIRM_SIGN_IN_WITH_CUSTOM_CHALLENGE"}  # asked again
    if password:
        assert "VerifyAuthChallengeResponse_Authentication" in hooks.sources()
