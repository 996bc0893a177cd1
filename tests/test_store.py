"""What every backend of the store must do; a new backend joins by adding itself to `stores`."""

from __future__ import annotations

import multiprocessing
import threading

import pytest

from sts_emulator.core.backends import open_store
from sts_emulator.core.store import AlreadyExistsError, NewEvents, NotFoundError, StaleError, UnavailableError
from sts_emulator.core.world import Worlds

LONG = 120  # seconds that a thread waits for another one: a machine may stand still for many


@pytest.fixture(params=["memory", "file", "postgres", "pooler"])
def address(request, tmp_path):
    return _address(request, tmp_path)


@pytest.fixture(params=["file", "postgres", "pooler"])
def shared(request, tmp_path):
    """The address of a state that several processes may share."""
    return _address(request, tmp_path)


def _address(request, tmp_path) -> str:
    match request.param:
        case "memory":
            return ""
        case "file":
            return str(tmp_path / "state.sqlite")
        case "postgres":
            return request.getfixturevalue("postgres").database()
        case _:
            url = request.getfixturevalue("postgres").database()
            return url.replace(
                f":{request.getfixturevalue('postgres').port}/", f":{request.getfixturevalue('pooler')}/"
            )


@pytest.fixture
def store(address):
    store = open_store(address)
    with Writing(store) as transaction:
        transaction.add_world("w", {"offset": 0})
    yield store
    store.close()


class Writing:
    """A transaction of a store: committed at the end, rolled back on an exception."""

    def __init__(self, store, world="w"):
        self.transaction = store.begin(world)

    def __enter__(self):
        return self.transaction

    def __exit__(self, kind, *_):
        if kind is None:
            self.transaction.commit()
        else:
            self.transaction.rollback()


def add(store, kind, key, body, uid="", world="w"):
    with Writing(store, world) as transaction:
        transaction.add(world, kind, key, body, uid)


# -- documents ----------------------------------------------------------------------------------------------------


def test_what_is_added_is_got_found_and_paged(store):
    add(store, "role", "1/a", {"n": 1}, "AROA1")
    add(store, "role", "1/b", {"n": 2}, "AROA2")
    add(store, "role", "2/a", {"n": 3}, "AROA3")

    assert store.get("w", "role", "1/a") == {"n": 1}
    assert store.find("w", "role", "AROA2") == ("1/b", {"n": 2})
    assert [key for key, _ in store.page("w", "role", "1/", "", 10)] == ["1/a", "1/b"]
    assert [key for key, _ in store.page("w", "role", "1/", "1/a", 10)] == ["1/b"]
    assert [key for key, _ in store.page("w", "role", "", "", 2)] == ["1/a", "1/b"]
    assert [store.count("w", "role", prefix) for prefix in ("", "1/", "3/")] == [3, 2, 0]


def test_absence_is_none_and_another_kind_or_world_sees_nothing(store):
    with Writing(store) as transaction:
        transaction.add_world("other", {})
    add(store, "role", "1/a", {"n": 1}, "AROA1")

    assert store.get("w", "user", "1/a") is None
    assert store.get("other", "role", "1/a") is None
    assert store.find("w", "user", "AROA1") is None
    assert store.find("w", "role", "") is None


def test_a_second_add_is_refused_and_changes_nothing(store):
    add(store, "role", "1/a", {"n": 1})
    with pytest.raises(AlreadyExistsError):
        add(store, "role", "1/a", {"n": 2})
    assert store.get("w", "role", "1/a") == {"n": 1}


def test_update_needs_something_to_update(store):
    with pytest.raises(NotFoundError), Writing(store) as transaction:
        transaction.update("w", "role", "1/a", lambda body: body)


def test_take_gives_a_document_to_one_taker_only(store):
    add(store, "code", "c", {"n": 1})
    with Writing(store) as transaction:
        assert transaction.take("w", "code", "c") == {"n": 1}
        assert transaction.take("w", "code", "c") is None


def test_a_transaction_sees_what_it_wrote_and_nobody_else_does_if_it_fails(store):
    def fail() -> None:
        with Writing(store) as transaction:
            transaction.add("w", "role", "1/a", {"n": 1}, "")
            assert transaction.get("w", "role", "1/a") == {"n": 1}
            raise RuntimeError

    before = store.revision("w")
    with pytest.raises(RuntimeError):
        fail()
    assert store.get("w", "role", "1/a") is None
    assert store.revision("w") == before


