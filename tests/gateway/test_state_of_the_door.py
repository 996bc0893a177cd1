"""The door and the state: nobody waits with a call that reads it, and no answer leaves without its event."""

from __future__ import annotations

import contextlib
import http.client
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx
import pytest
from door_lab import NOTHING, PEOPLE, exchanged, listening, send, signed

from sts_emulator import Aws

BROKEN_OFF = 0
LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\nConnection: close\r\n\r\n" + b"x" * 200_000


def test_while_the_database_is_silent_nobody_waits_with_a_call_at_the_door(postgres, another_door):
    flags = ("--state", postgres.database(), "--fresh-ms", "600000")  # so that it is let in without a look
    with (
        listening(NOTHING) as upstream,
        another_door(upstream.url, *flags) as emulator,
        contextlib.closing(emulator.control()) as api,
        ThreadPoolExecutor(1) as thread,
    ):
        api.api("POST", "worlds", body={"name": "lab", "scenario": PEOPLE})
        request = signed(Aws(api, "lab"), "GET", "/photos/ann/1")
        postgres.freeze()
        try:
            waiting = thread.submit(send, request)
            while not Future.running(waiting):
                time.sleep(0.01)
            for _ in range(3):  # more would take some of the seconds after which it has waited in vain
                assert httpx.get(f"{emulator.url}/health", timeout=60).status_code == 200
            assert not waiting.done()
        finally:
            postgres.thaw()
        waiting.result()
        while send(request)[0] != 200:  # nobody asks for a moment
            continue


def test_a_call_of_which_a_replica_knows_nothing_yet_is_decided_by_what_another_wrote(postgres, another_door):
    state = ("--state", postgres.database())
    with (
        listening(NOTHING) as upstream,
        another_door(upstream.url, *state) as first,
        another_door(upstream.url, *state) as second,
        first.world(PEOPLE) as lab,
        contextlib.closing(second.control()) as api,
    ):
        there = Aws(api, lab.world)
        assert send(signed(there, "GET", "/photos/ann/1"))[0] == 200
        assert send(signed(there, "GET", "/photos/bob/1"))[0] == 403
        lab.client("iam").delete_user_policy(UserName="ann", PolicyName="photos")
        assert send(signed(there, "GET", "/photos/ann/1"))[0] == 403
        names = [event["eventName"] for event in there.events()]
        assert names == ["GetObject", "GetObject", "DeleteUserPolicy", "GetObject"]


def status_of(request) -> int:
    where = urlsplit(request.url)
    with contextlib.closing(http.client.HTTPConnection(where.hostname, where.port)) as connection:
        connection.request(request.method, where.path, headers=dict(request.headers))
        with contextlib.closing(connection.getresponse()) as answer:
            try:
                answer.read()
            except (http.client.IncompleteRead, ConnectionError):
                return BROKEN_OFF
            return answer.status


@pytest.mark.parametrize("answer", [NOTHING, LONG], ids=["short", "streamed"])
def test_no_whole_answer_leaves_without_its_event(tmp_path, another_door, answer):
    """While another process holds the file's lock; who had an answer before its event could lose that by `kill -9`."""
    state = tmp_path / "state.sqlite"
    with (
        listening(answer) as upstream,
        another_door(upstream.url, "--state", str(state)) as emulator,
        emulator.world(PEOPLE) as lab,
    ):
        request = signed(lab, "GET", "/photos/ann/1")
        assert exchanged(request)[0] == 200
        holder = sqlite3.connect(state, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            assert status_of(request) == (BROKEN_OFF if answer is LONG else 503)
            assert exchanged(signed(lab, "GET", "/photos/bob/1"))[0] == 503
        finally:
            holder.execute("ROLLBACK")
            holder.close()
        assert exchanged(request)[0] == 200
        assert len(lab.events()) == 2, "who was refused has left nothing"
