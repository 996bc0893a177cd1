"""GetWebIdentityToken: a token that a third party verifies with nothing but the issuer's published keys."""

from __future__ import annotations

import json
import re
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


@pytest.mark.parametrize(("algorithm", "key_id"), [("RS256", "RSA_0"), ("ES384", "EC384_0")])
def test_keys_are_called_as_on_aws(aws, issuer, algorithm, key_id):
    """Recorded on AWS, 2026-09."""
    alice = aws.client("sts", user="alice")
    token = alice.get_web_identity_token(Audience=["x"], SigningAlgorithm=algorithm)["WebIdentityToken"]
    assert jwt.get_unverified_header(token)["kid"] == key_id
    published = fetch(f"{issuer}/.well-known/jwks.json")["keys"]
    assert sorted(key["kid"] for key in published) == ["EC384_0", "RSA_0"]


@pytest.mark.usefixtures("issuer")
def test_the_expiration_has_milliseconds(aws):
    """Recorded on AWS, 2026-09; all other expirations of STS are whole seconds."""
    alice, bodies = aws.client("sts", user="alice"), []
    alice.meta.events.register("before-parse.sts.*", lambda response_dict, **_: bodies.append(response_dict["body"]))
    alice.get_web_identity_token(Audience=["x"], SigningAlgorithm="ES384")
    assert re.search(rb"<Expiration>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z</Expiration>", bodies[0])
    assert aws.events()[-1]["eventName"] == "GetWebIdentityToken"


def test_an_account_must_have_switched_it_on(aws, refused):
    """Recorded on AWS, 2026-09: told only to those who have the permission."""
    arguments = {"Audience": ["x"], "SigningAlgorithm": "RS256"}
    assert refused(aws.client("sts", user="alice").get_web_identity_token, **arguments) == (
        403,
        "OutboundWebIdentityFederationDisabledException",
        "OutboundWebIdentityFederation is disabled.",
    )
    status, code, message = refused(aws.client("sts", user="bob").get_web_identity_token, **arguments)
    assert (status, code) == (403, "AccessDenied")
    assert f"sts:GetWebIdentityToken on resource: arn:aws:sts::{HOME}:self" in message


def allow(aws, action: str) -> None:
    statement = {"Effect": "Allow", "Action": action, "Resource": f"arn:aws:sts::{HOME}:self"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    name = action.partition(":")[2]
    aws.client("iam").put_user_policy(UserName="bob", PolicyName=name, PolicyDocument=document)


@pytest.mark.usefixtures("issuer")
def test_a_permission_may_be_scoped_to_self_and_tags_need_another(aws, refused):
    bob = aws.client("sts", user="bob")
    arguments = {"Audience": ["x"], "SigningAlgorithm": "ES384"}
    tags = [{"Key": "build", "Value": "7"}]
    assert refused(bob.get_web_identity_token, **arguments)[:2] == (403, "AccessDenied")
    allow(aws, "sts:GetWebIdentityToken")
    assert bob.get_web_identity_token(**arguments)["WebIdentityToken"]
    assert "sts:TagGetWebIdentityToken" in refused(bob.get_web_identity_token, **arguments, Tags=tags)[2]
    allow(aws, "sts:TagGetWebIdentityToken")
    assert bob.get_web_identity_token(**arguments, Tags=tags)["WebIdentityToken"]


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
    assert refused(alice.get_web_identity_token, Audience=["x"], SigningAlgorithm="HS256") == (
        400,
        "ValidationError",
        "Requested SigningAlgorithm is not supported. See the GetWebIdentityToken documentation for supported algorithms",
    )
