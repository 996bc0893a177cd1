"""Passkeys of an authenticator that nobody here wrote (npm's nid-webauthn-emulator, FIDO2 and CTAP), for a user pool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest
from botocore import UNSIGNED
from botocore.config import Config

pytestmark = [pytest.mark.clients]
CLIENT, POOL = "passkeys", "us-east-1_Keys1"
PASSWORD = "Correct-horse-1"


class Authenticator:
    """The program, at one origin."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self, **question: dict) -> dict:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def authenticator(javascript_clients) -> Iterator[Authenticator]:
    command = ["node", "authenticator.mjs", "https://shop.example.org"]
    with subprocess.Popen(
        command, cwd=javascript_clients, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Authenticator(process)
        process.stdin.close()


@pytest.mark.scenario(f"""
accounts:
  "111122223333":
    user_pools:
      shop:
        id: {POOL}
        clients: {{web: {{id: {CLIENT}}}}}
        users: {{ada: {{password: {PASSWORD}}}}}
""")
def test_a_passkey_signs_in_and_its_count_rises(aws, authenticator):
    # given a pool that takes passkeys, and somebody who registers one
    admin, idp = aws.client("cognito-idp"), aws.client("cognito-idp", config=Config(signature_version=UNSIGNED))
    policies = {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}}
    admin.update_user_pool(UserPoolId=POOL, Policies=policies)
    passkeys = {"RelyingPartyId": "example.org", "UserVerification": "required"}
    admin.set_user_pool_mfa_config(UserPoolId=POOL, MfaConfiguration="OFF", WebAuthnConfiguration=passkeys)
    flows = ["ALLOW_USER_AUTH", "ALLOW_USER_PASSWORD_AUTH"]
    admin.update_user_pool_client(UserPoolId=POOL, ClientId=CLIENT, ExplicitAuthFlows=flows)
    given = {"USERNAME": "ada", "PASSWORD": PASSWORD}
    first = idp.initiate_auth(AuthFlow="USER_PASSWORD_AUTH", ClientId=CLIENT, AuthParameters=given)
    access = first["AuthenticationResult"]["AccessToken"]
    options = idp.start_web_authn_registration(AccessToken=access)["CredentialCreationOptions"]
    idp.complete_web_authn_registration(AccessToken=access, Credential=authenticator.ask(create=options))
    (listed,) = idp.list_web_authn_credentials(AccessToken=access)["Credentials"]
    assert listed["RelyingPartyId"] == "example.org"

    # when they sign in with it, twice
    answers = []
    for _ in range(2):
        asked = {"USERNAME": "ada", "PREFERRED_CHALLENGE": "WEB_AUTHN"}
        begun = idp.initiate_auth(AuthFlow="USER_AUTH", ClientId=CLIENT, AuthParameters=asked)
        assertion = authenticator.ask(get=json.loads(begun["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"]))
        answers.append(
            {
                "ClientId": CLIENT,
                "ChallengeName": "WEB_AUTHN",
                "Session": begun["Session"],
                "ChallengeResponses": {"USERNAME": "ada", "CREDENTIAL": json.dumps(assertion)},
            }
        )
        done = idp.respond_to_auth_challenge(**answers[-1])
        assert done["AuthenticationResult"]["IdToken"]

    # then no assertion serves for another question
    again = idp.initiate_auth(AuthFlow="USER_AUTH", ClientId=CLIENT, AuthParameters=asked)
    with pytest.raises(idp.exceptions.ClientError):
        idp.respond_to_auth_challenge(**{**answers[-1], "Session": again["Session"]})
