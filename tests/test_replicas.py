"""Two servers on one state are one emulator: sessions, writes and events are shared, and survive a restart."""

from __future__ import annotations

import contextlib

import pytest

from sts_emulator import Emulator


def sts(url: str, credentials, service: str = "sts"):
    from sts_emulator import Aws

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
