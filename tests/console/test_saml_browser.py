"""A real browser, Chromium without a screen, walks from the identity provider's sign-in page to the console."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from signin_lab import DEV, DEVELOPER, LAB

pytestmark = [pytest.mark.clients, pytest.mark.scenario(LAB)]

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


@pytest.fixture
def page(chromium):
    with chromium.new_context(viewport={"width": 960, "height": 640}) as context:
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("requestfailed", lambda request: page.complaints.append(f"failed: {request.url}"))
        yield page


def picture(page, name: str) -> None:
    """Renew a picture of the docs, when asked to with SAML_PICTURES=1."""
    if os.environ.get("SAML_PICTURES"):
        page.screenshot(path=PICTURES / name)


def test_sign_in_choose_a_role_and_land_in_the_console(aws, page):
    page.goto(f"{aws.endpoint_url}/idp/corp/?RelayState=https://console.aws.amazon.com/s3")
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    picture(page, "saml-sign-in.png")
    page.click("#submit")

    # post.js hands the response over without a click.
    page.wait_for_selector("#saml_form")
    page.check(f"[id='{DEVELOPER}']")
    picture(page, "saml-role-chooser.png")
    page.click("#signin_button")

    page.wait_for_selector("#arn")
    assert page.inner_text("#arn") == f"arn:aws:sts::{DEV}:assumed-role/Developer/jane"
    picture(page, "saml-console.png")
    lines = page.inner_text("#bash").splitlines()
    shown = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    key = {
        "AccessKeyId": shown["AWS_ACCESS_KEY_ID"],
        "SecretAccessKey": shown["AWS_SECRET_ACCESS_KEY"],
        "SessionToken": shown["AWS_SESSION_TOKEN"],
    }
    assert aws.client("sts", key).get_caller_identity()["Arn"] == page.inner_text("#arn")

    # Later, in the same browser.
    page.goto(f"{aws.endpoint_url}/console")
    assert page.query_selector("#bash") is None
    page.click("text=Show credentials")
    page.wait_for_selector("#bash")
    assert page.is_visible("[data-copy='bash']")
    assert page.complaints == []  # nothing that the content security policy had to stop


def test_without_scripts_there_is_a_button(aws, page):
    context = page.context.browser.new_context(java_script_enabled=False)
    plain = context.new_page()
    plain.goto(f"{aws.endpoint_url}/idp/corp/")
    plain.fill("#username", "omar")
    plain.fill("#password", "let me in")
    plain.click("#submit")
    plain.click("#continue")

    assert plain.inner_text("#arn") == f"arn:aws:sts::{DEV}:assumed-role/Admin/omar"
    context.close()
