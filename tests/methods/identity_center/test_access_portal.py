"""The account access portal: a person sees the roles to which they are entitled, and has their keys or the console."""

from __future__ import annotations

import contextlib

import httpx
import pytest
from access_lab import BUILD, DEPLOY, PLAIN, SCENARIO, Firm
from lxml import html
from sso_lab import PROD


@pytest.fixture
def firm(emulator_server):
    with emulator_server.world(SCENARIO) as aws:
        yield Firm(aws)


class Person:
    """A browser by hand, at the account access portal."""

    def __init__(self, firm, user: str) -> None:
        self.http = httpx.Client(
            verify=False, base_url=firm.aws.endpoint_url, follow_redirects=True
        )  # loading certificates takes 40 ms
        self.page = self.http.get(f"{firm.aws.endpoint_url}/start")
        self.send(username=user, password=user)
        self.links = html.fromstring(self.page.text).xpath("//a[@id='manager']/@href")
        if self.links:
            self.page = self.http.get(self.page.url.join(self.links[0]))

    def send(self, number: int = 0, *, action: str = "", **fields: str):
        form = html.fromstring(self.page.text).xpath("//main//form")[number]
        hidden = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
        target = form.xpath(f".//button[@formaction][contains(@formaction, '{action}')]/@formaction") if action else []
        url = self.page.url.join(target[0] if target else form.get("action"))
        self.page = self.http.post(str(url), data={**hidden, **fields})
        return self

    @property
    def text(self) -> str:
        return " ".join(html.fromstring(self.page.text).xpath("string(//main)").split())


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
    assert arn in jane.send(1, action="credentials").text
    assert "sso_session" not in jane.page.text  # the AWS CLI has no profile for it
    told = next(event for event in reversed(firm.aws.events()) if event["eventName"] == "GetRoleCredentials")
    assert told["eventSource"] == "account-access-runtime.amazonaws.com"
    assert told["userIdentity"]["onBehalfOf"]["userId"] == firm.user("jane")
    assert arn in visitor("jane").send(1).page.text


def test_what_is_refused(firm, visitor):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    firm.entitle(PLAIN, user="jane")  # whose trust policy does not know the service
    jane, omar = visitor("jane"), visitor("omar")
    assert "Nobody has entitled you" in omar.text
    assert visitor("jane").send(0, role=DEPLOY).page.status_code == 403
    assert "create an entitlement" in firm.aws.explain()
    assert jane.send(1).page.status_code == 403
    url = f"{firm.aws.endpoint_url}/start/account-access/credentials"
    assert jane.http.post(url, data={"role": BUILD, "token": "forged"}).status_code == 403
    assert jane.http.post(url, data={"role": BUILD}, headers={"Origin": "http://evil.example"}).status_code == 403
    assert httpx.post(url, data={"role": BUILD}, verify=False).status_code == 401
    firm.manager.delete_application(applicationArn=firm.application)
    assert jane.http.get(f"{firm.aws.endpoint_url}/start/account-access").status_code == 404


def test_the_page_in_a_browser(firm, page, inspect):
    firm.enable()
    firm.entitle(BUILD, user="jane")
    page.goto(f"{firm.aws.endpoint_url}/start")
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.click("#manager")
    page.wait_for_selector("text=Your roles")
    inspect(page)
    page.click("text=Access keys")
    page.wait_for_selector("#arn")
    inspect(page)
