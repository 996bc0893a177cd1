"""A browser for all tests of the console."""

from __future__ import annotations

import console_lab
import pytest


@pytest.fixture(scope="session")
def chromium():
    with console_lab.chromium() as browser:
        yield browser
