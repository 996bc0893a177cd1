"""A page waits for a state file that another process writes to, as calls do, and is not carried out twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import boto3
import by_hand
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sts_emulator import Emulator
from sts_emulator.app import create_server
from sts_emulator.core.store import Kind
from sts_emulator.pages import answering, render, routes
from sts_emulator.pages.visit import Visit
from sts_emulator.settings import Settings
from sts_emulator.wire.http import Request, Response

Told = TypeVar("Told")
NOTE: Kind[dict[str, int]] = Kind("note")


@contextlib.contextmanager
def locked(state: Path) -> Iterator[sqlite3.Connection]:
    """The lock of another process; `ROLLBACK` gives it back before the end."""
    with contextlib.closing(sqlite3.connect(state, isolation_level=None, check_same_thread=False)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield holder


def while_locked(state: Path, visit: Callable[[], Told], meanwhile: Callable[[], object] = lambda: None) -> Told:
    """What a visit comes to that begins while another process holds the lock for half a second."""
    with locked(state) as holder, ThreadPoolExecutor(1) as thread:
        visiting = thread.submit(visit)
        meanwhile()
        with contextlib.suppress(TimeoutError):
            visiting.result(timeout=0.5)
        holder.execute("ROLLBACK")
        return visiting.result()


@pytest.fixture
def person(serve, tmp_path) -> Iterator[by_hand.Person]:
    """Somebody at the access portal of a server whose state is `state.sqlite`."""
    with serve("--state", str(tmp_path / "state.sqlite")) as (url, _):
        person = by_hand.Person(url)
        with contextlib.closing(person.http):
            yield person


def test_whoever_signs_in_while_the_file_is_busy_is_signed_in_once_it_is_free(person, tmp_path):
    person.open("/start/signin")

    def others_go_on() -> None:
        with urllib.request.urlopen(f"{person.base}/start/signin", timeout=120) as shown:
            assert shown.status == 200

    while_locked(
        tmp_path / "state.sqlite",
        lambda: person.send("/start/signin", username="jane", password="jane-password"),
        others_go_on,
    )

    assert (person.page.status_code, person.page.url.path) == (200, "/start")
    with contextlib.closing(Emulator(person.base).control()) as api:
        names = [record["eventName"] for record in api.api("GET", "worlds", "default", "events")]
    assert names == ["CredentialVerification", "UserAuthentication"], "nothing is recorded, or counted, twice"


def test_the_first_look_at_the_portal_waits_too(person, tmp_path):
    """What the default world has of Identity Center is written then."""
    while_locked(tmp_path / "state.sqlite", lambda: person.open("/start/signin"))

    assert person.page.status_code == 200


def test_the_control_api_waits_for_what_somebodys_first_look_writes(person, tmp_path):
    place = f"{person.base}/_emulator/api/worlds/default/identity-center"

    def look() -> object:
        with urllib.request.urlopen(place, timeout=120) as answer:
            return json.load(answer)

    assert while_locked(tmp_path / "state.sqlite", look)["roles"]


def test_a_call_waits_until_the_fault_that_it_meets_can_be_counted(person, tmp_path):
    emulator = Emulator(person.base)
    with contextlib.closing(emulator.control()) as api:
        api.api("PUT", "worlds", "default", "faults", body=[{"service": "sts", "code": "Throttling", "times": 1}])
    sts = boto3.client(
        "sts",
        endpoint_url=person.base,
        region_name="us-east-1",
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="wrong",
        config=Config(retries={"max_attempts": 0}),
    )

    def code() -> str:
        with pytest.raises(ClientError) as refused:
            sts.get_caller_identity()
        return str(refused.value.response["Error"]["Code"])

    assert while_locked(tmp_path / "state.sqlite", code) == "Throttling"
    assert code() == "InvalidClientTokenId"


# -- what is done twice -----------------------------------------------------------------------------------------------


@pytest.fixture
def lab(tmp_path, monkeypatch) -> Callable[[], Response]:
    """A visit to the page `/lab` of a world in `state.sqlite`."""
    server = create_server(Settings(state=str(tmp_path / "state.sqlite")))
    server.worlds.store.patience = 0.0
    monkeypatch.setattr(routes, "MODULES", {"lab": []})
    monkeypatch.setattr(routes, "_PAGES", {})

    def go() -> Response:
        request = Request("POST", "/lab", "/lab", headers={"host": "localhost"})
        return asyncio.run(answering.answer(server, server.worlds.get("default"), request, "http://localhost"))

    yield go
    server.worlds.store.close()


def test_a_page_that_has_written_nothing_begins_again(lab, tmp_path):
    begun: list[int] = []

    @routes.page("POST", "/lab")
    def note(visit: Visit) -> Response:
        begun.append(len(begun))
        if begun == [0]:
            holder = open_locks.enter_context(locked(tmp_path / "state.sqlite"))
            asyncio.get_running_loop().call_later(0.05, holder.execute, "ROLLBACK")
        visit.world.add(NOTE, "only", {"run": begun[-1]})
        return render.data(200, visit.world.get(NOTE, "only"))

    with contextlib.ExitStack() as open_locks:
        assert json.loads(lab().body) == {"run": 1}
    assert begun == [0, 1], "it begins again when the file is free, and not before"


def test_a_page_that_has_written_something_is_refused(lab, tmp_path):
    begun: list[int] = []

    @routes.page("POST", "/lab")
    def note_twice(visit: Visit) -> Response:
        begun.append(len(begun))
        visit.world.add(NOTE, "first", {"run": 0})
        with locked(tmp_path / "state.sqlite"):
            visit.world.add(NOTE, "second", {"run": 0})
        return render.data(200, {})

    assert lab().status == 503
    assert begun == [0]
