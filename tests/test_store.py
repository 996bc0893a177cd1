"""What every backend of the store must do; a new backend joins by adding itself to `stores`."""

from __future__ import annotations

import multiprocessing

import pytest

from sts_emulator.core.store import AlreadyExistsError, NotFoundError, SqliteStore, StaleError, open_store
from sts_emulator.core.world import Worlds


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    store = open_store("" if request.param == "memory" else str(tmp_path / "state.sqlite"))
    store.add_world("w", {"offset": 0})
    yield store
    store.close()


def test_what_is_added_is_got_found_and_paged(store):
    store.add("w", "role", "1/a", {"n": 1}, "AROA1")
    store.add("w", "role", "1/b", {"n": 2}, "AROA2")
    store.add("w", "role", "2/a", {"n": 3}, "AROA3")

    assert store.get("w", "role", "1/a") == {"n": 1}
    assert store.find("w", "role", "AROA2") == ("1/b", {"n": 2})
    assert [key for key, _ in store.page("w", "role", "1/", "", 10)] == ["1/a", "1/b"]
    assert [key for key, _ in store.page("w", "role", "1/", "1/a", 10)] == ["1/b"]
    assert [key for key, _ in store.page("w", "role", "", "", 2)] == ["1/a", "1/b"]
    assert [store.count("w", "role", prefix) for prefix in ("", "1/", "3/")] == [3, 2, 0]


def test_absence_is_none_and_another_kind_or_world_sees_nothing(store):
    store.add_world("other", {})
    store.add("w", "role", "1/a", {"n": 1}, "AROA1")

    assert store.get("w", "user", "1/a") is None
    assert store.get("other", "role", "1/a") is None
    assert store.find("w", "user", "AROA1") is None
    assert store.find("w", "role", "") is None


def test_a_second_add_is_refused_and_changes_nothing(store):
    store.add("w", "role", "1/a", {"n": 1}, "")
    with pytest.raises(AlreadyExistsError):
        store.add("w", "role", "1/a", {"n": 2}, "")
    assert store.get("w", "role", "1/a") == {"n": 1}


def test_update_needs_something_to_update(store):
    with pytest.raises(NotFoundError):
        store.update("w", "role", "1/a", lambda body: body)


def test_take_gives_a_document_to_one_taker_only(store):
    store.add("w", "code", "c", {"n": 1}, "")
    assert store.take("w", "code", "c") == {"n": 1}
    assert store.take("w", "code", "c") is None


def test_a_failed_transaction_leaves_nothing_behind(store):
    def fail() -> None:
        with store.transaction():
            store.add("w", "role", "1/a", {"n": 1}, "")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.get("w", "role", "1/a") is None


def test_a_deleted_world_is_gone_with_all_that_it_held(store):
    store.add("w", "role", "1/a", {"n": 1}, "AROA1")
    assert store.drop_world("w")
    assert store.revision("w") is None
    store.add_world("w", {})
    assert store.get("w", "role", "1/a") is None


def test_nothing_can_be_left_in_a_world_that_does_not_exist(store):
    with pytest.raises(NotFoundError):
        store.add("gone", "role", "1/a", {}, "")
    store.add_world("gone", {})
    assert store.get("gone", "role", "1/a") is None


def test_events_keep_only_the_newest(store):
    store.append_events([("w", f"e{n}", float(n), f'"{n}"') for n in range(10)], keep=3)
    assert store.read_events("w") == ['"7"', '"8"', '"9"']


def increment(path: str, times: int) -> None:
    store = SqliteStore(path)
    for _ in range(times):
        store.update("w", "counter", "c", lambda body: {"n": body["n"] + 1})
    store.close()


def test_two_processes_lose_no_update(tmp_path):
    path = str(tmp_path / "state.sqlite")
    store = SqliteStore(path)
    store.add_world("w", {})
    store.add("w", "counter", "c", {"n": 0}, "")

    workers = [multiprocessing.get_context("spawn").Process(target=increment, args=(path, 200)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert store.get("w", "counter", "c") == {"n": 400}
    store.close()


def test_a_world_sees_at_once_what_another_process_wrote(tmp_path):
    path = str(tmp_path / "state.sqlite")
    mine, theirs = Worlds(SqliteStore(path)), Worlds(SqliteStore(path))
    mine.create("lab")
    theirs.get("lab").add("role", "1/a", {"n": 1})
    assert mine.get("lab").get("role", "1/a") == {"n": 1}

    theirs.get("lab").update("role", "1/a", lambda body: {"n": body["n"] + 1})
    assert mine.get("lab").get("role", "1/a") == {"n": 2}


def test_a_unit_that_read_what_has_changed_since_starts_again(tmp_path):
    path = str(tmp_path / "state.sqlite")
    mine, theirs = Worlds(SqliteStore(path)), Worlds(SqliteStore(path))
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


def test_a_rolled_back_unit_is_forgotten_by_the_snapshot_too():
    worlds = Worlds(open_store())
    world = worlds.create("lab")

    def fail() -> None:
        with world.unit():
            world.add("role", "1/a", {"n": 1})
            assert world.get("role", "1/a") == {"n": 1}
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert worlds.get("lab").get("role", "1/a") is None


def test_world_names_are_dns_labels():
    worlds = Worlds(open_store())
    for bad in ("", "UPPER", "a/b", "..", "a" * 64, "-a", "ü", "a b", "a\n"):
        with pytest.raises(ValueError, match="world names"):
            worlds.create(bad)
    assert worlds.create("a") is not None
    assert worlds.create("a") is None
