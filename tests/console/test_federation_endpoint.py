"""The page that signin.aws.amazon.com/federation is: a broker's credentials become a console session."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from signin_lab import DEV, LAB, sentence, shell, tree

pytestmark = pytest.mark.scenario(LAB)

CONSOLE = "https://console.aws.amazon.com/"


def exchange(browser, credentials, method="GET", **extra):
    session = json.dumps(
        {
            "sessionId": credentials["AccessKeyId"],
            "sessionKey": credentials["SecretAccessKey"],
            "sessionToken": credentials["SessionToken"],
        }
    )
    fields = {"Action": "getSigninToken", "Session": session, **extra}
    return browser.get("federation", params=fields) if method == "GET" else browser.post("federation", fields)


@pytest.fixture
def role(browser):
    return shell(browser.sign_in("omar"))


@pytest.fixture
def federated(browser):
    iam = browser.aws.client("iam")
    iam.create_user(UserName="broker")
    key = iam.create_access_key(UserName="broker")["AccessKey"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName="broker", PolicyName="all", PolicyDocument=json.dumps(allow))
    return browser.aws.client("sts", key).get_federation_token(Name="frieda", Policy=json.dumps(allow))["Credentials"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_from_credentials_to_the_console(browser, new_browser, role, method):
    answer = exchange(browser, role, method, SessionDuration="43200")
    assert answer.status_code == 200
    token = answer.json()["SigninToken"]

    fields = {"Action": "login", "Issuer": "https://broker.test", "Destination": CONSOLE, "SigninToken": token}
    visitor = new_browser()
    login = visitor.get("federation", params=fields) if method == "GET" else visitor.post("federation", fields)
    assert login.status_code == 302
    target = urlsplit(login.headers["location"])
    assert target.path == f"/w/{browser.aws.world}/console"
    assert parse_qs(target.query) == {"destination": [CONSOLE]}

    page = visitor.http.get(f"{browser.aws.endpoint_url}/console?{target.query}")
    assert tree(page).xpath("string(//*[@id='arn'])") == f"arn:aws:sts::{DEV}:assumed-role/Admin/omar"
    assert CONSOLE in tree(page).xpath("//a/@href")
    assert [event["eventName"] for event in browser.aws.events()[-2:]] == ["GetSigninToken", "ConsoleLogin"]


def test_a_console_session_may_outlast_the_credentials_but_does_not_renew_them(browser, new_browser, role):
    token = exchange(browser, role, SessionDuration="43200").json()["SigninToken"]
    visitor = new_browser()
    visitor.get("federation", params={"Action": "login", "SigninToken": token})
    browser.aws.advance(hours=2)

    page = visitor.get("console")
    assert page.status_code == 200
    assert tree(page).forms == []  # nothing to ask for credentials with

    browser.aws.advance(hours=10)
    assert visitor.get("console").status_code == 401


def test_a_role_s_longest_sign_in_session_ends_it(browser, new_browser, role):
    iam = browser.aws.client("iam")
    iam.update_role(RoleName="Admin", MaxSigninSessionDuration=7200)
    token = exchange(browser, role, SessionDuration="43200").json()["SigninToken"]
    visitor = new_browser()
    visitor.get("federation", params={"Action": "login", "SigninToken": token})

    iam.update_role(RoleName="Admin", ResetMaxSigninSessionDuration=True)  # which the session here does not mind
    browser.aws.advance(minutes=119)
    assert visitor.get("console").status_code == 200
    browser.aws.advance(minutes=2)
    assert visitor.get("console").status_code == 401


def test_a_federated_user_goes_in(browser, new_browser, federated):
    token = exchange(browser, federated).json()["SigninToken"]
    visitor = new_browser()
    visitor.get("federation", params={"Action": "login", "SigninToken": token})

    assert tree(visitor.get("console")).xpath("string(//*[@id='arn'])") == f"arn:aws:sts::{DEV}:federated-user/frieda"


def test_a_federated_user_has_no_say_in_the_duration(browser, federated):
    refused = exchange(browser, federated, SessionDuration="3600")

    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "SessionDuration is not allowed with credentials of GetFederationToken",
    )


@pytest.mark.parametrize("duration", ["899", "43201", "x", "-1", "", "9" * 50, "٩٠٠"])
def test_durations_that_are_none(browser, role, duration):
    assert exchange(browser, role, SessionDuration=duration).status_code == 400


def test_a_chained_session_gets_an_hour_at_most(browser, role):
    trust = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{DEV}:role/team/Admin"}, "Action": "sts:AssumeRole"}
    ]
    browser.aws.client("iam").create_role(
        RoleName="next", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )
    sts = browser.aws.client("sts", role)
    chained = sts.assume_role(RoleArn=f"arn:aws:iam::{DEV}:role/next", RoleSessionName="me")["Credentials"]

    assert exchange(browser, chained, SessionDuration="3601").status_code == 400
    assert exchange(browser, chained, SessionDuration="3600").status_code == 200


def test_credentials_that_prove_nothing(browser, role):
    for wrong in (
        {**role, "SecretAccessKey": "x"},
        {**role, "SessionToken": role["SessionToken"][:-8] + "AAAAAAA="},
        {**role, "AccessKeyId": "ASIAXXXXXXXXXXXXXXXX"},
        {**role, "SessionToken": ""},
    ):
        assert exchange(browser, wrong).status_code == 403


def test_long_term_and_get_session_token_credentials_are_not_enough(browser):
    root = browser.aws.root
    long_term = {"AccessKeyId": root["access_key_id"], "SecretAccessKey": root["secret_access_key"], "SessionToken": ""}
    session = browser.aws.client("sts").get_session_token()["Credentials"]

    assert exchange(browser, long_term).status_code == 403
    assert exchange(browser, session).status_code == 403


@pytest.mark.parametrize(
    "session", ["", "x", "[]", "{}", '{"sessionId": 1, "sessionKey": 2, "sessionToken": 3}', "[" * 5_000]
)
def test_sessions_that_are_none(browser, session):
    assert browser.get("federation", params={"Action": "getSigninToken", "Session": session}).status_code == 400


def test_a_sign_in_token_is_good_for_fifteen_minutes(browser, role):
    token = exchange(browser, role).json()["SigninToken"]

    browser.aws.advance(minutes=14)
    assert browser.get("federation", params={"Action": "login", "SigninToken": token}).status_code == 302
    browser.aws.advance(minutes=2)
    late = browser.get("federation", params={"Action": "login", "SigninToken": token})
    assert (late.status_code, sentence(late)) == (400, "The sign-in token is not valid, or no longer.")


def test_a_token_of_another_kind_or_world_is_none(browser, new_browser, role, emulator_server):
    token = exchange(browser, role).json()["SigninToken"]
    cookie = browser.http.cookies["sts-emulator-console"]

    for wrong in ("", "x", cookie, token[:-8] + "x" * 8):
        assert browser.get("federation", params={"Action": "login", "SigninToken": wrong}).status_code == 400
    with emulator_server.world(LAB) as other:
        elsewhere = new_browser(other).get("federation", params={"Action": "login", "SigninToken": token})
        assert elsewhere.status_code == 400
    stranger = new_browser()
    stranger.http.cookies.set("sts-emulator-console", token)
    assert stranger.get("console").status_code == 401


@pytest.mark.parametrize(
    "destination",
    [
        "https://evil.test/",
        r"https://evil.test\.aws.amazon.com/login",
        "//evil.test",
        "javascript:alert(1)",
        "\r\nx: y",
        "",
    ],
)
def test_login_leads_nowhere_else(browser, role, destination):
    token = exchange(browser, role).json()["SigninToken"]
    login = browser.get("federation", params={"Action": "login", "SigninToken": token, "Destination": destination})

    assert login.headers["location"] == f"/w/{browser.aws.world}/console"


def test_a_role_that_was_deleted_meanwhile(browser, role):
    token = exchange(browser, role).json()["SigninToken"]
    browser.aws.client("iam").delete_role(RoleName="Admin")

    assert exchange(browser, role).status_code == 403
    assert browser.get("federation", params={"Action": "login", "SigninToken": token}).status_code == 403


def test_other_actions_and_paths(browser):
    assert browser.get("federation", params={"Action": "getAccount"}).status_code == 400
    # Below this page is the portal of IAM Identity Center, which is another service's.
    portal = browser.get("federation/credentials", params={"role_name": "x", "account_id": DEV})
    assert "Action must be" not in portal.text
