"""A password that an administrator gave out is good for one sign-in, at which the person sets one of their own."""

from __future__ import annotations

import by_hand
import pytest
from lxml import html

SCENARIO = """
accounts: {"111122223333": {}}
organization: {management: "111122223333"}
identity_center:
  users:
    nora: {one_time_password: given-out}
    mike: {one_time_password: given-out, totp: {phone: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}}
"""
OWN = "My-own-passw0rd"


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        yield world


class Person(by_hand.Person):
    def sign_in(self, user: str, password: str):
        return self.forget().open("/start").send(username=user, password=password)

    def change(self, new: str, repeated: str = ""):
        return self.send(new_password=new, repeated=repeated or new)


@pytest.fixture
def person(aws):
    person = Person(aws.endpoint_url)
    yield person
    person.http.close()


def test_it_is_changed_at_the_first_sign_in(aws, person):
    person.sign_in("nora", "given-out")
    assert "Set a new password" in person.text
    assert "Your accounts" in person.change(OWN).text
    assert [event["eventName"] for event in aws.events() if event["eventSource"].startswith("sso-directory")] == [
        "UpdatePassword"
    ]
    assert person.sign_in("nora", "given-out").page.status_code == 403
    assert "Your accounts" in person.sign_in("nora", OWN).text
    aws.load(SCENARIO)  # the scenario again: her own password stays
    assert "Your accounts" in person.sign_in("nora", OWN).text


@pytest.mark.parametrize(
    "new",
    ["", "sho-A1x", "no-capital-1", "NO-SMALL-1", "No-digit-here", "NoOther1here", "given-out", "A-1" + "x" * 62],
)
def test_passwords_that_are_not_good_enough(person, new):
    person.sign_in("nora", "given-out").change(new)
    assert person.page.status_code == 400
    assert "Your accounts" in person.change(OWN).text  # and another try


def test_two_that_are_not_the_same(person):
    assert "not the same" in person.sign_in("nora", "given-out").change(OWN, OWN + "x").text


def test_the_second_factor_comes_first(person):
    person.sign_in("mike", "given-out")
    assert "Additional verification" in person.text
    assert person.send(code="000000").page.status_code == 403


def test_a_step_is_good_once_and_for_five_minutes(aws, person):
    person.sign_in("nora", "given-out")
    form = html.fromstring(person.page.text).xpath("//main//form")[0]
    fields = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
    target = str(person.page.url.join(form.get("action")))
    person.change(OWN)
    again = {**fields, "new_password": "Another-0ne", "repeated": "Another-0ne"}
    assert person.http.post(target, data=again).status_code == 403
    assert person.http.post(target, data={**again, "token": "forged"}).status_code == 403
    aws.advance(301)
    assert person.http.post(target, data=again).status_code == 403
