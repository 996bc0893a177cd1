"""Chromium walks every page of the console in both themes and three widths, and makes the pictures of the docs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from console_lab import THEMES, WIDTHS, console, event_of, serious, tries, window

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"

PAGES = {
    "timeline": "",
    "timeline-filtered": "?outcome=denied&not_method=iam&q=sts",
    "timeline-nothing": "?q=nothing+is+like+that",
    "attempt": "attempts/{denied}",
    "attempt-allowed": "attempts/{allowed}",
    "attempt-signature": "attempts/{signature}",
    "compare": "compare?pick={denied}&pick={allowed}",
    "replay": "attempts/{denied}/replay?change=0",
    "refused": "attempts/nothing",
    "world": "world?amount=2&unit=hours",
    "mailbox": "mailbox",
    "worlds": "worlds",
    "explorer": "explorer",
    "workbench": "workbench",
    "role": "explorer/role?arn=arn:aws:iam::444455556666:role/release",
}


@pytest.fixture
def walked(aws):
    tries(aws)
    return aws


SHOWN = ("timeline", "attempt", "replay", "role", "workbench")


def picture(page, name: str) -> None:
    """Renew a picture of the docs, when asked to with CONSOLE_PICTURES=1."""
    if os.environ.get("CONSOLE_PICTURES") and name in SHOWN:
        page.screenshot(path=PICTURES / f"console-{name}.png")


@pytest.mark.parametrize("theme", THEMES)
def test_every_page_in_every_width(walked, chromium, theme):
    page = window(chromium, theme=theme)
    ids = {
        "denied": event_of(walked, "AssumeRoleWithWebIdentity", "denied"),
        "allowed": event_of(walked, "AssumeRoleWithWebIdentity", "allowed"),
        "signature": event_of(walked, "GetCallerIdentity", "denied"),
    }
    checked = window(chromium, theme=theme, bypass_csp=True)  # into which axe may look
    for name, path in PAGES.items():
        for width in WIDTHS:
            for each in (page, checked):
                each.set_viewport_size({"width": width, "height": 900})
                assert each.goto(console(walked, path.format(**ids))).status == (404 if name == "refused" else 200), (
                    name
                )
            assert serious(checked) == [], (name, width)
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{name} is {wide} wide at {width}"
        if theme == "light":
            page.set_viewport_size({"width": 1280, "height": 800})
            picture(page, name)
    assert [told for told in page.complaints if "404" not in told] == []


def test_by_keyboard_alone(walked, chromium):
    page = window(chromium)
    page.goto(console(walked))
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.className") == "what":
            break
    assert page.evaluate("document.activeElement.className") == "what"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
