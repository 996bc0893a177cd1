"""PostgreSQL as a state: what it refuses, what it brings forward, and what becomes of a unit whose database is lost."""

from __future__ import annotations

import json
import marshal
import threading

import pytest

from sts_emulator.core.backends import open_store
from sts_emulator.core.event_table import EventTable, TableEvent
from sts_emulator.core.events import EventLog
from sts_emulator.core.store import NewEvents, UnavailableError, UnusableError
from sts_emulator.core.world import Worlds

schema = pytest.importorskip("sts_emulator.core.postgres_schema", reason="psycopg is not installed")


# -- which database -----------------------------------------------------------------------------------------------


def test_a_database_of_something_else_is_refused_by_name_and_left_as_it_is(postgres):
    url = postgres.database("theirs")
    postgres.sql("CREATE TABLE bookmarks (url text)", "theirs")
    with pytest.raises(UnusableError, match=r"theirs`: a database of something else \(it has public.bookmarks\); make"):
        open_store(url)
    assert postgres.sql("SELECT to_regnamespace('sts_emulator') IS NULL", "theirs") == [(True,)]


def test_a_later_schema_is_refused_and_an_earlier_one_brought_forward(postgres, monkeypatch):
    url = postgres.database("older")
    store = open_store(url)
    Worlds(store).create("lab").add("role", "1/a", {"n": 1})
    store.close()

    with monkeypatch.context() as newer:
        newer.setattr(schema, "STEPS", [*schema.STEPS, "ALTER TABLE sts_emulator.worlds ADD note text"])
        store = open_store(url)
        assert Worlds(store).get("lab").get("role", "1/a") == {"n": 1}
        store.close()
    assert postgres.sql("SELECT note FROM sts_emulator.worlds", "older") == [(None,)]
    with pytest.raises(UnusableError, match=r"newer sts-emulator \(schema 3; this one knows 2\); use that one, or"):
        open_store(url)


def test_a_schema_in_which_each_row_was_one_event_is_brought_forward_with_them(postgres, monkeypatch):
    url = postgres.database("single")
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "STEPS", schema.STEPS[:1])
        Worlds(open_store(url)).create("lab")
    record, copy = {"number": 1}, {"copy": True}
    bodies = [b"b" + marshal.dumps(record), b"t" + json.dumps([record, copy]).encode()]
    for number, body in enumerate(bodies):
        row = f"(0, (SELECT number FROM sts_emulator.worlds), 'old-{number}', {number}, '\\x{body.hex()}')"
        postgres.sql(f"INSERT INTO sts_emulator.events (n, world, id, at, body) VALUES {row}", "single")

    log = EventLog(EventTable(open_store(url)))
    log.record(TableEvent("new", "lab", 2.0, record, 100))
    assert [event.record() for event in log.newest("lab", 9)] == [record, record, {**record, **copy}, record]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("postgresql://tests@127.0.0.1:{port}/missing", 'database "missing" does not exist; make it with `createdb`'),
        ("postgresql://tests@127.0.0.1:{free}/x", "onnection refused"),
        ("postgresql://tests@127.0.0.1:{port}/x?colour=red", 'URI query parameter: "colour"'),
    ],
)
def test_what_cannot_be_reached_is_told_with_what_to_do(postgres, address, told):
    from sts_emulator.shared_server import free_port

    with pytest.raises(UnusableError) as refused:
        open_store(address.format(port=postgres.port, free=free_port()))
    assert told in str(refused.value)
    assert "; " in str(refused.value)


def test_the_password_is_told_to_nobody():
    assert schema.named("postgresql://me:s3cret@db/x?password=s3cret") == "postgresql://me:…@db/x?password=…"


def test_replicas_that_start_together_make_one_schema(postgres):
    url = postgres.database()
    stores, errors = [], []

    def start() -> None:
        try:
            stores.append(open_store(url))
        except Exception as error:  # noqa: BLE001 - looked at below
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(stores) == 4
    for store in stores:
        store.close()


# -- a database that is lost --------------------------------------------------------------------------------------


