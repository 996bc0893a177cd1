"""Token exchange: a user's token for one that another service takes, and what nobody may make of it."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

ADMIN = "aws.cognito.signin.user.admin"
API = "https://api.example.org"


@pytest.fixture
def service(app):
    """A client that exchanges tokens, with a secret, as a service in between has."""
    flows = ["ALLOW_TOKEN_EXCHANGE_IMPERSONATION", "ALLOW_TOKEN_EXCHANGE_DELEGATION", "ALLOW_USER_PASSWORD_AUTH"]
    scopes = {"AllowedOAuthScopes": [ADMIN], "AllowedOAuthFlows": ["code"], "AllowedOAuthFlowsUserPoolClient": True}
    return app.add_client(
        ExplicitAuthFlows=flows, GenerateSecret=True, CallbackURLs=["https://app.example.org/"], **scopes
    )


def exchange(app, service, token: str, kind: str = "ACCESS_TOKEN", **more) -> dict:
    return app.idp.get_derived_token(
        **{"ClientId": service["ClientId"], "ClientSecret": service["ClientSecret"], **more},
        SubjectToken=token,
        SubjectTokenType=kind,
    )


def test_a_token_for_another_audience(app, service):
    # given a user's access token, when a service asks for one to show to another
    subject = app.tokens()["AccessToken"]
    result = exchange(app, service, subject, Audiences=["orders"])

    # then it is the user's, for that audience, by the service
    claims = app.claims(result["IssuedToken"])
    assert (claims["aud"], claims["client_id"], claims["username"]) == ("orders", service["ClientId"], "ada")
    assert "act" not in claims
    assert (result["IssuedTokenType"], result["TokenType"], result["Scopes"]) == ("ACCESS_TOKEN", "Bearer", [ADMIN])
    assert claims["exp"] <= app.claims(subject)["exp"]


def test_who_acts_for_whom(app, service):
    app.add_user("eve")
    subject, actor = app.tokens()["AccessToken"], app.tokens("eve")["AccessToken"]
    acting = {"ActorToken": actor, "ActorTokenType": "ACCESS_TOKEN"}
    first = exchange(app, service, subject, **acting)["IssuedToken"]
    eve = app.claims(actor)["sub"]
    assert app.claims(first)["act"] == {"sub": eve}
    second = exchange(app, service, first, **acting)["IssuedToken"]
    assert app.claims(second)["act"] == {"sub": eve, "act": {"sub": eve}}
    assert app.claims(exchange(app, service, first)["IssuedToken"])["act"] == {"sub": eve}


def test_an_id_token_for_an_id_token(app, service, refusal):
    subject = app.tokens()["IdToken"]
    result = exchange(app, service, subject, "ID_TOKEN", RequestedTokenType="ID_TOKEN")
    claims = app.claims(result["IssuedToken"])
    assert (claims["token_use"], claims["aud"], claims["cognito:username"]) == ("id", service["ClientId"], "ada")
    assert result["TokenType"] == "N_A"
    other = {"RequestedTokenType": "ID_TOKEN", "Audiences": [app.client]}  # which would open what is that app's
    assert refusal(exchange, app=app, service=service, token=subject, kind="ID_TOKEN", **other)[0] == (
        "InvalidParameterException"
    )


def test_a_resource_server_as_the_audience(app, service, refusal):
    subject = app.tokens()["AccessToken"]
    missing = refusal(exchange, app=app, service=service, token=subject, Resources=[API])
    assert missing[0] == "ResourceNotFoundException"
    app.admin.create_resource_server(UserPoolId=app.pool, Identifier=API, Name="api")
    claims = app.claims(exchange(app, service, subject, Resources=[API])["IssuedToken"])
    assert claims["aud"] == API
    both = {"Resources": [API], "Audiences": ["x"]}
    assert refusal(exchange, app=app, service=service, token=subject, **both)[0] == "InvalidParameterException"


def test_scopes_only_become_fewer(app, service, refusal):
    subject = app.tokens()["AccessToken"]
    wider = refusal(exchange, app=app, service=service, token=subject, Scopes=["openid"])
    assert wider[0] == "NotAuthorizedException"
    flows = ["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"]
    narrow = app.add_client(ExplicitAuthFlows=flows, GenerateSecret=True)
    result = exchange(app, narrow, subject)
    assert "Scopes" not in result
    assert refusal(app.idp.get_user, AccessToken=result["IssuedToken"])[0] == "NotAuthorizedException"


def test_it_ends_with_the_sign_in_that_it_comes_of(app, service, refusal):
    signed_in = app.tokens()
    issued = exchange(app, service, signed_in["AccessToken"])["IssuedToken"]
    assert app.idp.get_user(AccessToken=issued)["Username"] == "ada"
    app.idp.revoke_token(Token=signed_in["RefreshToken"], ClientId=app.client)
    assert refusal(app.idp.get_user, AccessToken=issued)[1] == "Access Token has been revoked"
    for token in (issued, signed_in["AccessToken"]):
        assert refusal(exchange, app=app, service=service, token=token)[0] == "NotAuthorizedException"


def test_who_may_exchange(app, service, refusal):
    token = app.tokens()["AccessToken"]
    wrong = refusal(exchange, app=app, service=service, token=token, ClientSecret="x" * 30)
    assert wrong[0] == "NotAuthorizedException"
    public = {"ClientId": app.client, "SubjectToken": token, "SubjectTokenType": "ACCESS_TOKEN"}
    assert refusal(app.idp.get_derived_token, **public)[0] == "NotAuthorizedException"
    only = app.add_client(ExplicitAuthFlows=["ALLOW_TOKEN_EXCHANGE_IMPERSONATION"], GenerateSecret=True)
    acting = {"ActorToken": token, "ActorTokenType": "ACCESS_TOKEN"}
    assert refusal(exchange, app=app, service=only, token=token, **acting)[0] == "NotAuthorizedException"
    assert refusal(exchange, app=app, service=service, token=token, ActorToken=token)[0] == "InvalidParameterException"


def test_tokens_that_are_none(app, service, new_app, refusal):
    signed_in = app.tokens()
    other = new_app()
    other.add_user("ada")
    forged = jwt.encode(app.claims(signed_in["AccessToken"]), rsa.generate_private_key(65537, 2048), "RS256")
    unsigned = jwt.encode(app.claims(signed_in["AccessToken"]), "", "none")
    wrong = ("x", "a.b.c", forged, unsigned, signed_in["IdToken"], other.tokens()["AccessToken"], "a" * 60_000)
    for token in (*wrong, signed_in["RefreshToken"]):
        assert refusal(exchange, app=app, service=service, token=token)[0] == "NotAuthorizedException"
    app.aws.advance(hours=2)
    assert refusal(exchange, app=app, service=service, token=signed_in["AccessToken"])[1] == "Token has expired"


def test_a_disabled_user_has_no_more_tokens(app, service, refusal):
    token = app.tokens()["AccessToken"]
    app.admin.admin_disable_user(UserPoolId=app.pool, Username="ada")
    assert refusal(exchange, app=app, service=service, token=token)[0] == "NotAuthorizedException"
