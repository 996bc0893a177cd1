"""A world whose users sign in to the console, and a tool there."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from login_lab import SCENARIO, LoginTool


@pytest.fixture
def aws(emulator_server):
    with emulator_server.world(SCENARIO) as world:
        yield world


@pytest.fixture
def tool(aws):
    return LoginTool(aws)


@pytest.fixture
def denied():
    """`denied(call, …)`: the exception that it must end in, and the code by which the AWS CLI tells them apart."""

    def denied(call, *arguments, **named):
        with pytest.raises(ClientError) as caught:
            call(*arguments, **named)
        return caught.value.response["Error"]["Code"], caught.value.response.get("error")

    return denied
