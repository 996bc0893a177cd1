"""Tokens for who has AWS credentials already (docs/aws/console-sign-in.md, "Actions and resources")."""

from __future__ import annotations

import json

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from login_lab import DEV, signed

MCP = "aws-mcp.amazonaws.com"
GRANT = {"grantType": "client_credentials", "resource": MCP}


@pytest.fixture
def signin(aws):
    return signed(aws)


@pytest.fixture
def dora(aws):
    """`dora(statement)`: a client of dora's, who may from then on do what one statement says."""
    iam = aws.client("iam")
    key = iam.create_access_key(UserName="dora")["AccessKey"]

    def client(**statement):
        document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})
        iam.put_user_policy(UserName="dora", PolicyName="only", PolicyDocument=document)
        return signed(aws, {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]})

    return client


def test_a_token_says_who_stands_behind_it(aws, signin):
    answer = signin.create_oauth2_token_with_iam(**GRANT)
    assert (answer["tokenType"], answer["expiresIn"]) == ("Bearer", 3600)
    known = signin.introspect_oauth2_token_with_iam(token=answer["accessToken"])
    assert (known["active"], known["tokenType"]) == (True, "access_token")
    assert (known["aud"], known["accountId"]) == (MCP, DEV)
    assert known["userId"] == aws.client("sts").get_caller_identity()["UserId"]
    aws.advance(3601)
    assert signin.introspect_oauth2_token_with_iam(token=answer["accessToken"])["active"] is False


def test_a_token_ends_with_the_session_behind_it(aws):
    session = aws.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    client = signed(aws, session)
    assert client.create_oauth2_token_with_iam(**GRANT)["expiresIn"] <= 900
    assert client.create_bearer_token(**GRANT)["expiresIn"] <= 900


def test_a_bearer_token_lasts_up_to_twelve_hours(signin, denied):
    assert (
        signin.create_bearer_token(grantType="client_credentials", resource="ecr.amazonaws.com")["expiresIn"] == 43200
    )
    assert signin.create_bearer_token(**GRANT, durationSeconds=300)["expiresIn"] == 300
    assert denied(signin.create_bearer_token, **GRANT, durationSeconds=43201)[0] == "ValidationException"


@pytest.mark.parametrize("resource", ["evil.example", "x", "*.amazonaws.com", "https://aws-mcp.us-east-1.api.aws/mcp"])
def test_resources_that_no_tokens_are_for(signin, denied, resource):
    given = {"grantType": "client_credentials", "resource": resource}
    assert denied(signin.create_oauth2_token_with_iam, **given) == ("ValidationException", "invalid_target")


def test_the_policy_engine_is_asked_with_the_keys_of_the_grant(dora, denied):
    place = f"arn:aws:signin:*:{DEV}:service-principal/{MCP}"
    when = {"StringEquals": {"signin:OAuthGrantType": "client_credentials"}}
    client = dora(Action="signin:CreateOAuth2Token", Resource=place, Condition=when)
    assert client.create_oauth2_token_with_iam(**GRANT)["accessToken"]
    other = {**GRANT, "resource": "ecr.amazonaws.com"}
    assert denied(client.create_oauth2_token_with_iam, **other)[0] == "AccessDeniedException"
    assert denied(client.create_bearer_token, **GRANT)[0] == "AccessDeniedException"
    assert denied(client.introspect_oauth2_token_with_iam, token="ASOAx")[0] == "AccessDeniedException"
    refresh_only = {"StringEquals": {"signin:OAuthGrantType": "refresh_token"}}
    stricter = dora(Action="signin:CreateOAuth2Token", Resource=place, Condition=refresh_only)
    assert denied(stricter.create_oauth2_token_with_iam, **GRANT)[0] == "AccessDeniedException"


def test_tokens_are_asked_about_under_the_names_of_their_actions(dora, signin):
    when = {"StringEquals": {"signin:OAuthTokenType": "access_token"}}
    client = dora(Action="signin:IntrospectOAuth2Token", Resource="*", Condition=when)
    token = signin.create_oauth2_token_with_iam(**GRANT)["accessToken"]
    assert client.introspect_oauth2_token_with_iam(token=token)["active"] is True


def test_another_worlds_token_and_a_forged_one(signin, emulator_server):
    with emulator_server.world() as other:
        foreign = signed(other).create_oauth2_token_with_iam(**GRANT)["accessToken"]
    for token in (foreign, "ASOAx", foreign[:-8] + "A" * 8):
        assert signin.introspect_oauth2_token_with_iam(token=token)["active"] is False


EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
WHOLE = {"subjectToken": "a.b.c", "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt", "resource": MCP}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"grantType": EXCHANGE}, ("ValidationException", "invalid_request")),
        (
            {"grantType": EXCHANGE, **WHOLE, "subjectTokenType": "urn:ietf:params:oauth:token-type:saml2"},
            ("ValidationException", "invalid_request"),
        ),
        ({"grantType": BEARER}, ("ValidationException", "invalid_request")),
        ({"grantType": EXCHANGE, **WHOLE}, ("InvalidGrantException", "invalid_grant")),
        ({"grantType": BEARER, "assertion": "a.b.c"}, ("InvalidGrantException", "invalid_grant")),
    ],
)
def test_no_token_is_exchanged(aws, denied, given, told):
    """Whose tokens AWS exchanges is not published; so nobody's are."""
    options = {"endpoint_url": aws.endpoint_url, "region_name": "us-east-1"}
    client = boto3.client("signin", config=Config(signature_version=UNSIGNED), **options)
    client.meta.events.register(
        "before-call.signin", lambda params, **_: params.update(url=f"{aws.endpoint_url}{params['url_path']}")
    )
    assert denied(client.create_o_auth2_token_with_token_exchange, **given) == told
    if told[0] == "InvalidGrantException":
        assert "does not publish" in aws.explain()
