"""A tool opens a browser, a person signs in there and allows it (authorization code with PKCE, RFC 7636)."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import by_hand
import httpx
import pytest
from lxml import html
from sso_lab import DEV, PROD, SCENARIO, SEED, START_URL, Tool, key_of_credentials

from sts_emulator.accounts.people import totp
from sts_emulator.cli.errors import CommandError

CALLBACK = "http://127.0.0.1:49152/oauth/callback"


class BrowserTool(Tool):
    """As the AWS CLI does it: a redirection without port is registered, one with a port is used."""

    def __init__(self, aws, **registration) -> None:
        wish = {
            "grantTypes": ["authorization_code", "refresh_token"],
            "redirectUris": ["http://127.0.0.1/oauth/callback"],
            "issuerUrl": START_URL,
        }
        super().__init__(aws, **{**wish, **registration})
        self.verifier = secrets.token_urlsafe(48)

    def url(self, **changed) -> str:
        digest = hashlib.sha256(self.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self.client["clientId"],
            "redirect_uri": CALLBACK,
            "state": "a-state",
            "code_challenge_method": "S256",
            "scopes": "sso:account:access",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        }
        return f"{self.aws.endpoint_url}/authorize?{urlencode({**query, **changed})}"

    def exchange(self, location: str, **changed) -> dict:
        (code,) = parse_qs(urlsplit(location).query)["code"]
        given = {"code": code, "redirectUri": CALLBACK, "codeVerifier": self.verifier, **self.client}
        return self.oidc.create_token(grantType="authorization_code", **{**given, **changed})


class Person(by_hand.Person):
    def __init__(self, aws) -> None:
        super().__init__(aws.endpoint_url, callback="http://127.0.0.1:49152")

    def sign_in(self, user: str, password: str = ""):
        return self.send(username=user, password=password or user)


@pytest.fixture
def tool(aws):
    return BrowserTool(aws)


@pytest.fixture
def person(aws):
    person = Person(aws)
    yield person
    person.http.close()


def test_sign_in_allow_and_go_back_to_the_tool(aws, tool, person):
    person.open(tool.url()).sign_in("jane")
    assert "Allow tool to access your data?" in person.text

    person.send(answer="allow")
    location = person.page.headers["location"]
    assert location.startswith(f"{CALLBACK}?code=")
    assert parse_qs(urlsplit(location).query)["state"] == ["a-state"]

    tokens = tool.exchange(location)
    who = aws.client("sts", key_of_credentials(tool.credentials(tokens))).get_caller_identity()
    assert who["Arn"].endswith("/jane")
    again = person.open(tool.url())  # signed in already: asked at once
    assert "Allow tool" in again.text


def test_a_person_may_say_no(tool, person):
    person.open(tool.url()).sign_in("jane").send(answer="deny")
    query = parse_qs(urlsplit(person.page.headers["location"]).query)
    assert (query["error"], query["state"]) == (["access_denied"], ["a-state"])


def test_a_form_in_another_tab_stays_good(tool, person):
    earlier = person.open(tool.url()).page
    person.open(tool.url())
    person.page = earlier
    assert "Allow tool" in person.sign_in("jane").text


def test_the_form_of_another_browser_signs_nobody_in(tool, person):
    with contextlib.closing(httpx.Client(verify=False, follow_redirects=True)) as other:
        person.open(tool.url())
        person.page = other.get(tool.url())
    assert person.sign_in("jane").page.status_code == 403


def test_a_query_cannot_answer_for_the_person(tool, person):
    person.open(tool.url(answer="allow", token="x")).sign_in("jane").send(answer="deny")
    assert "error=access_denied" in person.page.headers["location"]


def test_a_script_plays_the_person(aws, tool):
    location = aws.approve(tool.url(), "jane")["location"]
    assert tool.exchange(location)["accessToken"]
    assert "error=access_denied" in aws.approve(tool.url(), "jane", deny=True)["location"]
    with pytest.raises(CommandError, match="no user `eve`"):
        aws.approve(tool.url(), "eve")


@pytest.mark.parametrize(
    "changed",
    [
        {"codeVerifier": "x" * 43},
        {"codeVerifier": "short"},
        {"redirectUri": "http://127.0.0.1:49152/elsewhere"},
        {"redirectUri": "http://127.0.0.1:1/oauth/callback"},
    ],
)
def test_a_wrong_verifier_or_redirection_is_refused(aws, tool, refusal, changed):
    location = aws.approve(tool.url(), "jane")["location"]
    assert refusal(tool.exchange, location=location, **changed)[1:] == ("InvalidGrantException", "invalid_grant")


def test_a_code_is_good_once_for_one_client_and_ten_minutes(aws, tool, refusal):
    used, foreign, late = (aws.approve(tool.url(), "jane")["location"] for _ in range(3))
    tool.exchange(used)
    assert refusal(tool.exchange, location=used)[1] == "InvalidGrantException"
    other = BrowserTool(aws)
    assert refusal(tool.exchange, location=foreign, **other.client)[1] == "InvalidGrantException"
    aws.advance(601)
    assert refusal(tool.exchange, location=late)[1] == "InvalidGrantException"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"client_id": "nobody"}, "not registered"),
        ({"redirect_uri": "http://127.0.0.1:49152/other"}, "redirect_uri"),
        ({"redirect_uri": "http://evil.example/oauth/callback"}, "redirect_uri"),
        ({"redirect_uri": "http://127.0.0.1:49152/oauth/callback#x"}, "redirect_uri"),
        ({"redirect_uri": "http://[::1"}, "redirect_uri"),
        ({"response_type": "token"}, "response_type"),
        ({"code_challenge_method": "plain"}, "S256"),
        ({"code_challenge": "x"}, "code_challenge"),
        ({"state": ""}, "state"),
        ({"scopes": "sso:account:access admin"}, "scopes"),
    ],
)
def test_a_request_that_is_not_right_sends_nobody_anywhere(aws, tool, person, changed, why):
    person.open(tool.url(**changed))
    assert person.page.status_code == 400
    assert why in person.text
    with pytest.raises(CommandError, match=re.escape(why)):
        aws.approve(tool.url(**changed), "jane")


def test_a_device_is_confirmed_in_the_browser(aws, person, refusal):
    tool = Tool(aws)
    device = tool.start()
    person.open(device["verificationUriComplete"]).sign_in("jane")
    assert device["userCode"] in person.text
    person.send(answer="allow")
    assert "Request approved" in person.text
    assert tool.token(device)["accessToken"]

    denied = tool.start()
    person.open(f"{denied['verificationUri']}?user_code={denied['userCode'].lower()}").send(answer="deny")
    assert refusal(tool.token, device=denied)[1] == "AccessDeniedException"


def test_guessing_codes_is_slowed(aws, person):
    Tool(aws).start()
    aws.advance(60 - aws.now() % 60)  # guesses are counted by the minute: here begins one
    statuses = [
        person.open(f"{aws.endpoint_url}/start/device?user_code=BCDF-{n:04}").page.status_code for n in range(12)
    ]
    assert statuses == [400] * 10 + [429] * 2
    aws.advance(61)
    assert person.open(f"{aws.endpoint_url}/start/device?user_code=BCDF-0000").page.status_code == 400


def test_wrong_passwords(aws, person):
    aws.advance(300 - aws.now() % 300)  # tries are counted by five minutes: here begin some
    person.open(f"{aws.endpoint_url}/start")
    for user, password in (("jane", "wrong"), ("eve", "eve"), ("<script>alert(1)</script>", "x"), ("jane", "\0")):
        person.sign_in(user, password)
        assert person.page.status_code == 403
        assert "could not verify your sign-in credentials" in person.text
        assert "<script>alert" not in person.page.text
    for _ in range(30):
        person.sign_in("jane", "wrong")
    assert person.page.status_code == 429


def test_a_second_factor(aws, person):
    start = f"{aws.endpoint_url}/start"
    person.open(start).sign_in("mary")
    assert person.page.status_code == 403  # her name is not her password

    person.sign_in("mary", "tr0ub4dor-3-X").send(code="000000")
    assert person.page.status_code == 403
    code = totp(SEED, aws.now())
    person.send(code=code)
    assert "Your accounts" in person.text
    person.http.cookies.clear()
    person.open(start).sign_in("mary", "tr0ub4dor-3-X").send(code=code)
    assert "was used" in person.text


def test_who_is_disabled_is_out_at_once(aws, person, tool):
    tokens = tool.exchange(aws.approve(tool.url(), "jane")["location"])
    aws.load(SCENARIO.replace("jane: {}", "jane: {disabled: true}"))
    assert person.open(f"{aws.endpoint_url}/start").sign_in("jane").page.status_code == 403
    with pytest.raises(CommandError, match="disabled"):
        aws.approve(tool.url(), "jane")
    with pytest.raises(tool.portal.exceptions.UnauthorizedException):
        tool.credentials(tokens)


def test_other_sites_and_other_forms_are_refused(aws, person):
    person.open(f"{aws.endpoint_url}/start").send(
        username="jane", password="jane", headers={"Origin": "http://evil.example"}
    )
    assert person.page.status_code == 403
    person.open(f"{aws.endpoint_url}/start").send(username="jane", password="jane", token="forged")
    assert person.page.status_code == 403
    person.open(f"{aws.endpoint_url}/start").sign_in("jane")
    stolen = html.fromstring(person.page.text).xpath("//input[@name='token']/@value")[0]
    fields = {"token": stolen, "account": DEV, "role": "Developer"}
    assert httpx.post(f"{aws.endpoint_url}/start/credentials", data=fields, verify=False).status_code == 401
    assert person.http.post(f"{aws.endpoint_url}/start/credentials", data={**fields, "token": ""}).status_code == 403
    assert person.http.post(f"{aws.endpoint_url}/start/credentials", data=fields).status_code == 200
    nobody = {**fields, "role": "Admin"}
    assert person.http.post(f"{aws.endpoint_url}/start/credentials", data=nobody).status_code == 403


def test_no_other_site_says_yes_in_a_persons_place(aws, tool, person):
    """Neither to a tool's request nor to a device's code; and no form but the one that this session was shown."""
    waiting = Tool(aws)
    device = waiting.start()
    for place in (tool.url(), device["verificationUriComplete"]):
        person.open(place)
        if "Sign in" in person.text:
            person.sign_in("jane")
        shown = person.page
        assert person.send(answer="allow", headers={"Origin": "http://evil.example"}).page.status_code == 403
        person.page = shown
        assert person.send(answer="allow", headers={"Sec-Fetch-Site": "cross-site"}).page.status_code == 403
        person.page = shown
        assert person.send(answer="allow", token="forged").page.status_code == 403
        person.page = shown
        assert person.send(answer="allow", token="").page.status_code == 403
    with pytest.raises(waiting.oidc.exceptions.AuthorizationPendingException):
        waiting.token(device)


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example", "/\\evil.example", "/start/..//x", "/console"]
)
def test_a_sign_in_leads_to_pages_of_the_portal_only(aws, person, place):
    person.open(f"{aws.endpoint_url}/start/signin?{urlencode({'then': place})}")
    form = html.fromstring(person.page.text).xpath("//form")[0]
    hidden = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
    sent = person.http.post(
        str(person.page.url.join(form.get("action"))),
        data={**hidden, "username": "jane", "password": "jane"},
        follow_redirects=False,
    )
    prefix = urlsplit(aws.endpoint_url).path
    assert sent.headers["location"] == f"{prefix}/start"


def test_browser_extensions_list_the_tiles_of_the_portal(aws, tool):
    """As public extensions read them: `result`, of tiles `searchMetadata`, of profiles `name` and `url`."""
    headers = {"x-amz-sso_bearer_token": tool.exchange(aws.approve(tool.url(), "jane")["location"])["accessToken"]}
    tiles = httpx.get(f"{aws.endpoint_url}/instance/appinstances", headers=headers, verify=False).json()["result"]
    told = {tile["searchMetadata"]["AccountId"]: tile["searchMetadata"]["AccountName"] for tile in tiles}
    assert told == {DEV: "dev", PROD: "prod"}
    assert {tile["applicationName"] for tile in tiles} == {"AWS Account"}

    place = f"{aws.endpoint_url}/instance/appinstance/{tiles[0]['id']}/profiles"
    (profile,) = httpx.get(place, headers=headers, verify=False).json()["result"]
    assert profile["name"] == "Developer"
    assert f"account_id={DEV}" in profile["url"]

    assert httpx.get(f"{aws.endpoint_url}/instance/appinstances", verify=False).status_code == 401
    for other in ("ins-000000000000", "x", "ins-"):
        foreign = f"{aws.endpoint_url}/instance/appinstance/{other}/profiles"
        assert httpx.get(foreign, headers=headers, verify=False).status_code == 404


def test_browser_extensions_get_a_console_link(aws, tool):
    tokens = tool.exchange(aws.approve(tool.url(), "jane")["location"])
    url = f"{aws.endpoint_url}/federation/console?account_id={DEV}&role_name=Developer"
    answer = httpx.get(url, headers={"x-amz-sso_bearer_token": tokens["accessToken"]}, verify=False).json()
    query = {
        "Action": "login",
        "SigninToken": answer["signInToken"],
        "Destination": "https://console.aws.amazon.com/s3",
    }
    landed = httpx.get(f"{answer['signInFederationLocation']}?{urlencode(query)}", follow_redirects=True, verify=False)
    assert "AWSReservedSSO_Developer" in landed.text
    dead = httpx.get(url, headers={"x-amz-sso_bearer_token": "x"}, verify=False)
    assert (dead.status_code, dead.json()["__type"]) == (
        401,
        "com.amazonaws.switchboard.portal#UnauthorizedException",
    )
