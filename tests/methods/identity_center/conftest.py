"""A world with Identity Center, and a tool in it."""

from __future__ import annotations

import pytest
from sso_lab import Tool, plant

from sts_emulator.testing import Emulator


@pytest.fixture
def emulator_server(tmp_path, serve):
    state = tmp_path / "state.db"
    with serve("--state", str(state)) as (url, _):
        emulator = Emulator(url)
        emulator.state = state
        yield emulator


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world() as world:
        plant(emulator_server.state, world.world)
        yield world


@pytest.fixture
def tool(aws):
    return Tool(aws)
