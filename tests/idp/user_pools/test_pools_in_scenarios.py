"""User pools that a scenario declares: ids that apps know beforehand, and users who can sign in at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from botocore import UNSIGNED
from botocore.config import Config

from sts_emulator.cli.control import ControlError

SHOP = """
accounts:
  "111122223333":
    roles: {Staff: {trust: [{Effect: Allow, Principal: {AWS: "111122223333"}, Action: "sts:AssumeRole"}]}}
    user_pools:
      shop:
        id: us-east-1_Shop1
        mfa: optional
        sign_in_with: [email]
        custom_attributes: [plan]
        clients:
          web: {id: webclient, secret: 0123456789012345678901234567, hide_users: true}
          cli: {id: cliclient}
        groups: {staff: {role: Staff, precedence: 1}}
        users:
          ana@example.org: {password: Correct-horse-1, attributes: {"custom:plan": gold}, groups: [staff]}
          bob@example.org: {temporary_password: Temporary-1}
"""


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp", config=Config(signature_version=UNSIGNED))


def sign_in(idp, user: str, password: str, client: str = "cliclient") -> dict:
    given = {"USERNAME": user, "PASSWORD": password}
    return idp.initiate_auth(AuthFlow="USER_PASSWORD_AUTH", ClientId=client, AuthParameters=given)


@pytest.mark.scenario(SHOP)
def test_a_declared_user_signs_in(aws, idp):
    from jwt import decode

    token = sign_in(idp, "ana@example.org", "Correct-horse-1")["AuthenticationResult"]["IdToken"]
    claims = decode(token, options={"verify_signature": False})
    assert claims["iss"].endswith("/us-east-1_Shop1")
    assert claims["custom:plan"] == "gold"
    assert claims["cognito:preferred_role"] == "arn:aws:iam::111122223333:role/Staff"
    assert sign_in(idp, "bob@example.org", "Temporary-1")["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
    client = aws.client("cognito-idp").describe_user_pool_client(UserPoolId="us-east-1_Shop1", ClientId="webclient")
    assert client["UserPoolClient"]["ClientSecret"] == "0123456789012345678901234567"


@pytest.mark.scenario(SHOP)
def test_a_scenario_can_be_applied_again(aws, idp):
    before = aws.client("cognito-idp").admin_get_user(UserPoolId="us-east-1_Shop1", Username="ana@example.org")
    aws.load(SHOP.replace("gold", "silver"))
    after = aws.client("cognito-idp").admin_get_user(UserPoolId="us-east-1_Shop1", Username="ana@example.org")
    assert before["Username"] == after["Username"]
    assert {"Name": "custom:plan", "Value": "silver"} in after["UserAttributes"]
    assert sign_in(idp, "ana@example.org", "Correct-horse-1")["AuthenticationResult"]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("id: us-east-1_Shop1", "`eu-west-1_X` is not `us-east-1_`"),
        ("password: Correct-horse-1", "user `ana@example.org`: InvalidPasswordException"),
        ("role: Staff", "no role `Nobody`"),
        ("groups: [staff]", "user `ana@example.org`: ResourceNotFoundException"),
    ],
)
def test_mistakes_are_told_with_their_place(aws, wrong, told):
    right = {
        "id: us-east-1_Shop1": "id: eu-west-1_X",
        "password: Correct-horse-1": "password: short",
        "role: Staff": "role: Nobody",
        "groups: [staff]": "groups: [nobody]",
    }[wrong]
    with pytest.raises(ControlError, match=re.escape(told)):
        aws.load(SHOP.replace(wrong, right))


@pytest.mark.scenario((Path(__file__).parents[3] / "trust_policies" / "cognito.yaml").read_text())
def test_the_phone_apps_user_reaches_their_own_folder(aws, idp):
    """From a password to credentials: user pool, identity pool, the role's trust policy."""
    token = sign_in(idp, "ana", "Correct-horse-1", "1h57kf5cpq17m0eml12EXAMPLE")["AuthenticationResult"]["IdToken"]
    identity = aws.client("cognito-identity", config=Config(signature_version=UNSIGNED))
    logins = {"cognito-idp.us-east-1.amazonaws.com/us-east-1_PhoneApp1": token}
    pool = "us-east-1:0f2c7a3e-5b1d-4c8e-9a6f-3d2b1c0e9f8a"
    who = identity.get_id(IdentityPoolId=pool, Logins=logins)["IdentityId"]
    given = identity.get_credentials_for_identity(IdentityId=who, Logins=logins)["Credentials"]
    keys = {
        "AccessKeyId": given["AccessKeyId"],
        "SecretAccessKey": given["SecretKey"],
        "SessionToken": given["SessionToken"],
    }
    assert "assumed-role/PhonePremium/" in aws.client("sts", keys).get_caller_identity()["Arn"]
    assert json.dumps(aws.events()).count(token) == 0
