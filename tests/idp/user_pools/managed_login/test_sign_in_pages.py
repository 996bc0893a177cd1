"""An app sends a person to managed login; the person comes back with a code, and the app has tokens for it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import time
from types import SimpleNamespace

import httpx
import pytest
from managed_login_lab import CALLBACK, OUT, PASSWORD, POOL, App, Person

from sts_emulator.accounts.people import totp


def test_there_and_back(app, person):
    # Given an app that sends somebody to sign in
    person.open(app.url())
    assert person.heading == "Sign in"
    # When they do
    person.fill(username="ana", password=PASSWORD)
    # Then the app gets a code and its state, and redeems the code with what the challenge was made of
    assert person.page.headers["location"].startswith(f"{CALLBACK}?code=")
    assert person.back["state"] == "a state & more"
    answer = app.redeem(person.back["code"])
    assert answer.status_code == 200
    given = answer.json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
    claims, access = app.claims(given["id_token"]), app.claims(given["access_token"])
    assert claims["aud"] == "web"
    assert claims["token_use"] == "id"
    assert claims["nonce"] == "a-nonce"
    assert claims["iss"] == f"https://cognito-idp.us-east-1.amazonaws.com/{POOL}"
    digest = hashlib.sha256(given["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert (access["scope"], access["client_id"], access["username"], access["version"]) == (
        "openid email",
        "web",
        "ana",
        2,
    )
    assert "aud" not in access
    assert access["cognito:groups"] == ["staff"]


def test_a_confidential_app_by_header_and_by_form(server_app, person):
    for basic in (True, False):
        person.open(server_app.url(prompt="login"))
        person.fill(username="ana", password=PASSWORD)
        fields = {"redirect_uri": CALLBACK, "code_verifier": server_app.verifier, "code": person.back["code"]}
        answer = server_app.token(basic=basic, grant_type="authorization_code", **fields)
        assert answer.status_code == 200, answer.text


def test_the_session_lasts_an_hour(aws, app, person):
    person.sign_in(app.url())
    assert "code" in person.back
    aws.advance(minutes=59)
    person.open(app.url())
    at = app.claims(app.redeem(person.back["code"]).json()["id_token"])["auth_time"]
    assert at < aws.now() - 3500  # since then, not since now
    aws.advance(minutes=2)
    person.open(app.url())
    assert person.heading == "Sign in"


def test_prompts(app, person):
    person.open(app.url(prompt="none"))
    assert person.back == {"error": "login_required", "state": "a state & more"}
    person.sign_in(app.url(login_hint="ana"))
    for prompt in ("login", "select_account"):
        person.open(app.url(prompt=prompt))
        assert person.heading == "Sign in"
    person.open(app.url(prompt="none"))
    assert "code" in person.back
    for prompt in ("none login", "sleep"):
        person.open(app.url(prompt=prompt))
        assert person.back["error"] == "invalid_request"


def test_the_hint_is_in_the_form(app, person):
    person.open(app.url(login_hint='"><script>alert(1)</script>'))
    assert person.tree.xpath("//input[@id='username']/@value") == ['"><script>alert(1)</script>']
    assert not [script for script in person.tree.xpath("//script") if not script.get("src")]


def test_tokens_at_once(app, person):
    person.sign_in(app.url(response_type="token"))
    assert "#id_token=" in person.page.headers["location"]
    told = person.back
    assert set(told) == {"id_token", "access_token", "token_type", "expires_in", "state"}
    assert app.claims(told["id_token"])["nonce"] == "a-nonce"
    person.open(app.url(response_type="token", scope="aws.cognito.signin.user.admin"))
    assert set(person.back) == {"access_token", "token_type", "expires_in", "state"}


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("openid", {"email", "email_verified", "name", "custom:plan"}),
        ("openid email", {"email", "email_verified"}),
        ("openid profile", {"email", "email_verified", "name", "custom:plan"}),
    ],
)
def test_scopes_say_what_is_told(app, person, scope, names):
    person.sign_in(app.url(scope=scope))
    given = app.redeem(person.back["code"]).json()
    mine = {"email", "email_verified", "name", "custom:plan", "phone_number"}
    assert app.claims(given["id_token"]).keys() & mine == names
    told = app.user_info(given["access_token"]).json()
    assert told.keys() == names | {"sub", "username"}
    assert told["email_verified"] == "false"  # a text, as on AWS


def test_refreshing_keeps_the_scopes_and_no_nonce(app, person):
    person.sign_in(app.url())
    given = app.redeem(person.back["code"]).json()
    fresh = app.token(grant_type="refresh_token", refresh_token=given["refresh_token"]).json()
    assert set(fresh) == {"id_token", "access_token", "expires_in", "token_type"}
    assert app.claims(fresh["access_token"])["scope"] == "openid email"
    assert "nonce" not in app.claims(fresh["id_token"])


def test_a_bound_audience(app, person):
    person.sign_in(app.url(resource="https://api.example/v1"))
    assert app.claims(app.redeem(person.back["code"]).json()["access_token"])["aud"] == "https://api.example/v1"


def test_the_api_takes_the_access_token_with_its_scope(aws, app, person):
    idp = aws.client("cognito-idp")
    person.sign_in(app.url(scope="openid aws.cognito.signin.user.admin"))
    token = app.redeem(person.back["code"]).json()["access_token"]
    assert idp.get_user(AccessToken=token)["Username"] == "ana"
    person.open(app.url(scope="openid"))
    token = app.redeem(person.back["code"]).json()["access_token"]
    with pytest.raises(idp.exceptions.NotAuthorizedException, match="required scopes"):
        idp.get_user(AccessToken=token)


def test_a_temporary_password_is_replaced_on_the_way(app, person):
    person.sign_in(app.url(), "bob", "Temporary-1")
    assert person.heading == "Choose a new password"
    person.fill(new_password="weak", repeated="weak")
    assert "Password not long enough" in person.alert
    person.fill(new_password="Another-horse-2", repeated="Another-horse-3")
    assert person.alert == "The two passwords are not the same."
    person.fill(new_password="Another-horse-2", repeated="Another-horse-2")
    assert app.claims(app.redeem(person.back["code"]).json()["id_token"])["cognito:username"] == "bob"


def test_an_authenticator_app_is_set_up_and_used(aws, app, person):
    wanted = {"Enabled": True}
    aws.client("cognito-idp").set_user_pool_mfa_config(
        UserPoolId=POOL, MfaConfiguration="ON", SoftwareTokenMfaConfiguration=wanted
    )
    person.sign_in(app.url())
    assert person.heading == "Set up an authenticator app"
    seed = person.tree.xpath("string(//*[@id='seed'])")
    person.fill(code="000000" if totp(seed, time.time()) != "000000" else "111111")
    assert person.alert
    person.fill(code=totp(seed, aws.now()))
    assert "code" in person.back
    aws.advance(minutes=2)
    person.open(app.url(prompt="login"))
    person.fill(username="ana", password=PASSWORD)
    assert person.heading == "Enter your code"
    person.fill(code=totp(seed, aws.now()))
    assert "code" in person.back


def test_signing_out(app, person):
    person.sign_in(app.url())
    person.open(f"logout?client_id=web&logout_uri={OUT}")
    assert person.page.headers["location"] == OUT
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"
    person.sign_in(app.url())
    person.open(app.url("logout"))  # with the parameters of a sign-in: to sign in anew
    assert person.heading == "Sign in"
    person.fill(username="ana", password=PASSWORD)
    assert "code" in person.back


def test_discovery_names_the_address_that_was_asked(aws):
    told = httpx.get(f"{aws.endpoint_url}/{POOL}/.well-known/openid-configuration").json()
    base = aws.endpoint_url
    assert told["authorization_endpoint"] == f"{base}/oauth2/authorize"
    assert told["token_endpoint"] == f"{base}/oauth2/token"
    assert told["userinfo_endpoint"] == f"{base}/oauth2/userInfo"
    assert told["revocation_endpoint"] == f"{base}/oauth2/revoke"
    assert told["end_session_endpoint"] == f"{base}/logout"
    bare = httpx.get(f"{base}/us-east-1_Bare1/.well-known/openid-configuration").json()
    assert "token_endpoint" not in bare  # without a domain there is no managed login


def test_an_apps_own_scheme(aws, person):
    app = App(aws, redirect="myapp://cb")
    person.open(app.url())
    assert "myapp:" in person.page.headers["content-security-policy"]
    person.fill(username="ana", password=PASSWORD)
    assert person.page.headers["location"].startswith("myapp://cb?code=")


def test_sessions_of_two_pools_live_beside_each_other(aws, app, person):
    other = App(aws, "foreign")
    person.sign_in(app.url())
    person.sign_in(other.url())
    for asking in (app, other):
        person.open(asking.url(prompt="none"))
        assert "code" in person.back


def test_an_event_for_each_step(aws, app, person):
    person.sign_in(app.url())
    app.redeem(person.back["code"])
    told = [event["eventName"] for event in aws.events()]
    assert [name for name in told if name in ("Login_POST", "Token_POST")] == ["Login_POST", "Token_POST"]


def test_another_browser_is_not_signed_in(aws, app, person):
    person.sign_in(app.url())
    with contextlib.closing(Person(aws)) as stranger:
        stranger.open(app.url(prompt="none"))
        assert stranger.back["error"] == "login_required"


def test_a_second_factor_is_chosen(aws, app, person):
    idp = aws.client("cognito-idp")
    text = {"Message": "Sign in with {####}", "Subject": "Your code"}
    sms = {"SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::111122223333:role/sms"}}
    idp.set_user_pool_mfa_config(
        UserPoolId=POOL, MfaConfiguration="ON", EmailMfaConfiguration=text, SmsMfaConfiguration=sms
    )
    told = {
        "email": "ana@example.org",
        "email_verified": "true",
        "phone_number": "+15550100",
        "phone_number_verified": "true",
    }
    pairs = [{"Name": name, "Value": value} for name, value in told.items()]
    idp.admin_update_user_attributes(UserPoolId=POOL, Username="ana", UserAttributes=pairs)
    person.sign_in(app.url())
    assert person.heading == "How do you go on?"
    person.fill(choice="EMAIL_OTP")
    assert person.heading == "Enter your code"
    person.fill(code="000000")
    assert person.alert
    person.fill(code=re.search(r"\d{6}", aws.messages("ana@example.org")[-1]["text"])[0])
    assert "code" in person.back


def triggers_of(event: dict) -> list[str]:
    """What fired on the call that an event is about."""
    return [fired["source"] for fired in event["additionalEventData"].get("evidence", {}).get("triggers", [])]


def test_what_fires_stands_in_the_event_of_the_call(aws, app, person, hooks):
    # Given a pool whose function hears of tokens
    pool = SimpleNamespace(aws=aws, admin=aws.client("cognito-idp"), pool=POOL)
    hooks.play(pool, PreTokenGeneration=lambda event: event)
    # When tokens are made at once, at a sign-in and for who is signed in; and for a script
    person.sign_in(app.url(response_type="token"))
    person.open(app.url(response_type="token", prompt="none"))
    aws.page("POST", "user-pools/tokens", body={"pool": "shop", "client": "web", "user": "ana"})
    # Then each call's event tells of it
    fired = {event["eventName"]: triggers_of(event) for event in aws.events() if triggers_of(event)}
    assert fired == {
        "Login_POST": ["TokenGeneration_HostedAuth"],
        "OAuth2Authorize_GET": ["TokenGeneration_HostedAuth"],
        "AdminInitiateAuth": ["TokenGeneration_Authentication"],
    }


def test_a_function_that_refuses_tokens_at_once_is_told_to_the_app(aws, app, person, hooks):
    def refusing(_: dict) -> dict:
        raise RuntimeError("Not today")

    hooks.play(SimpleNamespace(aws=aws, admin=aws.client("cognito-idp"), pool=POOL), PreTokenGeneration=refusing)
    person.sign_in(app.url(response_type="token"))
    assert person.back["error"] == "invalid_request"
    assert "Not today" in person.back["error_description"]
    person.open(app.url(prompt="none"))
    assert person.back["error"] == "login_required"  # nobody was signed in by that
