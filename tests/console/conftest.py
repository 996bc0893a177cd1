"""Browsers without a screen."""

from __future__ import annotations

import pytest
from signin_lab import Browser


@pytest.fixture
def new_browser(aws):
    """Open further browsers of the test's world (or of another); all are closed at the end."""
    opened: list[Browser] = []

    def open_one(world=aws) -> Browser:
        opened.append(Browser(world))
        return opened[-1]

    yield open_one
    for browser in opened:
        browser.http.close()


@pytest.fixture
def browser(new_browser):
    return new_browser()
