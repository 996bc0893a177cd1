"""A user whose password must be changed, or is over, sets a new one at the sign-in page (docs/aws/console-sign-in.md)."""

from __future__ import annotations

import json

import by_hand
import pytest
from login_lab import DEV, LoginTool
from lxml import html

GIVEN, OWN = "Correct-Horse-7", "Battery-Staple-8"


class Person(by_hand.Person):
    def sign_in(self, user: str, password: str):
        return self.forget().open("/signin").send(account=DEV, username=user, password=password)

    def change(self, new: str, *, old: str = GIVEN, repeated: str = ""):
        return self.send(password=old, new_password=new, repeated=repeated or new)


@pytest.fixture
def person(aws):
    person = Person(aws.endpoint_url)
    yield person
    person.http.close()


@pytest.fixture
def iam(aws):
    """Passwords are to be changed at the first sign-in."""
    iam = aws.client("iam")
    for user in ("alice", "dora"):
        iam.create_login_profile(UserName=user, Password=GIVEN, PasswordResetRequired=True)
    return iam


def test_it_is_changed_at_the_next_sign_in(aws, person, iam):
    person.sign_in("alice", GIVEN)
    assert "Set a new password" in person.text
    assert f"arn:aws:iam::{DEV}:user/alice" in person.change(OWN).text
    assert iam.get_login_profile(UserName="alice")["LoginProfile"]["PasswordResetRequired"] is False
    assert iam.get_user(UserName="alice")["User"]["PasswordLastUsed"]
    assert "ChangePassword" in [event["eventName"] for event in aws.events()]
    assert person.sign_in("alice", GIVEN).page.status_code == 403
    assert "user/alice" in person.sign_in("alice", OWN).text


def test_a_login_that_is_begun_then_goes_on(aws, person, iam):
    """The new password is no change after the sign-in."""
    del iam
    person.sign_in("alice", GIVEN).change(OWN)
    tool = LoginTool(aws)
    person.page = person.http.get(tool.url())
    assert "Allow a tool" in person.text
    tokens = tool.login(f"{DEV}/alice")
    assert tool.refresh(tokens)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"new": "short"}, 400),
        ({"new": GIVEN}, 403),
        ({"new": OWN, "old": "wrong"}, 403),
        ({"new": OWN, "repeated": "another"}, 400),
        ({"new": "x" * 5_000, "old": "y" * 5_000}, 403),
    ],
)
@pytest.mark.usefixtures("iam")
def test_changes_that_are_refused(person, fields, status):
    new = fields.pop("new")
    person.sign_in("alice", GIVEN).change(new, **fields)
    assert person.page.status_code == status
    assert "user/alice" in person.change(OWN).text  # and another try


def test_it_takes_the_permission(aws, person, iam):
    person.sign_in("dora", GIVEN).change(OWN)
    assert "not authorized to perform iam:ChangePassword" in person.text
    assert "iam:ChangePassword" in aws.explain()
    iam.update_account_password_policy(AllowUsersToChangePassword=True, MinimumPasswordLength=8)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="dora", PolicyName="no", PolicyDocument=json.dumps(deny))
    assert person.change(OWN).page.status_code == 403
    iam.delete_user_policy(UserName="dora", PolicyName="no")
    assert "user/dora" in person.change(OWN).text


def test_a_password_whose_time_is_over(aws, person, iam):
    iam.update_login_profile(UserName="alice", PasswordResetRequired=False)
    iam.update_account_password_policy(MaxPasswordAge=30, MinimumPasswordLength=8, PasswordReusePrevention=2)
    assert "user/alice" in person.sign_in("alice", GIVEN).text
    aws.advance(hours=30 * 24 + 1)
    person.sign_in("alice", GIVEN)
    assert "Set a new password" in person.text
    assert "user/alice" in person.change(OWN).text

    iam.update_account_password_policy(MaxPasswordAge=30, MinimumPasswordLength=8, HardExpiry=True)
    aws.advance(hours=30 * 24 + 1)
    assert "lets only an administrator" in person.sign_in("alice", OWN).text


@pytest.mark.usefixtures("iam")
def test_steps_are_good_for_five_minutes_and_for_their_form(aws, person):
    person.sign_in("alice", GIVEN)
    form = html.fromstring(person.page.text).xpath("//main//form")[0]
    fields = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
    wish = {**fields, "password": GIVEN, "new_password": OWN, "repeated": OWN}
    assert person.http.post("/signin/code", data={**fields, "code": "123456"}).status_code == 403
    assert person.http.post("/signin/password", data={**wish, "token": "forged"}).status_code == 403
    aws.advance(301)
    assert "too long" in person.http.post("/signin/password", data=wish).text