def test_each_write_makes_the_revision_grow(store):
    revisions = [store.revision("w")]
    for number in range(3):
        add(store, "role", f"1/{number}", {})
        revisions.append(store.revision("w"))
    assert revisions == sorted(set(revisions))


def test_a_deleted_world_is_gone_with_all_that_it_held(store):
    add(store, "role", "1/a", {"n": 1}, "AROA1")
    store.append_events([NewEvents("w", "e", 1.0, "{}")], keep=10)
    with Writing(store) as transaction:
        assert transaction.drop_world("w")
    assert store.revision("w") is None
    with Writing(store) as transaction:
        transaction.add_world("w", {})
    assert store.get("w", "role", "1/a") is None
    assert store.event_rows("w", "e") == []


def test_nothing_can_be_left_in_a_world_that_does_not_exist(store):
    with pytest.raises(NotFoundError):
        add(store, "role", "1/a", {}, world="gone")
    store.append_events([NewEvents("gone", "e", 1.0, "{}")], keep=10)
    with Writing(store) as transaction:
        transaction.add_world("gone", {})
    assert store.get("gone", "role", "1/a") is None
    assert store.event_rows("gone", "e") == []


# -- events -------------------------------------------------------------------------------------------------------


def test_events_are_read_by_id_and_in_order_from_either_end(store):
    store.append_events([NewEvents("w", f"e{n}", 9.0 - n, f'"{n}"') for n in range(5)], keep=100)

    (event,) = store.event_rows("w", "e2")
    assert event.body == '"2"'
    assert [row.id for row in store.events_after("w", event.position, 10)] == ["e3", "e4"]
    assert [row.id for row in store.events_before("w", event.position, 10)] == ["e1", "e0"]
    assert [row.id for row in store.events_before("w", None, 2)] == ["e4", "e3"]
    assert [row.id for row in store.events_since(event.position, 1)] == ["e3"]
    last = store.last_event()
    assert store.events_since(last, 9) == []
    store.append_events([NewEvents("w", "e5", 1.0, b"\x00")], keep=100)
    assert [(row.id, row.body) for row in store.events_since(last, 9)] == [("e5", b"\x00")]
    assert store.event_rows("w", "other") == []


def test_events_keep_only_the_newest(store):
    for first in range(0, 50, 5):
        store.append_events([NewEvents("w", f"e{n}", float(n), "{}") for n in range(first, first + 5)], keep=10)
    assert [row.id for row in store.events_before("w", None, 100)] == [f"e{n}" for n in range(49, 39, -1)]


# -- several at once ----------------------------------------------------------------------------------------------


def increment(address: str, times: int) -> None:
    store = open_store(address)
    for _ in range(times):
        with Writing(store) as transaction:
            transaction.update("w", "counter", "c", lambda body: {"n": body["n"] + 1})
    store.close()


