"""`serve --workers N`: several processes that are one emulator on one port, and outlive one another."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import httpx
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from lxml import html

from sts_emulator import Aws, Emulator

if not hasattr(os, "fork"):
    pytest.skip("no fork on this system", allow_module_level=True)

START_URL = "https://d-9067000000.awsapps.com/start"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(params=["file", "postgres"])
def state(request, tmp_path) -> tuple[str, str]:
    if request.param == "postgres":
        return "--state", request.getfixturevalue("postgres").database()
    return "--state", str(tmp_path / "state.sqlite")


def workers_of(process: subprocess.Popen, count: int = 2) -> list[int]:
    """The processes of a parent's workers, once there are so many."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while len(workers := [int(pid) for pid in children.read_text().split()]) < count:
        time.sleep(0.01)
    return workers


def state_of(pid: int) -> str:
    """The letter that proc(5) gives a process; Z where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def is_writing(pid: int) -> bool:
    """Whether it holds a file's lock for writers, see proc_locks(5)."""
    return re.search(rf" WRITE {pid} ", Path("/proc/locks").read_text()) is not None


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """While it lasts, the others answer whoever connects. Not in the middle of a write: they would wait for its end."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: state_of(pid) == "T")
    while is_writing(pid):
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: state_of(pid) == "T")
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def is_gone(pid: int) -> bool:
    return state_of(pid) == "Z"


def wait_for(condition) -> None:
    until = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"{url}/health", timeout=120).close()
        return True
    return False


# -- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--workers", "2"], "memory belongs to one process; name what they share with --state"),
        (["--workers", "0", "--state", "state.sqlite"], "--workers 0: at least 1"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, flags, told):
    command = [sys.executable, "-m", "sts_emulator", "serve", "--port", "0", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path)
    assert done.returncode == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_mistake_in_a_scenario_is_told_once_and_nothing_is_left(tmp_path):
    scenario = tmp_path / "wrong.yaml"
    scenario.write_text("accounts: 7\n")
    command = [sys.executable, "-m", "sts_emulator", "serve", "--port", "0", "--workers", "2"]
    done = subprocess.run(
        [*command, "--state", str(tmp_path / "s"), "--scenario", str(scenario)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.count("nothing was started") == 1


# -- one emulator -----------------------------------------------------------------------------------------------------


def test_what_one_worker_gave_another_takes(serve, state, tmp_path):
    """Sessions, writes, device codes, browser sessions with their forms, and codes that are good once.

    Away from the folder of examples: nobody is stopped in the middle of taking them up.
    """
    with serve("--workers", "2", *state, cwd=tmp_path) as (url, process):
        one, other = workers_of(process)
        wait_for(lambda: answers(url))
        with stopped(other), contextlib.closing(Emulator(url).control()) as api:
            aws = Aws(api, "default")
            root = api.api("GET", "worlds", "default", "credentials")
            session = aws.client("sts", root).get_session_token()["Credentials"]
            aws.client("iam", root).create_user(UserName="from-one")
            oidc = boto3.client(
                "sso-oidc", endpoint_url=url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
            )
            registered = oidc.register_client(clientName="tool", clientType="public", scopes=["sso:account:access"])
            client = {name: registered[name] for name in ("clientId", "clientSecret")}
            device = oidc.start_device_authorization(**client, startUrl=START_URL)
            browser = httpx.Client(
                verify=False, follow_redirects=True, headers={"connection": "close"}
            )  # loading certificates takes 40 ms
            form = html.fromstring(browser.get(f"{url}/start").text).xpath("//form")[0]
        oidc.close()
        with stopped(one), contextlib.closing(Emulator(url).control()) as api:
            aws = Aws(api, "default")
            assert aws.client("sts", session).get_caller_identity()["Account"] == root["account"]
            aws.client("iam", root).get_user(UserName="from-one")
            hidden = {field.get("name"): field.get("value") for field in form.xpath(".//input[@type='hidden']")}
            page = browser.post(
                f"{url}{form.get('action')}", data={**hidden, "username": "jane", "password": "jane-password"}
            )
            assert page.status_code == 200
            assert "Sign out" in page.text
            api.api("POST", "worlds", "default", "approve", body={"code": device["userCode"], "user": "jane"})
        with stopped(other):
            assert "Sign out" in browser.get(f"{url}/start").text
            assert oidc.create_token(**client, grantType=GRANT, deviceCode=device["deviceCode"])["accessToken"]
        oidc.close()
        with stopped(one), pytest.raises(oidc.exceptions.InvalidGrantException):
            oidc.create_token(**client, grantType=GRANT, deviceCode=device["deviceCode"])
        oidc.close()
        browser.close()


def test_a_listener_is_opened_once_whoever_is_asked(serve, tmp_path):
    with serve("--workers", "2", "--state", str(tmp_path / "state.sqlite")) as (url, process):
        workers = workers_of(process)
        wait_for(lambda: answers(url))
        place = f"{url}/_emulator/api/worlds/default/listeners"
        headers = {"connection": "close"}
        opened = [  # connections go to whoever is quicker
            httpx.post(place, json={"kind": "ecs"}, headers=headers, timeout=60, verify=False).json() for _ in range(20)
        ]
        assert len({listener["port"] for listener in opened}) == 1
        first, second = workers  # as they were started
        with stopped(first):  # which alone could open one: this is the other's word
            assert (
                httpx.post(place, json={}, headers={"origin": "http://evil.example"}, verify=False).status_code == 403
            )
        assert (
            httpx.delete(f"{place}/{opened[0]['port']}", headers=headers, timeout=60, verify=False).status_code == 204
        )
        with stopped(second):
            assert httpx.get(place, headers=headers, verify=False).json() == []


# -- outliving one another --------------------------------------------------------------------------------------------


def test_a_worker_that_dies_is_started_again_and_nobody_new_waits_for_it(serve, state):
    with serve("--workers", "2", *state) as (url, process):
        first, second = workers_of(process)
        wait_for(lambda: answers(url))
        with contextlib.closing(Emulator(url).control()) as api:
            root = api.api("GET", "worlds", "default", "credentials")
        for pid in (first, second):
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda pid=pid: pid not in workers_of(process))
            assert answers(url)
        with contextlib.closing(Emulator(url).control()) as api:
            assert api.api("GET", "worlds", "default", "credentials") == root
        process.terminate()
        told = process.communicate(timeout=60)[0]
    lines = [line for line in told.splitlines() if "started again" in line]
    assert lines == [
        f"worker 1 (process {first}) has ended by signal 9: it is started again",
        f"worker 2 (process {second}) has ended by signal 9: it is started again",
    ]
    assert told.count("ready; Ctrl-C stops it") == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_all_end_with_their_parent_whatever_is_open(serve, tmp_path, how):
    with serve("--workers", "2", "--state", str(tmp_path / "state.sqlite")) as (url, process):
        workers = workers_of(process)
        wait_for(lambda: answers(url))
        host = url.removeprefix("http://")
        stream, idle = http.client.HTTPConnection(host), http.client.HTTPConnection(host)
        stream.request("GET", "/_emulator/api/worlds/default/events/stream")
        stream.getresponse().read(5)
        idle.request("GET", "/health")
        idle.getresponse().read()
        process.send_signal(how)
        process.wait(timeout=60)
        wait_for(lambda: all(map(is_gone, workers)))
        stream.close()
        idle.close()


def test_a_worker_that_hangs_is_ended_with_the_others(serve, tmp_path):
    with serve("--workers", "2", "--state", str(tmp_path / "state.sqlite")) as (url, process):
        workers = workers_of(process)
        wait_for(lambda: answers(url))
        os.kill(workers[0], signal.SIGSTOP)
        process.terminate()
        process.wait(timeout=60)
        assert all(map(is_gone, workers))
