"""On the pages people say who they are and then choose by what to sign in (USER_AUTH): a password, a code, a passkey."""

from __future__ import annotations

import re

import pytest
from managed_login_lab import CALLBACK, PASSWORD, App, Person

POOL = "us-east-1_Choice1"
ADDRESSES = {"email_verified": "true", "phone_number": "+15550100", "phone_number_verified": "true"}
SCENARIO = f"""
accounts:
  "111122223333":
    user_pools:
      shop:
        id: {POOL}
        domain: choice
        verify: [email]
        first_factors: [EMAIL_OTP, SMS_OTP]
        clients:
          web: {{id: web, flows: [USER_AUTH], callbacks: ["{CALLBACK}"], hide_users: true}}
          plain: {{id: plain, callbacks: ["{CALLBACK}"]}}
        users:
          ana: {{password: {PASSWORD}, attributes: {{email: ana@example.org}}}}
          bob: {{temporary_password: Temporary-1, attributes: {{email: bob@example.org}}}}
          cara: {{password: {PASSWORD}}}
"""


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        idp = world.client("cognito-idp")
        pairs = [{"Name": name, "Value": value} for name, value in ADDRESSES.items()]
        idp.admin_update_user_attributes(UserPoolId=POOL, Username="ana", UserAttributes=pairs)
        yield world


def offered(person: Person) -> list[str]:
    return person.tree.xpath("//input[@name='choice']/@value")


def code_to(aws, address: str) -> str:
    return re.search(r"\b\d{8}\b", aws.messages(address)[-1]["text"])[0]


def username_of(app: App, person: Person) -> str:
    return app.claims(app.redeem(person.back["code"]).json()["id_token"], POOL)["cognito:username"]


def test_the_name_first_and_then_a_password(app, person):
    # Given an app whose users choose
    person.open(app.url())
    assert not person.tree.xpath("//input[@type='password']")
    # When somebody says who they are and chooses their password
    person.fill(username="ana")
    assert offered(person) == ["PASSWORD", "EMAIL_OTP", "SMS_OTP"]
    person.fill(choice="PASSWORD")
    assert person.heading == "Enter your password"
    person.fill(password="Wrong-horse-1")
    # Then a wrong one begins anew, and the right one signs in
    assert person.alert == "Incorrect username or password."
    assert person.tree.xpath("string(//input[@id='username']/@value)") == "ana"
    person.fill(username="ana")
    person.fill(choice="PASSWORD")
    person.fill(password=PASSWORD)
    assert username_of(app, person) == "ana"


@pytest.mark.parametrize(("choice", "address"), [("EMAIL_OTP", "ana@example.org"), ("SMS_OTP", "+15550100")])
def test_a_code_is_enough(aws, app, person, choice, address):
    person.open(app.url(login_hint="ana"))
    person.fill()
    person.fill(choice=choice)
    assert person.heading == "Enter your code"
    person.fill(code="00000000" if code_to(aws, address) != "00000000" else "11111111")
    assert person.alert
    person.fill(code=code_to(aws, address))
    assert username_of(app, person) == "ana"


def test_a_code_is_good_once(aws, app, person):
    person.open(app.url())
    person.fill(username="ana")
    person.fill(choice="EMAIL_OTP")
    shown = {field.get("name"): field.get("value") for field in person.tree.xpath("//form//input[@name]")}
    given = {**shown, "code": code_to(aws, "ana@example.org")}
    assert person.http.post(app.url("login/challenge"), data=given).status_code == 302
    again = person.http.post(app.url("login/challenge"), data=given)
    assert again.status_code == 400
    assert "location" not in again.headers


def test_nothing_to_choose_is_not_asked(app, person):
    person.open(app.url())
    person.fill(username="cara")  # who has a password, and no verified address
    assert person.heading == "Enter your password"
    person.fill(password=PASSWORD)
    assert username_of(app, person) == "cara"


def test_what_follows_a_password_follows_here(app, person):
    person.open(app.url())
    person.fill(username="bob")
    person.fill(password="Temporary-1")
    assert person.heading == "Choose a new password"
    person.fill(new_password="Another-horse-2", repeated="Another-horse-2")
    assert username_of(app, person) == "bob"


def test_nobody_is_asked_like_somebody(app, person):
    person.open(app.url())
    person.fill(username="nobody")
    assert offered(person) == ["PASSWORD", "EMAIL_OTP"]
    person.fill(choice="EMAIL_OTP")
    assert person.heading == "Enter your code"
    person.fill(code="12345678")
    assert person.alert == "Invalid code or auth state for the user."
    person.open(app.url())
    person.fill(username="nobody")
    person.fill(choice="PASSWORD")
    person.fill(password=PASSWORD)
    assert person.alert == "Incorrect username or password."


def test_a_choice_that_was_not_offered(app, person):
    person.open(app.url())
    person.fill(username="ana")
    for choice in ("WEB_AUTHN", "CUSTOM_CHALLENGE", ""):
        person.fill(choice=choice)
        assert person.page.status_code == 400
        person.fill(username="ana")


def test_a_step_for_another_name_or_another_step(app, person):
    # Given a step of ana's that waits for a password
    person.open(app.url())
    person.fill(username="ana")
    person.fill(choice="PASSWORD")
    # Then its form is about nobody else, and about nothing else
    for fields in ({"username": "cara"}, {"choice": "EMAIL_OTP"}, {"name": "EMAIL_OTP", "code": "1"}):
        answer = person.fill(password="", **fields)
        assert answer.status_code == 400
        person.open(app.url())
        person.fill(username="ana")
        person.fill(choice="PASSWORD")
    person.fill(step="forged", password=PASSWORD)
    assert person.page.status_code == 403


def test_a_sign_up_without_a_password(aws, app, person):
    person.open(app.url("signup"))
    assert not person.tree.xpath("//input[@id='password']/@required")
    person.fill(username="dora", **{"attribute.email": "dora@example.org"})
    person.fill(code=re.search(r"\b\d{6}\b", aws.messages("dora@example.org")[-1]["text"])[0])
    assert person.tree.xpath("string(//input[@id='username']/@value)") == "dora"
    person.fill()
    assert person.heading == "Enter your code"  # there is nothing else that she could choose
    person.fill(code=code_to(aws, "dora@example.org"))
    assert username_of(app, person) == "dora"


def test_clients_and_classic_pages_that_offer_no_choice(aws, app, person):
    person.open(App(aws, "plain").url())
    assert person.tree.xpath("//input[@type='password']")
    aws.client("cognito-idp").update_user_pool_domain(UserPoolId=POOL, Domain="choice", ManagedLoginVersion=1)
    person.open(app.url())
    assert person.tree.xpath("//input[@type='password']")


def test_unconfirmed_people_confirm_first(aws, app, person):
    aws.client("cognito-idp").sign_up(
        ClientId="web", Username="eva", UserAttributes=[{"Name": "email", "Value": "eva@example.org"}]
    )
    person.open(app.url())
    person.fill(username="eva")
    assert person.heading == "Confirm your account"
