"""Chromium without a screen walks through the portal's pages; axe looks at each."""

from __future__ import annotations

import pytest
from browsers import serious
from sso_lab import DEV, Tool

pytestmark = pytest.mark.clients


def test_sign_in_look_around_copy_keys_and_sign_out(aws, page):
    page.goto(f"{aws.endpoint_url}/start/#/console?account_id={DEV}&role_name=Developer")
    assert serious(page) == []
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.wait_for_selector("text=Open the console")
    assert serious(page) == []
    page.click("button:has-text('Developer')")
    page.wait_for_selector("#arn")
    assert "AWSReservedSSO_Developer" in page.inner_text("#arn")

    page.goto(f"{aws.endpoint_url}/start")
    assert page.text_content("#person") == "jane"
    assert serious(page) == []
    page.click(f"[aria-label='Developer in {DEV}: access keys']")
    page.wait_for_selector("#bash")
    assert serious(page) == []
    assert "sso_role_name = Developer" in page.inner_text("#sso")
    page.goto(f"{aws.endpoint_url}/start/signout")
    assert page.inner_text("#sentence") == "You are signed out."


def test_confirm_a_device(aws, page):
    tool = Tool(aws)
    device = tool.start()
    page.goto(device["verificationUri"])
    assert serious(page) == []
    page.fill("#user_code", device["userCode"])
    page.click("#submit")
    page.fill("#username", "jane")
    page.fill("#password", "jane")
    page.click("#submit")
    page.wait_for_selector("#allow")
    assert serious(page) == []
    page.click("#allow")
    page.wait_for_selector("#sentence")
    assert tool.token(device)["accessToken"]
