"""Signing in with a password, and what the tokens say (docs/aws/cognito.md, "Tokens")."""

from __future__ import annotations

import json
import time
import urllib.request

import jwt
import pytest

from sts_emulator.idp.user_pools import passwords

WRONG = ("NotAuthorizedException", "Incorrect username or password.")


def test_a_user_signs_in_and_gets_three_tokens(app):
    result = app.tokens()

    assert set(result) >= {"AccessToken", "IdToken", "RefreshToken", "ExpiresIn", "TokenType"}
    assert (result["ExpiresIn"], result["TokenType"]) == (3600, "Bearer")
    assert result["RefreshToken"].count(".") == 4


def test_id_and_access_tokens_have_keys_of_their_own(app):
    result = app.tokens()
    headers = [jwt.get_unverified_header(result[name]) for name in ("IdToken", "AccessToken")]

    assert [key["kid"] for key in app.jwks()["keys"]] == [header["kid"] for header in headers]
    assert headers[0]["kid"] != headers[1]["kid"]
    assert all(set(header) == {"kid", "alg"} and header["alg"] == "RS256" for header in headers)


def test_what_the_id_token_says(app):
    claims = app.claims(app.tokens()["IdToken"])

    assert claims["iss"] == f"https://cognito-idp.us-east-1.amazonaws.com/{app.pool}"
    assert claims["aud"] == app.client
    assert (claims["token_use"], claims["cognito:username"]) == ("id", "ada")
    assert (claims["email"], claims["email_verified"]) == ("ada@example.org", True)
    assert claims["exp"] - claims["iat"] == 3600
    assert {"sub", "origin_jti", "jti", "event_id", "auth_time"} <= set(claims)
    assert "cognito:groups" not in claims


def test_what_the_access_token_says(app):
    result = app.tokens()
    claims, id_claims = app.claims(result["AccessToken"]), app.claims(result["IdToken"])

    assert "aud" not in claims
    assert "email" not in claims
    assert (claims["client_id"], claims["username"], claims["token_use"]) == (app.client, "ada", "access")
    assert claims["scope"] == "aws.cognito.signin.user.admin"
    assert (claims["sub"], claims["origin_jti"]) == (id_claims["sub"], id_claims["origin_jti"])
    assert claims["jti"] != id_claims["jti"]


@pytest.mark.parametrize(
    ("precedences", "preferred"),
    [((1, 2), "first"), ((2, 1), "second"), ((None, 5), "second"), ((1, 1), None)],
)
def test_groups_and_their_roles(app, precedences, preferred):
    for name, precedence in zip(("first", "second"), precedences, strict=True):
        order = {} if precedence is None else {"Precedence": precedence}
        role = f"arn:aws:iam::123456789012:role/{name}"
        app.admin.create_group(UserPoolId=app.pool, GroupName=name, RoleArn=role, **order)
        app.admin.admin_add_user_to_group(UserPoolId=app.pool, Username="ada", GroupName=name)

    claims = app.claims(app.tokens()["IdToken"])

    assert set(claims["cognito:groups"]) == {"first", "second"}
    assert {role.rpartition("/")[2] for role in claims["cognito:roles"]} == {"first", "second"}
    assert claims.get("cognito:preferred_role", "/").rpartition("/")[2] == (preferred or "")


