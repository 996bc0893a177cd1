"""What the tests of the methods share: how a refusal is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

STS_WORLD = Path(__file__).with_name("sts_world.yaml")


@pytest.fixture
def refused():
    """`refused(call, **arguments)`: status, code and message of the error that the call must end in."""

    def refused(call, **arguments):
        with pytest.raises(ClientError) as caught:
            call(**arguments)
        response = caught.value.response
        status = response["ResponseMetadata"]["HTTPStatusCode"]
        return status, response["Error"]["Code"], response["Error"].get("Message", "")

    return refused
