"""GetWebIdentityToken: a token that a third party verifies with nothing but the issuer's published keys."""

from __future__ import annotations

import json
import urllib.request

import jwt
import pytest

HOME = "111122223333"

pytestmark = pytest.mark.scenario("sts_world.yaml")


def fetch(url: str):
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)


def verified(token: str, audience: str, *, issuer: str) -> dict:
    """What a third party does: discovery, key by id, signature, issuer, audience, time."""
    discovery = fetch(f"{issuer}/.well-known/openid-configuration")
    assert discovery["issuer"] == issuer
    key = jwt.PyJWKClient(discovery["jwks_uri"]).get_signing_key_from_jwt(token)
    return jwt.decode(token, key, ["RS256", "ES384"], audience=audience, issuer=issuer)


@pytest.fixture
def issuer(aws):
    return aws.client("iam").enable_outbound_web_identity_federation()["IssuerIdentifier"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES384"])
def test_a_third_party_can_verify_who_called(aws, issuer, algorithm):
    alice = aws.client("sts", user="alice")
    answer = alice.get_web_identity_token(
        Audience=["https://partner.example"], SigningAlgorithm=algorithm, Tags=[{"Key": "build", "Value": "7"}]
    )
    claims = verified(answer["WebIdentityToken"], "https://partner.example", issuer=issuer)

    assert jwt.get_unverified_header(answer["WebIdentityToken"])["alg"] == algorithm
    assert claims["sub"] == f"arn:aws:iam::{HOME}:user/staff/alice"
    assert claims["exp"] - claims["iat"] == 300
    details = claims["https://sts.amazonaws.com/"]
    assert details["aws_account"] == HOME
    assert details["principal_tags"] == {"team": "shop"}
    assert details["request_tags"] == {"build": "7"}


def test_an_account_must_have_switched_it_on(aws, refused):
    alice = aws.client("sts", user="alice")
    arguments = {"Audience": ["x"], "SigningAlgorithm": "RS256"}
    assert refused(alice.get_web_identity_token, **arguments)[:2] == (
        403,
        "OutboundWebIdentityFederationDisabledException",
    )


@pytest.mark.usefixtures("issuer")
def test_it_needs_a_permission(aws, refused):
    bob = aws.client("sts", user="bob")
    status, code, message = refused(bob.get_web_identity_token, Audience=["x"], SigningAlgorithm="RS256")
    assert (status, code) == (403, "AccessDenied")
    assert "sts:GetWebIdentityToken" in message


@pytest.mark.usefixtures("issuer")
def test_it_does_not_outlive_the_session_that_asks(aws, refused):
    alice = aws.client("sts", user="alice")
    role = f"arn:aws:iam::{HOME}:role/account-trusted"
    session = aws.client(
        "sts", alice.assume_role(RoleArn=role, RoleSessionName="who", DurationSeconds=900)["Credentials"]
    )
    arguments = {"Audience": ["x"], "SigningAlgorithm": "ES384"}
    assert session.get_web_identity_token(**arguments, DurationSeconds=800)["WebIdentityToken"]
    assert refused(session.get_web_identity_token, **arguments, DurationSeconds=901)[:2] == (
        403,
        "SessionDurationEscalationException",
    )


@pytest.mark.usefixtures("issuer")
def test_only_two_algorithms_exist(aws, refused):
    alice = aws.client("sts", user="alice")
    assert refused(alice.get_web_identity_token, Audience=["x"], SigningAlgorithm="HS256")[:2] == (
        400,
        "ValidationError",
    )
