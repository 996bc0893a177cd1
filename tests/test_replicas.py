"""Two servers on one state are one emulator: sessions, writes and events are shared, and survive a restart."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sts_emulator import Aws, Emulator


def sts(url: str, credentials, service: str = "sts"):
    return Aws(Emulator(url).control(), "default").client(service, credentials)


@pytest.fixture(params=["file", "postgres"])
def state(request, tmp_path):
    """The flags of a state that servers may share."""
    if request.param == "postgres":
        return "--state", request.getfixturevalue("postgres").database()
    return "--state", str(tmp_path / "state.sqlite")


def test_two_servers_on_one_state_are_one_emulator(serve, state):
    with (
        serve(*state) as (first, _),
        serve(*state) as (second, _),
        contextlib.closing(Emulator(first).control()) as api,
    ):
        root = api.api("GET", "worlds", "default", "credentials")

        # a session that one vended is accepted by the other
        session = sts(first, root).get_session_token()["Credentials"]
        assert sts(second, session).get_caller_identity()["Account"] == root["account"]

        # what one writes the other sees at once, and neither can lose the other's
        for number in range(20):
            sts((first, second)[number % 2], root, "iam").create_user(UserName=f"user-{number}")
        seen = {user["UserName"] for user in sts(second, root, "iam").list_users()["Users"]}
        assert {f"user-{number}" for number in range(20)} <= seen

        # a clock that one moves is moved for both
        api.api("POST", "worlds", "default", "clock", body={"advance_seconds": 43201})
        with contextlib.suppress(Exception):
            sts(second, session).get_caller_identity()
        with contextlib.closing(Emulator(second).control()) as other:
            denied = other.api("GET", "worlds", "default", "events", outcome="denied")
        assert denied[-1]["errorCode"] == "ExpiredToken"


def test_a_state_outlives_its_server(serve, state):
    with serve(*state) as (url, _), contextlib.closing(Emulator(url).control()) as api:
        root = api.api("GET", "worlds", "default", "credentials")
        session = sts(url, root).get_session_token()["Credentials"]
        sts(url, root, "iam").create_user(UserName="kept")
    with serve(*state) as (url, _), contextlib.closing(Emulator(url).control()) as api:
        assert sts(url, session).get_caller_identity()["Account"] == root["account"]
        assert "kept" in {user["UserName"] for user in sts(url, root, "iam").list_users()["Users"]}
        names = [event["eventName"] for event in api.api("GET", "worlds", "default", "events")]
        assert "CreateUser" in names


def test_without_a_state_file_nothing_is_kept(serve):
    with serve() as (url, _), contextlib.closing(Emulator(url).control()) as api:
        old = api.api("GET", "worlds", "default", "credentials")
    with serve() as (url, _), contextlib.closing(Emulator(url).control()) as api:
        assert api.api("GET", "worlds", "default", "credentials") != old


def test_while_the_database_is_gone_calls_are_refused_and_ready_says_why_and_then_all_goes_on(serve, postgres):
    def fetch(path: str) -> tuple[int, dict[str, str]]:
        try:
            with urllib.request.urlopen(url + path, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    with serve("--state", postgres.database()) as (url, _), contextlib.closing(Emulator(url).control()) as api:
        root = api.api("GET", "worlds", "default", "credentials")
        once = Config(retries={"total_max_attempts": 1})
        iam = Aws(api, "default").client("iam", root, config=once)
        iam.create_user(UserName="before")
        assert fetch("/ready")[0] == 200
        postgres.stop()
        try:
            with pytest.raises(ClientError) as refused:
                iam.create_user(UserName="meanwhile")
            assert refused.value.response["Error"]["Code"] == "ServiceUnavailable"
            assert fetch("/health") == (200, {"status": "ok"})
            status, told = fetch("/ready")
            assert (status, told["status"]) == (503, "unavailable")
            assert told["reason"]
        finally:
            postgres.start()
        while fetch("/ready")[0] != 200:
            continue
        iam.create_user(UserName="after")
        names = {user["UserName"] for user in iam.list_users()["Users"]}
        assert {"before", "after"} <= names
        assert "meanwhile" not in names
