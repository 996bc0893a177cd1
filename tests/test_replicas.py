"""Two servers on one state are one emulator: sessions, writes and events are shared, and survive a restart."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
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


def test_the_listener_of_a_world_that_another_server_deletes_is_closed(serve, state):
    with (
        serve(*state) as (first, _),
        serve(*state) as (second, _),
        contextlib.closing(Emulator(first).control()) as api,
        contextlib.closing(Emulator(second).control()) as other,
    ):
        for world in ("lab", "stays"):
            api.api("POST", "worlds", body={"name": world})
        left, stays = (
            api.api("POST", "worlds", world, "listeners", body={"kind": "world"}) for world in ("lab", "stays")
        )
        assert httpx.get(f"{left['url']}/health", timeout=60).status_code == 200
        other.api("DELETE", "worlds", "lab")
        with contextlib.suppress(httpx.TransportError):  # who has just connected finds the connection closed
            while True:
                httpx.get(f"{left['url']}/health", timeout=60)
        assert httpx.get(f"{stays['url']}/health", timeout=60).status_code == 200


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


def test_while_the_database_is_silent_nobody_waits_for_those_who_ask_it(serve, postgres):
    """Pages, the control API and calls that await something read it beside the event loop."""
    flags = ("--state", postgres.database(), "--fresh-ms", "600000")  # so that they are let in without a look
    with serve(*flags) as (url, _):
        asked = ("/start", "/_emulator/api/worlds/default", "/oauth2/.well-known/openid-configuration")
        for path in asked:
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(url + path, timeout=60).close()
        with ThreadPoolExecutor(len(asked)) as threads:
            postgres.freeze()
            try:
                waiting = [threads.submit(httpx.get, url + path, timeout=60) for path in asked]
                while not any(map(Future.running, waiting)):
                    time.sleep(0.01)
                for _ in range(3):  # more would take some of the seconds after which these have waited in vain
                    assert httpx.get(f"{url}/health", timeout=60).status_code == 200
                assert not any(map(Future.done, waiting))
            finally:
                postgres.thaw()
            assert all(answer.result().status_code < 600 for answer in waiting)


def test_calls_that_await_something_are_answered_by_a_replica_that_knows_nothing_yet(serve, postgres):
    state = ("--state", postgres.database())
    with (
        serve(*state) as (first, _),
        serve(*state) as (second, _),
        contextlib.closing(Emulator(first).control()) as api,
    ):
        root = api.api("GET", "worlds", "default", "credentials")
        pools = sts(first, root, "cognito-idp")
        pool = pools.create_user_pool(PoolName="app")["UserPool"]["Id"]
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        client = pools.create_user_pool_client(UserPoolId=pool, ClientName="app", ExplicitAuthFlows=flows)
        client_id = client["UserPoolClient"]["ClientId"]
        pools.admin_create_user(UserPoolId=pool, Username="ada", MessageAction="SUPPRESS")
        pools.admin_set_user_password(UserPoolId=pool, Username="ada", Password="Password-1", Permanent=True)

        signed_in = sts(second, root, "cognito-idp").initiate_auth(
            AuthFlow="USER_PASSWORD_AUTH",
            ClientId=client_id,
            AuthParameters={"USERNAME": "ada", "PASSWORD": "Password-1"},
        )
        assert signed_in["AuthenticationResult"]["IdToken"]
        with contextlib.closing(Emulator(second).control()) as other:
            assert other.api("GET", "worlds", "default", "events")[-1]["eventName"] == "InitiateAuth"
