"""`with Emulator() as aws:` in programs and test frameworks that are not pytest's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sts_emulator import Emulator


def listens(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


def test_it_is_started_and_ended():
    with Emulator() as aws:
        assert aws.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:root"
    assert not listens(aws.endpoint_url)


def test_its_world_comes_from_a_scenario(tmp_path: Path):
    scenario = 'accounts: {"999988887777": {users: {zoe: }}}'
    (tmp_path / "mine.yaml").write_text(scenario)
    for given in (scenario, tmp_path / "mine.yaml"):
        with Emulator(scenario=given) as aws:
            assert aws.client("sts", user="zoe").get_caller_identity()["Arn"].endswith("999988887777:user/zoe")


def test_a_mistake_in_the_scenario_leaves_nothing_behind():
    emulator = Emulator(scenario="acounts: {}")
    with pytest.raises(Exception, match="did you mean `accounts`"), emulator:
        pass
    assert emulator.url == ""


def test_one_that_runs_is_used_and_goes_on(emulator_server: Emulator):
    with Emulator(emulator_server.url) as aws:
        assert aws.endpoint_url.startswith(f"{emulator_server.url}/w/")
    assert listens(emulator_server.url)
    with emulator_server.control() as control:
        assert aws.world not in control.api("GET", "worlds")


def test_who_has_no_boto3_is_told_so(emulator_server: Emulator):
    """It is no dependency: other SDKs, and `env`, do without."""
    without = "import sys; sys.modules['boto3'] = None; from sts_emulator import Emulator\n"
    program = f"{without}with Emulator('{emulator_server.url}') as aws: print(len(aws.env())); aws.client('sts')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert int(ended.stdout) > 5
    assert "makes clients of boto3, which is not installed: pip install boto3" in ended.stderr


def test_it_needs_no_pytest_and_ends_with_its_process():
    program = (
        "import sys; sys.modules['pytest'] = None; from sts_emulator import Emulator\n"
        "with Emulator() as aws: print(aws.endpoint_url, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        url = process.stdout.readline().strip()
        with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=60) as line:
            os.kill(process.pid, signal.SIGKILL)
            assert line.recv(1) == b"", "the server hangs up when it ends"


@pytest.mark.parametrize("claims", [{"repositry": "acme/shop"}, {"rpo": "acme/shop"}, {"enviroment": "live"}])
def test_a_misspelt_option_of_a_token_is_refused(aws, claims):
    with pytest.raises(TypeError, match=next(iter(claims))):
        aws.token("github", **claims)
    assert aws.token("github", department="people").count(".") == 2, "a claim of one's own is none"
