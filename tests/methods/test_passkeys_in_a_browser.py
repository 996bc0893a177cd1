"""Chromium's own authenticator makes passkeys and shows them, at the access portal and at the console; axe looks at the pages."""

from __future__ import annotations

import pytest
from browsers import serious

DEV = "111122223333"

SCENARIO = f"""
accounts:
  "{DEV}":
    users:
      alice: {{policies: [AdministratorAccess]}}
organization: {{management: "{DEV}"}}
identity_center:
  users: {{jane: {{}}}}
"""
pytestmark = [pytest.mark.clients, pytest.mark.scenario(SCENARIO)]


@pytest.fixture
def page(chromium):
    with chromium.new_context(viewport={"width": 960, "height": 640}, bypass_csp=True) as context:
        page = context.new_page()
        page.set_default_timeout(120_000)
        yield page


def plug_in(page, **options) -> None:
    """An authenticator in the machine that knows its person again."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    built_in = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    wish = {**built_in, "isUserVerified": True, "automaticPresenceSimulation": True, **options}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": wish})


def sign_in(page, **fields: str) -> None:
    for field, value in fields.items():
        page.fill(f"#{field}", value)
    page.click("#submit")


def register(page, name: str) -> None:
    page.wait_for_selector("#register")
    assert serious(page) == []
    page.fill("#name", name)
    page.click("#register")
    page.wait_for_selector(f"text={name}")


@pytest.mark.parametrize("options", [{}, {"protocol": "u2f", "transport": "usb"}], ids=["passkey", "security key"])
def test_at_the_access_portal(aws, page, options):
    if options:
        options = {**options, "hasResidentKey": False, "hasUserVerification": False, "isUserVerified": False}
    base = aws.endpoint_url.replace("127.0.0.1", "localhost")
    plug_in(page, **options)
    page.goto(f"{base}/start/mfa")
    sign_in(page, username="jane", password="jane")
    register(page, "laptop")
    page.goto(f"{base}/start/signout")

    page.goto(f"{base}/start")
    sign_in(page, username="jane", password="jane")
    page.wait_for_selector("#passkey")
    assert serious(page) == []
    page.click("#passkey")
    page.wait_for_selector("text=Your accounts")


def test_at_the_console_and_back_to_a_tool(aws, page):
    aws.client("iam").create_login_profile(UserName="alice", Password="Correct-Horse-7")
    base = aws.endpoint_url.replace("127.0.0.1", "localhost")
    alice = {"account": DEV, "username": "alice", "password": "Correct-Horse-7"}
    plug_in(page)
    page.goto(f"{base}/signin/mfa")
    sign_in(page, **alice)
    register(page, "laptop")
    page.goto(f"{base}/console/signout")
    page.goto(f"{base}/signin")
    sign_in(page, **alice)
    page.click("#passkey")
    page.wait_for_selector(f"text=arn:aws:iam::{DEV}:user/alice")
    assert aws.client("iam").list_mfa_devices(UserName="alice")["MFADevices"]


def test_a_device_registers_once_and_what_goes_wrong_is_told(aws, page):
    base = aws.endpoint_url.replace("127.0.0.1", "localhost")
    plug_in(page)
    page.goto(f"{base}/start/mfa")
    sign_in(page, username="jane", password="jane")
    register(page, "laptop")
    page.fill("#name", "again")
    page.click("#register")
    page.wait_for_selector("text=This device has a passkey of yours already.")


def test_from_an_address_to_the_name_of_this_machine(aws, page):
    page.goto(f"{aws.endpoint_url}/start/mfa")
    sign_in(page, username="jane", password="jane")
    page.wait_for_selector("#elsewhere")
    assert serious(page) == []
    page.click("#elsewhere")
    page.wait_for_selector("#username")
    assert page.url.startswith(aws.endpoint_url.replace("127.0.0.1", "localhost"))
