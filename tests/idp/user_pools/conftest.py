"""A pool with an app client and a user whose password is for good."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hook_server import playing
from pool_lab import App, new_pool

sys.path.insert(0, str(Path(__file__).parents[2] / "methods"))  # the software authenticator


@pytest.fixture
def new_app(aws):
    """`new_app(**settings)`: a pool of those settings with a client, and nobody in it."""
    return lambda **settings: new_pool(aws, **settings)


@pytest.fixture
def app(new_app) -> App:
    made = new_app()
    made.add_user("ada", email="ada@example.org", email_verified="true")
    return made


@pytest.fixture
def refusal():
    """`refusal(call, **parameters)`: the code and sentence that the call is refused with."""

    def refused(call, **parameters: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            call(**parameters)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]

    return refused


@pytest.fixture
def hooks():
    """A server of the test's own whose functions play triggers: `hooks.play(app, PreSignUp=function)`."""
    with playing() as server:
        yield server
