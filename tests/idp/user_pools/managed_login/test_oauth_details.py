"""What AWS's guide says of single points of the OAuth endpoints and pages (docs/aws/cognito.md, "Managed login")."""

from __future__ import annotations

import httpx
import jwt
import pytest
from managed_login_lab import CALLBACK, PASSWORD, POOL, SECRET, App, Person


@pytest.fixture
def idp(aws):
    return aws.client("cognito-idp")


def change_client(idp, client: str = "web", **settings) -> None:
    known = idp.describe_user_pool_client(UserPoolId=POOL, ClientId=client)["UserPoolClient"]
    kept = {name: value for name, value in known.items() if not name.endswith("Date") and name != "ClientSecret"}
    idp.update_user_pool_client(**{**kept, **settings})


def tokens(app: App, person: Person, **changes: str | None) -> dict:
    person.sign_in(app.url(prompt="login", **changes))
    answer = app.redeem(person.back["code"])
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_two_keys_and_plain_headers(aws, app, person):
    given = tokens(app, person)
    heads = [jwt.get_unverified_header(given[name]) for name in ("id_token", "access_token")]
    assert [set(head) for head in heads] == [{"kid", "alg"}] * 2
    published = httpx.get(f"{aws.endpoint_url}/{POOL}/.well-known/jwks.json").json()["keys"]
    assert {key["kid"] for key in published} == {head["kid"] for head in heads}
    assert len(published) == 2
    assert given["refresh_token"].count(".") == 4


def test_tokens_of_one_sign_in_belong_together(app, person):
    given = tokens(app, person)
    claims, access = app.claims(given["id_token"]), app.claims(given["access_token"])
    for name in ("origin_jti", "event_id", "auth_time", "iss", "sub"):
        assert claims[name] == access[name]
    assert claims["jti"] != access["jti"]
    assert (access["token_use"], access["scope"]) == ("access", "openid email")


def test_clients_without_revocation(idp, app, person):
    change_client(idp, EnableTokenRevocation=False)
    given = tokens(app, person)
    assert "origin_jti" not in app.claims(given["access_token"])


def test_lifetimes_are_the_clients(idp, app, person):
    units = {"AccessToken": "minutes", "IdToken": "minutes"}
    change_client(idp, AccessTokenValidity=10, IdTokenValidity=20, TokenValidityUnits=units)
    given = tokens(app, person)
    assert given["expires_in"] == 600
    claims, access = app.claims(given["id_token"]), app.claims(given["access_token"])
    assert (access["exp"] - access["iat"], claims["exp"] - claims["iat"]) == (600, 1200)


def test_refresh_tokens_that_rotate(aws, idp, app, person):
    flows = ["ALLOW_USER_PASSWORD_AUTH"]
    rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}
    change_client(idp, ExplicitAuthFlows=flows, RefreshTokenRotation=rotation)
    first = tokens(app, person)["refresh_token"]
    second = app.token(grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    assert second != first
    aws.advance(11)
    answer = app.token(grant_type="refresh_token", refresh_token=first)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_without_a_scope_there_are_the_clients(app, person):
    access = app.claims(tokens(app, person, scope=None)["access_token"])
    assert set(access["scope"].split()) == {
        *("openid", "email", "profile", "aws.cognito.signin.user.admin", "https://api.example/read"),
    }


def test_without_openid_there_is_no_id_token(app, person):
    given = tokens(app, person, scope="aws.cognito.signin.user.admin")
    assert "id_token" not in given
    assert app.user_info(given["access_token"]).status_code == 401


def test_tokens_of_the_api_are_none_of_userinfo(idp, app):
    change_client(idp, ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"])
    given = idp.initiate_auth(
        AuthFlow="USER_PASSWORD_AUTH", ClientId="web", AuthParameters={"USERNAME": "ana", "PASSWORD": PASSWORD}
    )["AuthenticationResult"]
    answer = app.user_info(given["AccessToken"])
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_a_machine_names_whom_its_token_is_for(aws):
    machine = App(aws, "machine", SECRET)
    given = machine.token(grant_type="client_credentials", resource="https://api.example/v1").json()
    assert machine.claims(given["access_token"])["aud"] == "https://api.example/v1"
    answer = machine.token(grant_type="client_credentials", resource="http://api.example")
    assert answer.json() == {"error": "invalid_request"}


def test_the_default_redirect_of_a_client_with_one_provider(idp, app, person):
    change_client(idp, DefaultRedirectURI=CALLBACK)
    person.sign_in(app.url(redirect_uri=None))
    assert person.page.headers["location"].startswith(f"{CALLBACK}?code=")


def test_signing_out_everywhere_is_not_the_browsers(idp, app, person):
    given = tokens(app, person, scope="openid aws.cognito.signin.user.admin")
    idp.global_sign_out(AccessToken=given["access_token"])
    assert app.user_info(given["access_token"]).status_code == 401
    person.open(app.url(prompt="none"))
    assert "code" in person.back  # the cookie still stands, as on AWS


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"scope": "openid root"}, "invalid_scope"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"prompt": "sleep"}, "invalid_request"),
    ],
)
def test_the_sign_in_page_takes_what_authorize_takes(app, person, changes, error):
    for page in ("login", "signup", "forgotPassword"):
        person.open(app.url(page, **changes))
        assert person.back == {"error": error, "state": "a state & more"}


def test_the_paths_of_the_guide(app, person):
    headings = {
        "login": "Sign in",
        "signup": "Create an account",
        "confirm": "Confirm your account",
        "confirmUser": "Confirm your account",
        "forgotPassword": "Forgot your password?",
        "confirmforgotPassword": "Choose a new password",
        "confirmForgotPassword": "Choose a new password",
    }
    for page, heading in headings.items():
        person.open(app.url(page))
        assert person.heading == heading
    person.open(app.url("confirm"))
    assert person.fill(username="ana", code="1").status_code == 400


def test_what_goes_back_to_the_app_is_where_its_flow_has_it(app, person):
    person.sign_in(app.url(response_type="token"))
    assert "#id_token=" in person.page.headers["location"]
    assert "?" not in person.page.headers["location"]
    person.open(app.url())
    assert "#" not in person.page.headers["location"]
