"""The account access portal: a person sees the roles to which they are entitled, and has their keys or the console."""

from __future__ import annotations

import contextlib

import by_hand
import httpx
import pytest
from access_lab import BUILD, DEPLOY, PLAIN, SCENARIO, Firm
from browsers import serious
from sso_lab import PROD


@pytest.fixture
def firm(emulator_server):
    with emulator_server.world(SCENARIO) as aws:
        yield Firm(aws)


class Person(by_hand.Person):
    """At the account access portal."""

    def __init__(self, firm, user: str) -> None:
        super().__init__(firm.aws.endpoint_url)
        self.open("/start").send(username=user, password=user)
        self.links = self.tree.xpath("//a[@id='manager']/@href")
        if self.links:
            self.open(str(self.page.url.join(self.links[0])))

    def press(self, number: int, action: str = "", **fields: str):
        """A button of a form, counted on the page: the one that leads to another action than the form's own, if named."""
        form = self.forms[number]
        target = form.xpath(f".//button[@formaction][contains(@formaction, '{action}')]/@formaction") if action else []
        return self.fill(form, target[0] if target else form.get("action"), fields)


@pytest.fixture
def visitor(firm):
    """`visitor("jane")`: she is signed in, in a browser of her own."""
    with contextlib.ExitStack() as open_ones:

        def visitor(user: str) -> Person:
            person = Person(firm, user)
            open_ones.callback(person.http.close)
            return person

        yield visitor


def test_a_person_gets_keys_and_the_console(firm, visitor):
    assert visitor("jane").links == []  # no manager, no link
    firm.enable()
    firm.entitle(BUILD, user="jane")
    firm.entitle(DEPLOY, group="builders")
    jane = visitor("jane")
    assert ("build in dev" in jane.text, "deploy in prod" in jane.text) == (True, True)
    arn = f"arn:aws:sts::{PROD}:assumed-role/deploy/{firm.user('jane')}"
    assert arn in jane.press(1, "credentials").text
    assert "sso_session" not in jane.page.text  # the AWS CLI has no profile for it
    told = next(event for event in reversed(firm.aws.events()) if event["eventName"] == "GetRoleCredentials")
    assert told["eventSource"] == "account-access-runtime.amazonaws.com"
    assert told["userIdentity"]["onBehalfOf"]["userId"] == firm.user("jane")
    assert arn in visitor("jane").press(1).page.text


def test_what_is_refused(firm, visitor):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    firm.entitle(PLAIN, user="jane")  # whose trust policy does not know the service
    jane, omar = visitor("jane"), visitor("omar")
    assert "Nobody has entitled you" in omar.text
    assert visitor("jane").press(0, role=DEPLOY).page.status_code == 403
    assert "create an entitlement" in firm.aws.explain()
    assert jane.press(1).page.status_code == 403
    url = f"{firm.aws.endpoint_url}/start/account-access/credentials"
    assert jane.http.post(url, data={"role": BUILD, "token": "forged"}).status_code == 403
    assert jane.http.post(url, data={"role": BUILD}, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(url, data={"role": BUILD}, verify=False).status_code == 401
    firm.manager.delete_application(applicationArn=firm.application)
    assert jane.http.get(f"{firm.aws.endpoint_url}/start/account-access").status_code == 404


def test_the_page_in_a_browser(firm, page):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    page.goto(f"{firm.aws.endpoint_url}/start")
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.click("#manager")
    page.wait_for_selector("text=Your roles")
    assert serious(page) == []
    page.click("text=Access keys")
    page.wait_for_selector("#arn")
    assert serious(page) == []
