"""The pytest plugin: what the `aws` fixture offers, and how test runs share one server and leave none behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sts_emulator import Aws, Emulator
from sts_emulator.cli.errors import CommandError
from sts_emulator.shared_server import shared

DEVELOPER = "arn:aws:iam::111122223333:role/developer"


# -- the fixture ----------------------------------------------------------------------------------------------------


def test_a_world_begins_as_a_fresh_server_does(aws: Aws):
    assert aws.account == "111122223333"
    assert aws.client("sts").get_caller_identity()["Arn"] == "arn:aws:iam::111122223333:root"
    assert aws.events()[0]["eventName"] == "GetCallerIdentity"


@pytest.mark.scenario('accounts: {"999988887777": {users: {zoe: }}}')
def test_or_as_its_marker_says(aws: Aws):
    assert aws.client("sts", user="zoe").get_caller_identity()["Arn"] == "arn:aws:iam::999988887777:user/zoe"


def test_worlds_know_nothing_of_each_other(aws: Aws, emulator_server: Emulator):
    with emulator_server.world() as other:
        aws.advance(days=1)
        stranger = aws.client("sts", other.root)
        with pytest.raises(stranger.exceptions.ClientError) as caught:
            stranger.get_caller_identity()
        assert caught.value.response["Error"]["Code"] == "InvalidClientTokenId"
        assert other.events() == []


def test_credentials_of_a_session_and_the_passing_of_time(aws: Aws):
    vended = aws.client("sts", user="alice").assume_role(RoleArn=DEVELOPER, RoleSessionName="alice")
    session = aws.client("sts", vended["Credentials"])
    assert session.get_caller_identity()["Arn"].endswith(":assumed-role/developer/alice")
    aws.advance(hours=1, minutes=1)
    with pytest.raises(session.exceptions.ClientError) as caught:
        session.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "ExpiredToken"


def test_an_error_is_explained(aws: Aws):
    sts = aws.client("sts", user="bob")
    with pytest.raises(sts.exceptions.ClientError) as caught:
        sts.assume_role(RoleArn=DEVELOPER, RoleSessionName="bob")
    told = aws.explain(caught.value)
    assert "DENIED" in told
    assert told == aws.explain(aws.events()[-1]) == aws.explain()
    assert aws.decisions(caught.value)[0]["layer"] == "identity"


def test_environment_variables_for_any_other_client(aws: Aws):
    ended = subprocess.run(
        [Path(sys.executable).parent / "aws", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
        env={"PATH": os.defpath, **aws.env(user="alice")},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert ended.stdout == "arn:aws:iam::111122223333:user/alice\n"


def test_tokens_scenarios_and_faults(aws: Aws):
    aws.load("issuers: {ours: {preset: plain, url: https://issuer.acme.example}}")
    assert aws.token("ours", sub="x").count(".") == 2
    aws.faults({"service": "sts", "operation": "GetCallerIdentity", "code": "Throttling", "status": 400, "times": 1})
    sts = aws.client("sts", config=_no_retries())
    with pytest.raises(sts.exceptions.ClientError) as caught:
        sts.get_caller_identity()
    assert caught.value.response["Error"]["Code"] == "Throttling"
    sts.get_caller_identity()


def _no_retries():
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1})


def test_a_scenario_with_a_mistake_says_where(aws: Aws):
    with pytest.raises(CommandError) as caught:
        aws.load('accounts:\n  "111122223333": {usres: }\n')
    assert str(caught.value) == "scenario:2: unknown key `usres`; did you mean `users`?"


# -- test runs ------------------------------------------------------------------------------------------------------


class Project:
    """A project that somebody else's tests live in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(textwrap.dedent(text))

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *options]

    def run(self, *options: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        ended = subprocess.run(
            self.command(*options),
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return ended.stdout + ended.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_loading_the_plugin_loads_nothing_heavy():
    code = "import sys, pytest; before = set(sys.modules); import sts_emulator.testing; print(*(set(sys.modules) - before))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert {name.partition(".")[0] for name in ended.stdout.split()} <= {"sts_emulator", "secrets", "hmac", "_hashlib"}


@pytest.mark.clients
def test_all_workers_of_a_run_share_one_server_which_ends_with_it(project: Project):
    project.write(
        "test_shared.py",
        """
        import pathlib, pytest, time

        @pytest.mark.parametrize("number", range(8))
        def test_each(aws, emulator_server, number, worker_id):
            pathlib.Path(f"seen-{worker_id}-{number}").write_text(emulator_server.url)
            while len({path.name.split("-")[1] for path in pathlib.Path().glob("seen-*")}) < 2:
                time.sleep(0.01)  # one worker may be as good as done before the other begins
            assert aws.client("sts").get_caller_identity()["Account"] == aws.account
        """,
    )
    told = project.run("-n", "2")
    assert "8 passed" in told
    (url,) = {path.read_text() for path in project.folder.glob("seen-*")}
    workers = {path.name.split("-")[1] for path in project.folder.glob("seen-*")}
    assert workers == {"gw0", "gw1"}
    while answers(url):  # whoever is the last need not be the one who started it, and waits for its end
        continue


def answers(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", urlsplit(url).port)) == 0


STARTER = """
import sys
from pathlib import Path
from sts_emulator.shared_server import shared

with shared(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def test_who_comes_while_a_server_ends_gets_another_one(tmp_path: Path):
    """They got the one that was ending, if it had not closed its port yet."""
    # given a server whose end takes seconds, because of a call that hangs
    command = [sys.executable, "-c", STARTER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as starter:
        url = starter.stdout.readline().strip()
        with Emulator(url).control() as api:
            api.api("POST", "worlds", body={"name": "lab"})
            api.api("PUT", "worlds", "lab", "faults", body=[{"service": "sts", "answer": "hang"}])
        with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=120) as call:
            query = b"Action=GetCallerIdentity&Version=2011-06-15"
            call.sendall(b"GET /w/lab/?%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % query)
            with Emulator(url).control() as api:
                api.api("GET", "worlds")  # by now that has been read

            # when its only user is gone, it ends, and the next one comes
            starter.kill()
            while answers(url):
                continue
            with shared(tmp_path) as another:
                # then that one has waited for its end
                call.settimeout(0)
                call.recv(100)  # raises where nothing has come, and the connection is open
                with Emulator(another).control() as api:
                    assert api.api("GET", "worlds") == ["default"]


def test_the_worker_that_started_the_server_may_end_before_others_do(tmp_path: Path):
    """Python complained then, at its end: `ResourceWarning: subprocess 4242 is still running`."""
    command = [sys.executable, "-W", "always", "-c", STARTER, str(tmp_path)]
    with (
        (tmp_path / "complaints").open("w+") as complaints,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints, text=True) as first,
    ):
        url = first.stdout.readline().strip()
        with shared(tmp_path) as same:
            assert same == url
            first.communicate()
            complaints.seek(0)
            assert (first.returncode, complaints.read()) == (0, "")
            assert answers(url)


def test_a_run_that_is_killed_leaves_no_server_behind(project: Project):
    project.write(
        "test_killed.py",
        """
        import sys

        def test_hangs(emulator_server, capfd):
            with capfd.disabled():
                print(emulator_server.url, flush=True)
            sys.stdin.read()
        """,
    )
    with subprocess.Popen(
        [*project.command(), "-s"], cwd=project.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        url = next(line for line in run.stdout if "http://" in line).strip()
        url = url[url.index("http://") :]
        with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=120) as line:
            run.send_signal(signal.SIGKILL)
            assert line.recv(1) == b"", "the server hangs up when it ends"
    assert not answers(url)


@pytest.mark.clients
def test_a_running_emulator_may_be_used_instead(project: Project, emulator_server: Emulator):
    project.write(
        "test_given.py",
        "def test_url(aws):\n    print('used', aws.endpoint_url)\n    aws.client('sts').get_caller_identity()\n",
    )
    told = project.run("--sts-emulator", emulator_server.url, "-s")
    assert f"used {emulator_server.url}/w/test-" in told
    assert "1 passed" in told


@pytest.mark.clients
def test_scenarios_come_from_files_beside_the_test(project: Project):
    project.write("mine.yaml", 'accounts: {"999988887777": {users: {zoe: }}}\n')
    project.write("typo.yaml", "acounts: {}\n")
    project.write(
        "test_files.py",
        """
        import pytest

        @pytest.mark.scenario("mine.yaml")
        def test_found(aws):
            assert aws.account == "999988887777"

        @pytest.mark.scenario("none.yaml")
        def test_missing(aws):
            pass

        @pytest.mark.scenario("typo.yaml")
        def test_typo(aws):
            pass
        """,
    )
    told = project.run()
    assert "1 passed, 2 errors" in told
    assert "no scenario file `none.yaml`" in told
    assert "scenario:1: unknown key `acounts`; did you mean `accounts`?" in told
