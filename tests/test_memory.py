"""What strangers may make the server keep: docs/limits.md. Counted in bytes of objects, not of processes."""

from __future__ import annotations

import asyncio
import sys
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

from sts_emulator.app import create_server, handle
from sts_emulator.console import api
from sts_emulator.core import events, world
from sts_emulator.core.backends import open_store
from sts_emulator.core.event_table import TableEvent
from sts_emulator.core.events import EventLog
from sts_emulator.core.world import Worlds
from sts_emulator.settings import Settings
from sts_emulator.vending import record
from sts_emulator.wire.http import Request

BIG = 1_000_000
DEPLOY = "arn:aws:iam::111122223333:role/deploy"
FORM = {"host": "localhost", "content-type": "application/x-www-form-urlencoded"}


def weight(value: object, known: set[int] | None = None) -> int:
    """Bytes of the texts in a value, and of what holds them."""
    known = set() if known is None else known
    if id(value) in known:
        return 0
    known.add(id(value))
    parts: list[object] = []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set):
        parts = list(value)
    return sys.getsizeof(value) + sum(weight(part, known) for part in parts)


def call(server: Any, body: str, **headers: str) -> None:
    """An unsigned call of anybody."""
    given = {**FORM, **{name.replace("_", "-"): value for name, value in headers.items()}}
    handle(server, server.worlds.get("default"), Request("POST", "/", "/", headers=given, body=body.encode()), "")


@pytest.mark.parametrize("member", ["Policy", "RoleSessionName", "WebIdentityToken", "RoleArn", "ProviderId"])
def test_a_failed_call_keeps_little_of_what_was_sent(member):
    """1,000 calls of a megabyte took 4.9 GB."""
    server = create_server(Settings())
    call(server, f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&{member}={'x' * BIG}", user_agent="y" * 50_000)

    event = server.events.last("default")
    assert weight(event.record()) < record.SIZE + 2 * record.LONGEST_REQUEST
    assert event.size < record.SIZE + 2 * record.LONGEST_REQUEST + 1


def test_a_refused_call_is_not_kept_by_its_error():
    """A traceback holds frames, and these the request: 100 calls of 0.9 MB took 170 MB."""
    server = create_server(Settings())
    wrong = (
        f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={DEPLOY}&RoleSessionName=job&WebIdentityToken="
    )
    call(server, f"{wrong}{'x' * (BIG // 2)}")
    tracemalloc.start()
    try:
        for _ in range(20):
            call(server, f"{wrong}{'x' * (BIG // 2)}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * BIG


def test_parameters_in_great_number_are_not_kept_either():
    server = create_server(Settings())
    many = "&".join(f"Tags.member.{number}.Key=k&Tags.member.{number}.Value=v" for number in range(1, 2_000))
    call(server, f"Action=AssumeRole&Version=2011-06-15&RoleArn=x&RoleSessionName=y&{many}")
    assert weight(server.events.last("default").record()) < record.SIZE + 2 * record.LONGEST_REQUEST


def test_a_state_file_and_a_list_of_events_grow_little_by_large_refused_calls(tmp_path):
    """100 calls made a file larger by 225 MB, and a list of 1,000 events was an answer of 2 GB."""
    path, calls = tmp_path / "state.sqlite", 40

    async def scene() -> list[str]:
        server = create_server(Settings(state=str(path)))
        for _ in range(calls):
            call(server, f"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&Policy={'x' * BIG}")
        await server.events.settled()
        listed = [record.text(event) for event in server.events.newest("default", 1_000)]
        server.worlds.store.close()
        return listed

    listed = asyncio.run(scene())
    bound = calls * (record.SIZE + 2 * record.LONGEST_REQUEST)
    assert len(listed) == calls
    assert sum(map(len, listed)) < bound
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < bound + 1_000_000  # the tables themselves


def test_events_of_all_worlds_share_their_bytes(monkeypatch):
    monkeypatch.setattr(events, "MOST_BYTES", 100_000)
    log = EventLog()
    for number in range(500):
        log.record(TableEvent(f"a{number}", "a", 0.0, {}, 1_000))
    for number in range(500):
        log.record(TableEvent(f"b{number}", "b", 0.0, {}, 1_000))

    kept = {name: len(log.newest(name, 1_000)) for name in "ab"}
    assert kept == {"a": 100, "b": events.KEPT_AT_LEAST}
    assert log.last("b").id == "b499"
    log.drop("a")
    for number in range(500):
        log.record(TableEvent(f"c{number}", "b", 0.0, {}, 1_000))
    assert len(log.newest("b", 1_000)) == 100


def test_a_world_keeps_so_many_events_in_memory():
    log = EventLog()
    for number in range(events.KEPT_IN_MEMORY + 5):
        log.record(TableEvent(f"e{number}", "a", 0.0, {}, 1_000))
    assert len(log.newest("a", 10_000)) == events.KEPT_IN_MEMORY


def test_absences_are_remembered_of_short_names_only():
    """5,000 calls with made-up access keys of 60 kB took 480 MB."""
    server = create_server(Settings())
    there = server.worlds.get("default")
    before = len(there._documents)
    for number in range(20):
        there.get("access-key", f"AKIA{number}" + "X" * 60_000)
        there.find("role", f"AROA{number}" + "X" * 60_000)
        there.get("access-key", f"AKIA{number}")
    assert len(there._documents) == before + 20
    assert max(len(key) for _, key in there._documents) <= world.LONGEST_REMEMBERED


def test_what_is_remembered_of_a_world_is_bounded(monkeypatch):
    monkeypatch.setattr(world, "SNAPSHOT_LIMIT", 50)
    there = create_server(Settings()).worlds.get("default")
    for number in range(500):
        there.get("access-key", f"AKIA{number}")
        assert len(there._documents) <= 50


def test_worlds_are_bounded(monkeypatch):
    monkeypatch.setattr(world, "MOST_WORLDS", 3)
    worlds = Worlds(open_store(""))
    for name in ("a", "b", "c"):
        assert worlds.create(name) is not None
    assert worlds.create("c") is None
    with pytest.raises(ValueError, match="there are 3 worlds already"):
        worlds.create("d")
    worlds.delete("a")
    assert worlds.create("d") is not None


def test_an_event_is_rendered_once_for_all_who_follow(monkeypatch):
    """300 readers of 1,500 events cost 19 seconds of CPU."""
    server = create_server(Settings())
    rendered: list[str] = []
    told = record.told
    monkeypatch.setattr(record, "told", lambda event: rendered.append(event.id) or told(event))

    async def follow() -> list[str]:
        readers = [api._follow(server, "default", server.events.position()) for _ in range(50)]
        for reader in readers:
            assert await anext(reader) == ": listening\n\n"
        waiting = [asyncio.ensure_future(anext(reader)) for reader in readers]
        await asyncio.sleep(0)
        call(server, "Action=GetCallerIdentity&Version=2011-06-15")
        lines = await asyncio.gather(*waiting)
        for reader in readers:
            await reader.aclose()
        return lines

    lines = asyncio.run(follow())
    assert len(set(lines)) == 1
    assert len(rendered) == 1


def test_a_reader_that_lags_is_cut_off(monkeypatch):
    monkeypatch.setattr(api, "STREAM_BACKLOG", 5)
    server = create_server(Settings())

    async def follow() -> int:
        reader = api._follow(server, "default", server.events.position())
        await anext(reader)
        for _ in range(50):
            call(server, "Action=GetCallerIdentity&Version=2011-06-15")
        return len([line async for line in reader])

    assert asyncio.run(follow()) <= 5
