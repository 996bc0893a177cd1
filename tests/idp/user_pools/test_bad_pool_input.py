"""What no SDK sends: each is refused with an error of AWS's, and nothing fails inside."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

from sts_emulator.idp.user_pools import srp


def call(app, operation: str, content) -> tuple[int, str]:
    """An unsigned call with any body: its status and error."""
    headers = {
        "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
    }
    body = json.dumps(content).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{app.aws.endpoint_url}/", body, headers)) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)["__type"]


@pytest.mark.parametrize("value", [None, 5, "x", [], {"a": {}}, {"USERNAME": None}, {"USERNAME": 5}])
def test_parameters_of_another_shape(app, value):
    for operation, member in (("InitiateAuth", "AuthParameters"), ("RespondToAuthChallenge", "ChallengeResponses")):
        given = {
            "ClientId": app.client,
            "AuthFlow": "USER_PASSWORD_AUTH",
            "ChallengeName": "PASSWORD_VERIFIER",
            member: value,
        }
        status, code = call(app, operation, given)
        assert (status, code) in ((400, "InvalidParameterException"), (400, "SerializationException"))


@pytest.mark.parametrize("pairs", [[None], [{}], [{"Name": None}], [{"Name": "email", "Value": None}], [{"Name": ""}]])
def test_attributes_with_holes(app, pairs):
    given = {"ClientId": app.client, "Username": "eve", "Password": "Correct-horse-1", "UserAttributes": pairs}
    status, _ = call(app, "SignUp", given)
    assert status in (200, 400)


@pytest.mark.parametrize("limit", ["abc", "", "1.5", "9" * 40, "٣"])
def test_limits_of_attributes_are_numbers(app, refusal, limit):
    schema = [{"Name": "plan", "AttributeDataType": "String", "StringAttributeConstraints": {"MaxLength": limit}}]
    code, _ = refusal(app.admin.create_user_pool, PoolName="x", Schema=schema)
    assert code == "InvalidParameterException"


def test_numbers_keep_to_their_limits(app, refusal):
    limits = {"MinValue": "1", "MaxValue": "10"}
    plan = {"Name": "age", "AttributeDataType": "Number", "NumberAttributeConstraints": limits, "Mutable": True}
    app.admin.add_custom_attributes(UserPoolId=app.pool, CustomAttributes=[plan])

    def write(value: str) -> dict:
        pairs = [{"Name": "custom:age", "Value": value}]
        return app.admin.admin_update_user_attributes(UserPoolId=app.pool, Username="ada", UserAttributes=pairs)

    write("10")
    for wrong in ("11", "0", "x", "", "1e1", "9" * 40):
        assert refusal(write, value=wrong)[0] == "InvalidParameterException"


@pytest.mark.parametrize("block", ["", "x", "é", "====", "A" * 100_000, "MDAw", "//8="])
def test_secret_blocks_that_are_none(app, block):
    given = {
        "USERNAME": "ada",
        "PASSWORD_CLAIM_SECRET_BLOCK": block,
        "PASSWORD_CLAIM_SIGNATURE": "AAAA",
        "TIMESTAMP": "Mon Nov 23 19:56:06 UTC 2026",
    }
    content = {"ClientId": app.client, "ChallengeName": "PASSWORD_VERIFIER", "ChallengeResponses": given}
    status, code = call(app, "RespondToAuthChallenge", content)
    assert status == 400
    assert code in ("NotAuthorizedException", "InvalidParameterException")


@pytest.mark.parametrize("path", ["", "x", "us-east-1_nobody", "%2e%2e", "us-east-1_x%2fy"])
def test_keys_of_no_pool(app, path):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{app.aws.endpoint_url}/{path}/.well-known/jwks.json")
    with refused.value:
        assert refused.value.code in (400, 404)


def test_a_public_value_is_bounded_before_it_is_a_number():
    assert srp.public_value("f" * (srp.LONGEST + 1)) is None
    assert srp.public_value("f") == 15
