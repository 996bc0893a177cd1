"""The libraries that apps sign their users in with, unmodified, in Node: amazon-cognito-identity-js and aws-amplify 6."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sts_emulator.accounts.people import totp

HERE = Path(__file__).parent / "js"
PASSWORD, NEW = "Correct-horse-1", "Another-horse-2"


@pytest.fixture(params=["identity-js", "amplify"])
def app(request, aws, javascript_clients):
    """`app(user, password, …)`: what the library tells of a sign-in."""
    admin = aws.client("cognito-idp")
    pool = admin.create_user_pool(PoolName="shop")["UserPool"]["Id"]
    flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH"]
    client = admin.create_user_pool_client(UserPoolId=pool, ClientName="web", ExplicitAuthFlows=flows)
    client_id = client["UserPoolClient"]["ClientId"]

    def run(user: str, password: str, *more: str) -> dict:
        command = [
            "node",
            "user_pool.mjs",
            request.param,
            f"{aws.endpoint_url}/",
            pool,
            client_id,
            user,
            password,
            *more,
        ]
        done = subprocess.run(command, cwd=javascript_clients, capture_output=True, text=True, timeout=300, check=False)
        assert done.stdout, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    run.admin, run.pool, run.client = admin, pool, client_id
    admin.admin_create_user(
        UserPoolId=pool,
        Username="ada",
        UserAttributes=[{"Name": "email", "Value": "ada@example.org"}],
        TemporaryPassword="Temporary-1",
        MessageAction="SUPPRESS",
    )
    return run


def test_a_first_sign_in_with_a_new_password(app):
    assert app("ada", "Temporary-1", NEW) == {"name": "ada", "email": "ada@example.org", "refreshed": True}
    assert app("ada", NEW)["name"] == "ada"
    assert "Incorrect username or password." in app("ada", "Wrong-horse-1")["error"]


def test_an_authenticator_app(app):
    app.admin.admin_set_user_password(UserPoolId=app.pool, Username="ada", Password=PASSWORD, Permanent=True)
    app.admin.set_user_pool_mfa_config(
        UserPoolId=app.pool, MfaConfiguration="OPTIONAL", SoftwareTokenMfaConfiguration={"Enabled": True}
    )
    given = {"USERNAME": "ada", "PASSWORD": PASSWORD}
    signed_in = app.admin.initiate_auth(AuthFlow="USER_PASSWORD_AUTH", ClientId=app.client, AuthParameters=given)
    access = signed_in["AuthenticationResult"]["AccessToken"]
    seed = app.admin.associate_software_token(AccessToken=access)["SecretCode"]
    _verify(app.admin, access, seed)
    wanted = {"Enabled": True, "PreferredMfa": True}
    app.admin.set_user_mfa_preference(AccessToken=access, SoftwareTokenMfaSettings=wanted)

    assert app("ada", PASSWORD, "", seed) == {"name": "ada", "email": "ada@example.org", "refreshed": True}


def _verify(admin, access: str, seed: str) -> None:
    """Pair with the code of the step before, so that the current one is still good for signing in."""
    for _ in range(3):
        try:
            admin.verify_software_token(AccessToken=access, UserCode=totp(seed, time.time() - 30))
        except ClientError:  # a step has just ended
            continue
        return


@pytest.mark.parametrize("library", ["identity-js", "amplify"])
def test_a_remembered_device(aws, javascript_clients, library):
    """Both confirm the device at the first sign-in, and prove it at the second."""
    admin = aws.client("cognito-idp")
    remembering = {"ChallengeRequiredOnNewDevice": True, "DeviceOnlyRememberedOnUserPrompt": False}
    pool = admin.create_user_pool(PoolName="shop", DeviceConfiguration=remembering)["UserPool"]["Id"]
    flows = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    client = admin.create_user_pool_client(UserPoolId=pool, ClientName="web", ExplicitAuthFlows=flows)
    admin.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
    admin.admin_set_user_password(UserPoolId=pool, Username="ada", Password=PASSWORD, Permanent=True)

    place = [f"{aws.endpoint_url}/", pool, client["UserPoolClient"]["ClientId"]]
    command = ["node", "device.mjs", library, *place, "ada", PASSWORD]
    done = subprocess.run(command, cwd=javascript_clients, capture_output=True, text=True, timeout=300, check=False)
    assert json.loads(done.stdout.splitlines()[-1]) == {"same": True, "devices": 1}, done.stderr