def test_two_processes_lose_no_update(shared):
    store = open_store(shared)
    with Writing(store) as transaction:
        transaction.add_world("w", {"key": "", "generation": "", "offset": 0})
        transaction.add("w", "counter", "c", {"n": 0}, "")

    workers = [multiprocessing.get_context("spawn").Process(target=increment, args=(shared, 200)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert store.get("w", "counter", "c") == {"n": 400}
    store.close()


def test_two_threads_lose_no_update_and_a_refused_unit_takes_nothing_with_it(address):
    """A refuses after its write, while B commits: B's writes stay, A's do not."""
    worlds = Worlds(open_store(address))
    worlds.create("lab").add("counter", "c", {"n": 0})
    wrote, errors = threading.Barrier(2), []
    # Taken before: in memory a reader waits for the writer, and A waits for B.
    of_a, of_b = worlds.get("lab"), worlds.get("lab")

    def refused_after_writing() -> None:
        world = of_a
        with world.unit():
            world.add("role", "1/refused", {})
            wrote.wait(LONG)  # now the other unit begins
            raise RuntimeError

    def committed() -> None:
        world = of_b
        wrote.wait(LONG)
        for number in range(50):
            with world.unit(lock=True):
                world.update("counter", "c", lambda body: {"n": body["n"] + 1})
                world.add("role", f"1/{number}", {})

    def run(work) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - looked at below
            errors.append(type(error))

    threads = [threading.Thread(target=run, args=(work,)) for work in (refused_after_writing, committed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == [RuntimeError]
    assert worlds.get("lab").get("role", "1/refused") is None
    assert worlds.get("lab").get("counter", "c") == {"n": 50}
    assert worlds.get("lab").count("role") == 50


def test_units_of_one_thread_cannot_be_mixed_up(address):
    worlds = Worlds(open_store(address))
    worlds.create("lab")
    mine, other = worlds.get("lab"), worlds.get("lab")
    with mine.unit():
        mine.add("role", "1/a", {})
        with pytest.raises(UnavailableError):
            other.add("role", "1/b", {})
    assert [worlds.get("lab").get("role", key) for key in ("1/a", "1/b")] == [{}, None]


def test_nobody_sees_what_is_not_committed(shared):
    worlds = Worlds(open_store(shared))
    worlds.create("lab")
    mine, other = worlds.get("lab"), worlds.get("lab")
    with mine.unit():
        mine.add("role", "1/a", {})
        assert mine.get("role", "1/a") == {}
        assert other.get("role", "1/a") is None
        assert other.page("role") == []
    assert worlds.get("lab").get("role", "1/a") == {}


# -- worlds -------------------------------------------------------------------------------------------------------


def test_a_world_sees_at_once_what_another_process_wrote(shared):
    mine, theirs = Worlds(open_store(shared)), Worlds(open_store(shared))
    mine.create("lab")
    theirs.get("lab").add("role", "1/a", {"n": 1})
    assert mine.get("lab").get("role", "1/a") == {"n": 1}

    theirs.get("lab").update("role", "1/a", lambda body: {"n": body["n"] + 1})
    assert mine.get("lab").get("role", "1/a") == {"n": 2}


def test_a_world_that_was_made_again_is_another_one_for_every_process(shared):
    mine, theirs = Worlds(open_store(shared)), Worlds(open_store(shared))
    first = mine.create("lab").generation
    assert theirs.get("lab").generation == first
    mine.delete("lab")
    second = mine.create("lab").generation
    assert theirs.get("lab").generation == second != first


def test_a_unit_that_read_what_has_changed_since_starts_again(shared):
    mine, theirs = Worlds(open_store(shared)), Worlds(open_store(shared))
    mine.create("lab").add("role", "1/a", {"n": 1})
    world = mine.get("lab")

    def interrupted() -> None:
        with world.unit():
            seen = world.get("role", "1/a")
            theirs.get("lab").update("role", "1/a", lambda _: {"n": 5})
            world.add("role", "1/b", {"n": seen["n"] + 1})

    with pytest.raises(StaleError):
        interrupted()
    with world.unit(lock=True):
        world.add("role", "1/b", {"n": world.get("role", "1/a")["n"] + 1})
    assert mine.get("lab").get("role", "1/b") == {"n": 6}


def test_a_rolled_back_unit_is_forgotten_by_the_snapshot_too(address):
    worlds = Worlds(open_store(address))
    world = worlds.create("lab")

    def fail() -> None:
        with world.unit():
            world.add("role", "1/a", {"n": 1})
            assert world.get("role", "1/a") == {"n": 1}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert world.get("role", "1/a") is None
    assert worlds.get("lab").get("role", "1/a") is None


def test_a_unit_remembers_nothing_for_others_from_before_somebody_wrote():
    """A reads, B commits, A reads on: what A then still holds must not become what everybody sees."""
    worlds = Worlds(open_store())
    worlds.create("lab").add("role", "1/a", {"n": 1})
    early = worlds.get("lab")
    worlds.get("lab").update("role", "1/a", lambda _: {"n": 2})
    early.get("role", "1/a")
    assert early.memo("sum", lambda: 1) == 1
    assert worlds.get("lab").get("role", "1/a") == {"n": 2}
    assert worlds.get("lab").memo("sum", lambda: 2) == 2


def test_strangers_cannot_fill_the_memory_with_what_is_not_there():
    world = Worlds(open_store()).create("lab")
    for number in range(100):
        assert world.get("access-key", f"{number:060000}") is None
    assert not world._documents


def test_world_names_are_dns_labels():
    worlds = Worlds(open_store())
    for bad in ("", "UPPER", "a/b", "..", "a" * 64, "-a", "ü", "a b", "a\n"):
        with pytest.raises(ValueError, match="world names"):
            worlds.create(bad)
    assert worlds.create("a") is not None
    assert worlds.create("a") is None