def test_the_lifetimes_are_the_clients(app):
    units = {"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "hours"}
    client = app.add_client(
        AccessTokenValidity=5, IdTokenValidity=10, RefreshTokenValidity=2, TokenValidityUnits=units
    )["ClientId"]
    result = app.tokens(client=client)

    assert result["ExpiresIn"] == 300
    lives = [app.claims(result[name]) for name in ("AccessToken", "IdToken")]
    assert [claims["exp"] - claims["iat"] for claims in lives] == [300, 600]


def test_a_wrong_password(app, refusal):
    assert refusal(app.sign_in, password="Wrong-horse-1") == WRONG


def test_a_user_who_is_not_there(app, refusal):
    """LEGACY, the API's default, says so; ENABLED does not."""
    assert refusal(app.sign_in, user="bob") == ("UserNotFoundException", "User does not exist.")
    hiding = app.add_client(PreventUserExistenceErrors="ENABLED")["ClientId"]
    assert refusal(app.sign_in, user="bob", client=hiding) == WRONG


def test_nobody_takes_as_long_as_somebody():
    """The time of a refusal tells nothing: both do the same arithmetic. Measured as the work of this process."""
    from sts_emulator.core.sqlite import SqliteStore
    from sts_emulator.core.world import Worlds

    world = Worlds(SqliteStore(":memory:")).create("default")
    pool = {"id": "us-east-1_shop"}
    there = {"username": "ada", **passwords.stored(pool, "ada", "Correct-horse-1")}
    nobody = passwords.nobody(world, pool, "bob")

    def work(credentials) -> float:
        spent = []
        for _ in range(15):
            before = time.process_time()
            assert not passwords.is_password(pool, credentials, "Wrong-horse-1")
            spent.append(time.process_time() - before)
        return min(spent)

    assert 0.5 < work(there) / work(nobody) < 2


def test_five_wrong_passwords_lock_out(app, refusal):
    for _ in range(5):
        assert refusal(app.sign_in, password="Wrong-horse-1") == WRONG
    app.stretch_wait()
    assert refusal(app.sign_in)[1] == "Password attempts exceeded"
    app.aws.advance(seconds=62)
    assert app.tokens()["IdToken"]
    assert refusal(app.sign_in, password="Wrong-horse-1") == WRONG


def test_a_stranger_cannot_tell_a_locked_user_from_nobody(app, refusal):
    hiding = app.add_client(PreventUserExistenceErrors="ENABLED")["ClientId"]
    answers = {"ada": [], "bob": []}
    for user, told in answers.items():
        for number in range(7):
            if number == 5:
                app.stretch_wait()
            told.append(refusal(app.sign_in, user=user, password="Wrong-horse-1", client=hiding))
    assert answers["ada"] == answers["bob"]


def test_a_disabled_user_is_kept_out_and_their_tokens_end(app, refusal):
    result = app.tokens()
    app.admin.admin_disable_user(UserPoolId=app.pool, Username="ada")

    assert refusal(app.sign_in) == ("NotAuthorizedException", "User is disabled.")
    assert refusal(app.sign_in, password="Wrong-horse-1") == WRONG
    code, _ = refusal(
        app.idp.initiate_auth,
        AuthFlow="REFRESH_TOKEN_AUTH",
        ClientId=app.client,
        AuthParameters={"REFRESH_TOKEN": result["RefreshToken"]},
    )
    assert code == "NotAuthorizedException"

    app.admin.admin_enable_user(UserPoolId=app.pool, Username="ada")
    assert app.tokens()


def test_the_admins_flow(app, refusal):
    given = {"ClientId": app.client, "AuthParameters": {"USERNAME": "ada", "PASSWORD": "Correct-horse-1"}}
    result = app.admin.admin_initiate_auth(UserPoolId=app.pool, AuthFlow="ADMIN_USER_PASSWORD_AUTH", **given)

    assert app.claims(result["AuthenticationResult"]["IdToken"])["cognito:username"] == "ada"
    assert (
        refusal(app.idp.initiate_auth, AuthFlow="ADMIN_USER_PASSWORD_AUTH", **given)[0] == "InvalidParameterException"
    )
    unsigned = refusal(app.idp.admin_initiate_auth, UserPoolId=app.pool, AuthFlow="ADMIN_USER_PASSWORD_AUTH", **given)
    assert unsigned[0] == "MissingAuthenticationTokenException"


def test_a_flow_that_the_client_does_not_let_through(app, refusal):
    client = app.add_client(ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"])["ClientId"]
    assert refusal(app.sign_in, client=client) == (
        "InvalidParameterException",
        "USER_PASSWORD_AUTH flow not enabled for this client",
    )


def test_an_alias_signs_in_once_it_is_verified(refusal, new_app):
    app = new_app(AliasAttributes=["email"])
    app.add_user("ada", email="ada@example.org")
    assert refusal(app.sign_in, user="ada@example.org")[0] == "UserNotFoundException"

    verified = [{"Name": "email_verified", "Value": "true"}]
    app.admin.admin_update_user_attributes(UserPoolId=app.pool, Username="ada", UserAttributes=verified)
    assert app.claims(app.tokens("ada@example.org")["IdToken"])["cognito:username"] == "ada"


def test_an_email_as_username(new_app):
    app = new_app(UsernameAttributes=["email"], UsernameConfiguration={"CaseSensitive": False})
    sub = app.add_user("Ada@example.org")
    claims = app.claims(app.tokens("ada@EXAMPLE.org")["IdToken"])
    assert (claims["cognito:username"], claims["email"]) == (sub, "Ada@example.org")


def test_discovery_names_issuer_and_keys(app):
    with urllib.request.urlopen(f"{app.aws.endpoint_url}/{app.pool}/.well-known/openid-configuration") as answer:
        told = json.load(answer)
    assert told["issuer"] == f"https://cognito-idp.us-east-1.amazonaws.com/{app.pool}"
    assert told["jwks_uri"] == f"{app.aws.endpoint_url}/{app.pool}/.well-known/jwks.json"
