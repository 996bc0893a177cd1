"""What drives the programs of others, in other languages, is run by `.ci/run` after the rest: most of them take long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = f"{Path(__file__).parent}{os.sep}"


@pytest.hookimpl(tryfirst=True)  # before `-m` looks at the markers
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if str(item.path).startswith(HERE):  # the parents of thirteen thousand paths take a second
            item.add_marker(pytest.mark.clients)
