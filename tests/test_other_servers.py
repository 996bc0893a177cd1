"""`sts_emulator.app:app` is an ordinary FastAPI application, for whoever runs it under a server of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from sts_emulator.cli.control import Control, ControlError
from sts_emulator.emulation import Aws, Emulator
from sts_emulator.shared_server import free_port

TOKEN = "a-token-of-the-server"
WORLD = Path(__file__).parent / "bench" / "world.yaml"


@contextlib.contextmanager
def uvicorn(**settings: str):
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "sts_emulator.app:app", "--port", str(port), "--log-level", "warning"]
    environment = {"PATH": os.environ["PATH"], "EMULATOR_SCENARIO": str(WORLD), **settings}
    with subprocess.Popen(command, env=environment) as process:
        url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 240
        while time.monotonic() < until:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{url}/health", timeout=2).close()
                break
            time.sleep(0.02)
        try:
            yield url
        finally:
            process.terminate()


def test_it_serves_aws_calls_and_the_control_api():
    with uvicorn() as url, contextlib.closing(Emulator(url).control()) as control:
        alice = control.api("GET", "worlds", "default", "credentials", account="111122223333", user="alice")
        sts = Aws(control, "default").client("sts", alice)
        assert sts.get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:user/alice"
        role = "arn:aws:iam::444455556666:role/release"
        assert sts.assume_role(RoleArn=role, RoleSessionName="who", ExternalId="xyz")["Credentials"]
        assert [event["eventName"] for event in control.api("GET", "worlds", "default", "events")] == [
            "GetCallerIdentity",
            "AssumeRole",  # in the role's account
            "AssumeRole",
        ]


def test_it_asks_for_a_token_that_it_is_given():
    """It cannot know where it listens."""
    with uvicorn(EMULATOR_TOKEN=TOKEN) as url:
        with contextlib.closing(Control(url, "")) as stranger, pytest.raises(ControlError, match="token"):
            stranger.api("GET", "worlds")
        with contextlib.closing(Control(url, TOKEN)) as control:
            assert control.api("GET", "worlds") == ["default"]
