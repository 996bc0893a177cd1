"""`start`, `status`, `logs` and `stop`: an emulator in the background, found again by its port."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from sts_emulator.shared_server import free_port

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """The command, in an environment that keeps its state in a folder of the test."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "XDG_STATE_HOME": str(tmp_path / "state"), "HOME": str(tmp_path)}
        return subprocess.run(
            [sys.executable, "-m", "sts_emulator", *arguments],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    yield command
    for file in (tmp_path / "state" / "sts-emulator").glob("*.json"):
        command("stop", "--port", file.stem)


def started(run: Run, *flags: str) -> str:
    """Start one on a free port, and say which."""
    done = run("start", "--port", "0", *flags)
    assert done.returncode == 0, done.stderr
    return re.search(r"runs on http://127\.0\.0\.1:(\d+)", done.stdout)[1]


def listens(port: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(port))) == 0


def test_one_is_started_seen_read_and_ended(run: Run):
    port = started(run)

    seen = json.loads(run("status", "--port", port, "--json").stdout)
    assert seen["url"] == f"http://127.0.0.1:{port}"
    assert [world["name"] for world in seen["worlds"]] == ["default"]
    assert "111122223333" in seen["worlds"][0]["accounts"]
    assert f"in the background (process {seen['pid']}" in run("status", "--port", port).stdout
    assert "root credentials:" in run("logs", "--port", port).stdout
    log = Path(seen["log"])
    assert stat.S_IMODE(log.stat().st_mode) == 0o600, "it holds root credentials"

    ended = run("stop", "--port", port)
    assert (ended.returncode, listens(port)) == (0, False)
    gone = run("status", "--port", port)
    assert gone.returncode == 1
    assert f"no emulator answers at http://127.0.0.1:{port}" in gone.stderr
    assert "sts-emulator start" in gone.stderr, "the next step"


def test_flags_reach_the_server(run: Run, tmp_path: Path):
    (tmp_path / "mine.yaml").write_text('accounts: {"999988887777": }\n')
    port = started(run, "--scenario", "mine.yaml", "--permissive")
    assert json.loads(run("status", "--port", port, "--json").stdout)["worlds"][0]["accounts"] == ["999988887777"]
    assert "PERMISSIVE" in run("logs", "--port", port).stdout


def test_one_that_runs_is_left_alone(run: Run):
    port = started(run)
    before = json.loads(run("status", "--port", port, "--json").stdout)["pid"]
    again = run("start", "--port", port)
    assert (again.returncode, "runs already" in again.stdout) == (0, True)
    assert json.loads(run("status", "--port", port, "--json").stdout)["pid"] == before


def test_following_a_log_ends_with_the_server(run: Run):
    port = started(run)
    pid = json.loads(run("status", "--port", port, "--json").stdout)["pid"]
    os.kill(pid, signal.SIGTERM)
    assert "root credentials:" in run("logs", "--port", port, "--follow").stdout


def test_a_process_that_only_has_the_number_is_never_ended(run: Run, tmp_path: Path):
    port = str(free_port())
    folder = tmp_path / "state" / "sts-emulator"
    folder.mkdir(parents=True)
    (folder / f"{port}.json").write_text(json.dumps({"pid": os.getpid()}))  # this very test
    refused = run("stop", "--port", port)
    assert refused.returncode == 1
    assert "only what `start` started is ended" in refused.stderr
    (folder / f"{port}.json").unlink()


def test_one_that_cannot_start_says_why(run: Run):
    refused = run("start", "--port", "0", "--scenario", "nowhere.yaml")
    assert refused.returncode == 2
    assert "nowhere.yaml: no such file or folder" in refused.stderr
    assert "no log for port 1;" in run("logs", "--port", "1").stderr


def hang_up(holder: socket.socket) -> None:
    """Keep nobody waiting."""
    with suppress(OSError):
        while True:
            holder.accept()[0].close()


def test_a_port_that_somebody_has_is_refused(run: Run):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        Thread(target=hang_up, args=(holder,), daemon=True).start()
        refused = run("start", "--port", str(holder.getsockname()[1]))
    assert refused.returncode == 2
    assert "address already in use; `--port 0` takes a free one" in refused.stderr


def test_a_port_that_an_emulator_has_is_refused_with_how_to_end_that_one(run: Run):
    port = started(run)
    refused = run("serve", "--port", port)
    assert refused.returncode == 2
    assert f"an emulator runs there: use it, or `sts-emulator stop --port {port}`" in refused.stderr