def test_a_unit_that_loses_its_database_in_the_middle_leaves_nothing_and_the_next_one_finds_it_again(postgres):
    worlds = Worlds(open_store(postgres.database()))
    world = worlds.create("lab")

    def interrupted() -> None:
        with world.unit():
            world.add("role", "1/a", {})
            postgres.stop()
            postgres.start()
            world.add("role", "1/b", {})

    with pytest.raises(UnavailableError):
        interrupted()
    assert worlds.get("lab").page("role") == []
    worlds.get("lab").add("role", "1/c", {})
    assert worlds.get("lab").page("role") == [{}]
    worlds.store.close()


def test_a_silent_database_is_given_up_after_some_seconds(postgres, monkeypatch):
    from sts_emulator.core import postgres_pool

    worlds = Worlds(open_store(postgres.database()))
    worlds.create("lab")
    postgres.freeze()
    try:
        with monkeypatch.context() as hurried:
            hurried.setattr(postgres_pool.Connection, "patience", 0.5)
            with pytest.raises(UnavailableError):
                worlds.get("lab")
    finally:
        postgres.thaw()
    while True:
        try:
            worlds.get("lab").add("role", "1/a", {})
            break
        except UnavailableError:  # nobody asks for a moment
            continue
    assert worlds.get("lab").get("role", "1/a") == {}
    worlds.store.close()


# -- what is told to others ---------------------------------------------------------------------------------------


def test_a_write_that_commits_late_is_not_missed(postgres):
    """A's transaction is older than B's, and commits after somebody has looked."""
    url = postgres.database()
    mine, early, late = (Worlds(open_store(url)) for _ in range(3))
    mine.create("a").add("role", "1/x", {"n": 1})
    mine.create("b").add("role", "1/x", {"n": 1})
    reader = Worlds(open_store(url))
    for name in ("a", "b"):
        assert reader.get(name).get("role", "1/x") == {"n": 1}

    world = early.get("a")
    with world.unit(lock=True):
        world.update("role", "1/x", lambda _: {"n": 2})
        late.get("b").update("role", "1/x", lambda _: {"n": 2})
        assert reader.get("b").get("role", "1/x") == {"n": 2}
        assert reader.get("a").get("role", "1/x") == {"n": 1}
    assert reader.get("a").get("role", "1/x") == {"n": 2}


def test_events_are_streamed_in_one_order_without_a_gap(postgres):
    """An event of a transaction that is still open comes before those that were committed meanwhile."""
    url = postgres.database()
    mine, other = open_store(url), open_store(url)
    Worlds(mine).create("lab")
    Worlds(mine).create("b")
    start = mine.last_event()
    transaction = other.begin("lab")
    transaction.append_events([NewEvents("lab", "first", 1.0, "1")], 10)
    mine.append_events([NewEvents("lab", "second", 2.0, "2")], 10)

    assert mine.events_since(start, 10) == [], "what was committed waits for what may still come before it"
    assert mine.event_rows("lab", "second"), "though it can be read"
    transaction.commit()
    assert [row.id for row in mine.events_since(start, 10)] == ["first", "second"]
    assert [row.id for row in other.events_since(start, 1)] == ["first"]


def test_changes_of_long_ago_are_dropped_and_who_has_slept_reads_all_anew(postgres, monkeypatch):
    from sts_emulator.core import postgres as adapter

    monkeypatch.setattr(adapter, "TRIMMED_EVERY", 1)
    url = postgres.database("slept")
    mine, sleeper = Worlds(open_store(url)), Worlds(open_store(url))
    mine.create("lab").add("role", "1/x", {"n": 1})
    assert sleeper.get("lab").get("role", "1/x") == {"n": 1}

    mine.get("lab").update("role", "1/x", lambda _: {"n": 2})
    postgres.sql("UPDATE sts_emulator.changes SET at = at - interval '2 hours'", "slept")
    mine.get("lab").add("role", "1/y", {})
    assert postgres.sql("SELECT count(*) FROM sts_emulator.changes WHERE key = '1/x'", "slept") == [(0,)]
    assert sleeper.get("lab").get("role", "1/x") == {"n": 2}


def test_keys_are_any_text(postgres):
    world = Worlds(open_store(postgres.database())).create("lab")
    for key in ("a\x00b", "a\x01b", "a\x01\x02b", "a%b", "a'b", "ü\U0001f600"):
        world.add("role", key, {"key": key}, uid=key)
        assert world.find("role", key) == world.get("role", key) == {"key": key}
    assert [key for key, _ in world.page_keys("role", prefix="a\x00")] == ["a\x00b"]
