"""Users and root at the console's sign-in page, and the question whether a tool may act for them."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import by_hand
import httpx
import pytest
from login_lab import CROSS_DEVICE, DEV, LoginTool
from lxml import html

from sts_emulator.accounts.people import totp

PASSWORD = "Correct-Horse-7"


@pytest.fixture
def person(aws):
    person = by_hand.Person(aws.endpoint_url, callback=":49153/")
    yield person
    person.http.close()


@pytest.fixture
def alice(aws):
    aws.client("iam").create_login_profile(UserName="alice", Password=PASSWORD)
    return {"account": "acme", "username": "alice", "password": PASSWORD}


def test_sign_in_allow_and_use(tool, person, alice):
    person.open(tool.url()).send(**alice)
    assert "Allow a tool on this machine" in person.text
    assert f"arn:aws:iam::{DEV}:user/alice" in person.text
    person.send(answer="allow")
    (code,) = parse_qs(urlsplit(person.page.headers["location"]).query)["code"]
    assert tool.who(tool.exchange(code)).endswith("user/alice")
    person.open(tool.url()).send(answer="deny")
    assert "error=access_denied" in person.page.headers["location"]


def test_a_code_to_paste(aws, person, alice):
    tool = LoginTool(aws, CROSS_DEVICE)
    person.open(tool.url()).send(**alice).send(answer="allow")
    shown = html.fromstring(person.page.text).xpath("string(//pre[@id='code'])")
    members = dict(parse_qsl(base64.b64decode(shown).decode()))
    assert tool.who(tool.exchange(members["code"])).endswith("user/alice")


def test_a_second_factor_is_asked_for_and_reaches_the_session(aws, tool, person, alice):
    iam = aws.client("iam")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]
    seed, serial = device["Base32StringSeed"].decode(), device["SerialNumber"]
    now = aws.now()
    codes = [totp(seed, now + offset) for offset in (-30, 0)]
    iam.enable_mfa_device(
        UserName="alice", SerialNumber=serial, AuthenticationCode1=codes[0], AuthenticationCode2=codes[1]
    )
    person.open(tool.url()).send(**alice).send(code="000000")
    assert person.page.status_code == 403
    person.send(code=totp(seed, aws.now() + 30))
    assert "Allow a tool" in person.text
    login = next(event for event in aws.events() if event["eventName"] == "ConsoleLogin")
    assert login["additionalEventData"]["MFAUsed"] == "Yes"


def test_a_user_s_longest_sign_in_session_ends_it(aws, person, alice):
    aws.client("iam").update_login_profile(UserName="alice", MaxSigninSessionDuration=3600)
    console = f"{aws.endpoint_url}/console"
    person.open(f"{aws.endpoint_url}/signin").send(**alice)
    aws.advance(minutes=59)
    assert person.http.get(console).status_code == 200
    aws.advance(minutes=2)
    assert person.http.get(console).status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"password": "wrong"},
        {"username": "eve"},
        {"username": "dora"},
        {"account": "444455556666"},
        {"account": ""},
        {"username": "root", "password": PASSWORD},
        {"username": "<script>alert(1)</script>"},
    ],
)
def test_wrong_names_and_passwords(aws, person, alice, changed):
    person.open(f"{aws.endpoint_url}/signin").send(**{**alice, **changed})
    assert person.page.status_code == 403
    assert "authentication information is incorrect" in person.text
    assert "<script>alert" not in person.page.text
    assert aws.events()[-1]["additionalEventData"]["outcome"] == "denied"


def test_root_signs_in_and_guessing_is_slowed(aws, person):
    root = {"account": DEV, "username": "root"}
    person.open(f"{aws.endpoint_url}/signin").send(**root, password="root")
    assert f"arn:aws:iam::{DEV}:root" in person.text
    aws.advance(300 - aws.now() % 300)  # tries are counted by five minutes: here begin some
    person.open(f"{aws.endpoint_url}/signin")
    for _ in range(21):
        person.send(**root, password="wrong")
    assert person.page.status_code == 429


def test_other_sites_other_forms_and_other_places(aws, person, alice):
    signin = f"{aws.endpoint_url}/signin"
    assert person.open(signin).send(headers={"Origin": "http://evil.example"}, **alice).page.status_code == 403
    assert person.open(signin).send(**alice, token="forged").page.status_code == 403
    person.open(f"{signin}?{urlencode({'then': '//evil.example'})}").send(**alice)
    assert person.page.url.path.endswith("/console")


def test_without_a_session_nothing_is_allowed(aws, tool, person, alice):
    person.open(tool.url()).send(**alice)
    form = html.fromstring(person.page.text).xpath("//form")[0]
    hidden = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
    fields = {**hidden, "answer": "allow"}
    assert httpx.post(f"{aws.endpoint_url}/v1/authorize", data=fields, verify=False).status_code == 401
    assert person.http.post(f"{aws.endpoint_url}/v1/authorize", data={**fields, "token": "x"}).status_code == 403
