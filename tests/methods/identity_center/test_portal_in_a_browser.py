"""Chromium without a screen walks through the portal's pages; axe looks at each."""

from __future__ import annotations

import shutil

import pytest
from sso_lab import DEV, Tool

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def page():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": 960, "height": 640}, bypass_csp=True).new_page()
        yield page
        browser.close()


def inspect(page) -> None:
    """Nothing serious that axe would find: labels, contrast, structure."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    violations = axe.Axe().run(page).response["violations"]
    assert [
        (violation["id"], violation["nodes"][0]["html"])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ] == []


def test_sign_in_look_around_copy_keys_and_sign_out(aws, page):
    page.goto(f"{aws.endpoint_url}/start/#/console?account_id={DEV}&role_name=Developer")
    inspect(page)
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.wait_for_selector("text=Open the console")
    inspect(page)
    page.click("button:has-text('Developer')")
    page.wait_for_selector("#arn")
    assert "AWSReservedSSO_Developer" in page.inner_text("#arn")

    page.goto(f"{aws.endpoint_url}/start")
    assert page.text_content("#person") == "jane"
    inspect(page)
    page.click(f"[aria-label='Developer in {DEV}: access keys']")
    page.wait_for_selector("#bash")
    inspect(page)
    assert "sso_role_name = Developer" in page.inner_text("#sso")
    page.goto(f"{aws.endpoint_url}/start/signout")
    assert page.inner_text("#sentence") == "You are signed out."


def test_confirm_a_device(aws, page):
    tool = Tool(aws)
    device = tool.start()
    page.goto(device["verificationUri"])
    inspect(page)
    page.fill("#user_code", device["userCode"])
    page.click("#submit")
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.wait_for_selector("#allow")
    inspect(page)
    page.click("#allow")
    page.wait_for_selector("#sentence")
    assert tool.token(device)["accessToken"]
