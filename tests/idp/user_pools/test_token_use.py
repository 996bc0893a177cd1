"""Tokens that come back: refreshed, revoked, forged, of another kind."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa


def refresh(app, token: str, client: str = "", **more: str) -> dict:
    given = {"REFRESH_TOKEN": token, **more}
    return app.idp.initiate_auth(AuthFlow="REFRESH_TOKEN_AUTH", ClientId=client or app.client, AuthParameters=given)[
        "AuthenticationResult"
    ]


# -- refresh tokens --------------------------------------------------------------------------------------------------


def test_new_tokens_for_a_refresh_token(app):
    first = app.tokens()
    second = refresh(app, first["RefreshToken"])

    assert "RefreshToken" not in second
    before, after = app.claims(first["AccessToken"]), app.claims(second["AccessToken"])
    assert after["jti"] != before["jti"]
    same = ("origin_jti", "auth_time", "sub")
    assert [after[name] for name in same] == [before[name] for name in same]


def test_a_refresh_token_is_over_after_thirty_days(app, refusal):
    token = app.tokens()["RefreshToken"]
    app.aws.advance(days=31)
    assert refusal(refresh, app=app, token=token) == ("NotAuthorizedException", "Refresh Token has expired")


def test_forged_and_foreign_refresh_tokens(app, refusal):
    token = app.tokens()["RefreshToken"]
    invalid = ("NotAuthorizedException", "Invalid Refresh Token")
    head, _, rest = token.partition(".")
    forged = (f"{head}.A{rest[1:]}", token[:-1], token + "A", f"x.{rest}", "a.b.c.d.e", "a" * 60_000, f".{rest}")
    for text in forged:
        if text != token:
            assert refusal(refresh, app=app, token=text) == invalid
    other = app.add_client()["ClientId"]
    assert refusal(refresh, app=app, token=token, client=other) == invalid
    assert refusal(refresh, app=app, token=app.tokens()["AccessToken"]) == invalid


def test_rotating_refresh_tokens(app, refusal):
    flows = ["ALLOW_USER_PASSWORD_AUTH"]
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}
    client = app.add_client(ExplicitAuthFlows=flows, RefreshTokenRotation=rotation)["ClientId"]
    call, first = app.idp.get_tokens_from_refresh_token, app.tokens(client=client)["RefreshToken"]

    second = call(ClientId=client, RefreshToken=first)["AuthenticationResult"]["RefreshToken"]
    assert second != first
    assert call(ClientId=client, RefreshToken=first)["AuthenticationResult"]["IdToken"]  # a retry
    app.aws.advance(seconds=11)
    assert refusal(call, ClientId=client, RefreshToken=first)[0] == "RefreshTokenReuseException"
    assert call(ClientId=client, RefreshToken=second)["AuthenticationResult"]["IdToken"]
    assert refusal(refresh, app=app, token=second, client=client)[0] == "InvalidParameterException"


def test_revoking_ends_one_sign_in(app, refusal):
    one, other = app.tokens(), app.tokens()
    app.idp.revoke_token(Token=one["RefreshToken"], ClientId=app.client)

    assert refusal(refresh, app=app, token=one["RefreshToken"])[0] == "NotAuthorizedException"
    assert refusal(app.idp.get_user, AccessToken=one["AccessToken"])[1] == "Access Token has been revoked"
    assert app.idp.get_user(AccessToken=other["AccessToken"])["Username"] == "ada"
    app.idp.revoke_token(Token=one["RefreshToken"], ClientId=app.client)  # again: nothing to say


def test_only_a_refresh_token_of_the_client_can_be_revoked(app, refusal):
    tokens = app.tokens()
    call = app.idp.revoke_token
    assert refusal(call, Token=tokens["AccessToken"], ClientId=app.client)[0] == "UnsupportedTokenTypeException"
    secretive = app.add_client(GenerateSecret=True)["ClientId"]
    assert refusal(call, Token=tokens["RefreshToken"], ClientId=secretive)[0] == "UnauthorizedException"
    fixed = app.add_client(EnableTokenRevocation=False)["ClientId"]
    mine = app.tokens(client=fixed)
    assert refusal(call, Token=mine["RefreshToken"], ClientId=fixed)[0] == "UnsupportedOperationException"
    assert "origin_jti" not in app.claims(mine["IdToken"])


def test_signing_out_everywhere_spares_a_sign_in_of_the_same_second(app, refusal):
    before = app.tokens()
    app.idp.global_sign_out(AccessToken=before["AccessToken"])
    after = app.tokens()

    assert refusal(app.idp.get_user, AccessToken=before["AccessToken"])[1] == "Access Token has been revoked"
    assert refusal(refresh, app=app, token=before["RefreshToken"])[0] == "NotAuthorizedException"
    assert app.idp.get_user(AccessToken=after["AccessToken"])["Username"] == "ada"

    app.admin.admin_user_global_sign_out(UserPoolId=app.pool, Username="ada")
    assert refusal(app.idp.get_user, AccessToken=after["AccessToken"])[1] == "Access Token has been revoked"


# -- access tokens ---------------------------------------------------------------------------------------------------


def test_an_expired_access_token(app, refusal):
    token = app.tokens()["AccessToken"]
    app.aws.advance(minutes=61)
    assert refusal(app.idp.get_user, AccessToken=token) == ("NotAuthorizedException", "Access Token has expired")


def test_an_id_token_is_no_access_token(app, refusal):
    expected = ("NotAuthorizedException", "Invalid Access Token")
    assert refusal(app.idp.get_user, AccessToken=app.tokens()["IdToken"]) == expected


def part(content: dict) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


@pytest.mark.parametrize("forgery", ["unsigned", "HS256 with the public key", "another key", "changed claims", "noise"])
def test_forged_access_tokens(app, refusal, forgery):
    token = app.tokens()["AccessToken"]
    header, claims = jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})
    key = next(key for key in app.jwks()["keys"] if key["kid"] == header["kid"])
    stranger = rsa.generate_private_key(65537, 2048)
    _, _, signature = token.split(".")
    forged = {
        "unsigned": f"{part({'alg': 'none', 'kid': header['kid']})}.{part(claims)}.",
        "HS256 with the public key": jwt.encode(claims, key["n"] * 2, "HS256", headers={"kid": header["kid"]}),
        "another key": jwt.encode(claims, stranger, "RS256", headers={"kid": header["kid"]}),
        "changed claims": f"{part(header)}.{part({**claims, 'username': 'bob', 'sub': 'bob'})}.{signature}",
        "noise": "a.b.c",
    }[forgery]
    code, message = refusal(app.idp.get_user, AccessToken=forged)
    assert code == "NotAuthorizedException"
    assert "Access Token" in message


def test_a_token_of_another_world_or_of_a_pool_that_is_gone(app, emulator_server, refusal):
    token = app.tokens()["AccessToken"]
    with emulator_server.world() as elsewhere:
        stranger = elsewhere.client("cognito-idp")
        assert refusal(stranger.get_user, AccessToken=token)[0] == "NotAuthorizedException"
    app.admin.delete_user_pool(UserPoolId=app.pool)
    assert refusal(app.idp.get_user, AccessToken=token)[0] == "NotAuthorizedException"


def test_a_megabyte_is_not_parsed(app, refusal):
    assert refusal(app.idp.get_user, AccessToken="a" * 1_000_000)[1] == "Invalid Access Token"


def test_secrets_are_not_in_the_log(app):
    """Passwords, tokens, codes and attributes of users are hidden from CloudTrail's records."""
    tokens = app.tokens()
    app.idp.get_user(AccessToken=tokens["AccessToken"])
    text = json.dumps(app.aws.events())
    for secret in (
        "Correct-horse-1",
        "Temporary-1",
        *(tokens[name] for name in ("AccessToken", "IdToken", "RefreshToken")),
    ):
        assert secret not in text


def test_an_id_token_is_a_proof_for_sts(app):
    """The pool as an OIDC provider of the account: what checks tokens finds the pool's keys by its issuer."""
    iam = app.aws.client("iam")
    host = f"cognito-idp.us-east-1.amazonaws.com/{app.pool}"
    provider = iam.create_open_id_connect_provider(
        Url=f"https://{host}", ClientIDList=[app.client], ThumbprintList=["0" * 40]
    )["OpenIDConnectProviderArn"]
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {f"{host}:aud": app.client}},
            }
        ],
    }
    role = iam.create_role(RoleName="shopper", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    answer = app.aws.client("sts").assume_role_with_web_identity(
        RoleArn=role, RoleSessionName="ada", WebIdentityToken=app.tokens()["IdToken"]
    )
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
