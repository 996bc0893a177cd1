"""People register authenticator apps at the portal, whose codes they are asked for from then on."""

from __future__ import annotations

import by_hand
import httpx
import pytest
from browsers import serious
from lxml import html
from sso_lab import SEED

from sts_emulator.accounts.people import totp


class Person(by_hand.Person):
    """On the page of an authenticator app."""

    def __init__(self, aws) -> None:
        super().__init__(aws.endpoint_url)
        self.open("/start/mfa/app")

    @property
    def seed(self) -> str:
        return self.tree.xpath("string(//*[@id='seed'])")


@pytest.fixture
def jane(aws):
    person = Person(aws).send(username="jane", password="jane")
    yield person
    person.http.close()


def test_an_app_is_registered_and_asked_for(aws, jane):
    seed = jane.seed
    code = totp(seed, aws.now())
    assert "<svg" in jane.page.text
    jane.send(name="phone", code="000000" if code != "000000" else "000001")
    assert (jane.page.status_code, jane.seed) == (403, seed)  # another try with the same key
    assert "phone authenticator app" in jane.send(name="phone", code=code).text
    told = aws.events()[-1]
    assert told["eventName"] == "CompleteVirtualMfaDeviceRegistration"
    assert told["userIdentity"]["type"] == "IdentityCenterUser"
    assert seed not in str(aws.events())

    again = Person(aws).send(username="jane", password="jane")
    assert "Additional verification required" in again.text
    assert again.send(code=code).page.status_code == 403  # used up when it was registered
    aws.advance(90)
    assert again.send(code=totp(seed, aws.now())).page.status_code == 200
    again.http.close()


def test_keys_are_good_for_a_while_and_for_whom_they_were_shown(aws, jane):
    seed, wish = jane.seed, {"name": "phone"}
    hidden = {field.get("name"): field.get("value") for field in html.fromstring(jane.page.text).xpath("//form//input")}
    mary = Person(aws).send(username="mary", password="tr0ub4dor-3-X").send(code=totp(SEED, aws.now()))
    mary.send(**wish, key=hidden["key"], code=totp(seed, aws.now()))
    assert mary.page.status_code == 403
    assert "took too long" in mary.text
    mary.http.close()
    aws.advance(601)
    assert "took too long" in jane.send(**wish, code=totp(seed, aws.now())).text
    assert jane.seed != seed
    forged = {**wish, "key": hidden["key"], "code": "123456", "token": "forged"}
    url = f"{aws.endpoint_url}/start/mfa/app"
    assert jane.http.post(url, data=forged).status_code == 403
    assert httpx.post(url, data=forged, verify=False).status_code == 401
    assert jane.http.post(url, data=forged, headers={"Origin": "http://evil.example"}).status_code == 403


def test_the_page_in_a_browser(aws, page):
    page.goto(f"{aws.endpoint_url}/start/mfa/app")
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.wait_for_selector("#seed")
    assert serious(page) == []
    page.fill("#name", "phone")
    page.fill("#code", totp(page.text_content("#seed"), aws.now()))
    page.click("#register")
    page.wait_for_selector("text=authenticator app")
    assert serious(page) == []


@pytest.mark.parametrize(("name", "status"), [("", 400), ("a b", 400), ("<b>", 400), ("x" * 65, 400), ("ok", 200)])
def test_names_of_devices(aws, jane, name, status):
    assert jane.send(name=name, code=totp(jane.seed, aws.now())).page.status_code == status
