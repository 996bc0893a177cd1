"""A browser for each file of the tests of the console."""

from __future__ import annotations

import browsers
import pytest


@pytest.fixture(scope="module")  # no longer: Playwright keeps an event loop running, and other tests start their own
def chromium():
    with browsers.chromium() as browser:
        yield browser
