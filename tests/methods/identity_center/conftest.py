"""A world with Identity Center, and a tool in it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from propagation_lab import SCENARIO as PROPAGATION
from propagation_lab import Company
from sso_lab import SCENARIO, Tool


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        yield world


@pytest.fixture
def tool(aws):
    return Tool(aws)


@pytest.fixture
def company(emulator_server):
    with emulator_server.world(PROPAGATION) as world:
        yield Company(world)


@pytest.fixture
def page(chromium):
    """A page of it, into which axe may look."""
    with chromium.new_context(viewport={"width": 960, "height": 640}, bypass_csp=True) as context:
        yield context.new_page()


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
