"""A world with Identity Center, and a tool in it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from sso_lab import Tool, changed, plant

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


@pytest.fixture
def refusal():
    """`refusal(call, **arguments)`: HTTP status, exception, OAuth code (or message) of the error it must end in."""

    def refusal(call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        response = caught.value.response
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        return status, response["Error"]["Code"], response.get("error") or response["Error"]["Message"]

    return refusal


@pytest.fixture
def change(aws, emulator_server):
    """`change("jane", enabled=False)`: change members of a person."""
    return lambda name, **members: changed(emulator_server.state, aws.world, name, members)
