"""A state file that cannot be used is refused by name, with what to do; what is in it is for its owner alone."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import pty
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.core import sqlite_file, sqlite_log
from sts_emulator.core.backends import open_store
from sts_emulator.core.event_table import EventTable, TableEvent
from sts_emulator.core.events import EventLog
from sts_emulator.core.store import NewEvents, UnusableError
from sts_emulator.core.world import Worlds

PROGRAM = str(Path(sys.executable).parent / "sts-emulator")


def state_with_world(path: Path) -> Path:
    worlds = Worlds(open_store(str(path)))
    worlds.create("lab").add("role", "1/a", {"arn": "a" * 20_000})
    worlds.store.close()
    return path


def random_bytes(path: Path) -> Path:
    path.write_bytes(os.urandom(50_000))
    return path


def text(path: Path) -> Path:
    path.write_text("accounts: {}\n" * 200)
    return path


def corrupted(path: Path) -> Path:
    content = bytearray(state_with_world(path).read_bytes())
    content[4096 : len(content) - 4096 : 7] = b"\xff" * len(content[4096 : len(content) - 4096 : 7])
    path.write_bytes(content)
    return path


def truncated(path: Path) -> Path:
    content = state_with_world(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def missing_folder(path: Path) -> Path:
    return path / "deeper" / "state.sqlite"


def not_a_folder(path: Path) -> Path:
    path.write_text("")
    return path / "state.sqlite"


def world_row_not_json(path: Path) -> Path:
    with sqlite3.connect(state_with_world(path)) as db:
        db.execute("UPDATE worlds SET body = 'no JSON'")
    return path


def world_row_of_another_shape(path: Path) -> Path:
    with sqlite3.connect(state_with_world(path)) as db:
        db.execute("UPDATE worlds SET body = '[1]'")
    return path


def a_later_version(path: Path) -> Path:
    with sqlite3.connect(state_with_world(path)) as db:
        db.execute("PRAGMA user_version = 99")
    return path


def somebody_elses(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    return path


def somebody_elses_without_tables(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 7")
    return path


def like_ours_but_without_events(path: Path) -> Path:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE worlds (name TEXT)")
        db.execute("CREATE TABLE documents (name TEXT)")
    return path


UNUSABLE = {
    random_bytes: "not a database",
    text: "not a database",
    corrupted: "damaged|malformed",
    truncated: "damaged|malformed|not a database",
    folder: "Is a directory",
    missing_folder: "No such file or directory",
    not_a_folder: "Not a directory",
    world_row_not_json: r"damaged \(the row of world `lab`\)",
    world_row_of_another_shape: r"damaged \(the row of world `lab`\)",
    a_later_version: r"written by a newer sts-emulator \(schema 99",
    somebody_elses: "a database of something else",
    somebody_elses_without_tables: "a database of something else",
    like_ours_but_without_events: "a database of something else",
}


@pytest.mark.parametrize("make", UNUSABLE, ids=lambda make: make.__name__)
def test_what_cannot_be_used_is_refused_by_name_and_left_as_it_is(tmp_path, make):
    path = make(tmp_path / "state.sqlite")
    before = path.read_bytes() if path.is_file() else None

    with pytest.raises(UnusableError, match=UNUSABLE[make]) as refused:
        open_store(str(path))

    message = str(refused.value)
    assert message.startswith(f"state `{path}`: ")
    assert "; " in message, "it says what to do"
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize("make", [text, a_later_version, missing_folder], ids=lambda make: make.__name__)
def test_the_command_says_so_in_one_line(tmp_path, make):
    path = make(tmp_path / "state.sqlite")
    done = subprocess.run(
        [PROGRAM, "serve", "--port", "0", "--state", str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"sts-emulator: state `{path}`: ")
    assert done.stderr.count("\n") == 1


def test_a_full_disk_is_told_as_such():
    with pytest.raises(UnusableError, match=r"state `/dev/full`: "):
        open_store("/dev/full")


def test_one_that_may_only_be_read_is_refused_by_name(tmp_path):
    """Root may write to any file, but not on a disk that is mounted for reading."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a disk, and not everywhere")
    try:
        path = state_with_world(folder / "state.sqlite")
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with pytest.raises(UnusableError, match=r"Read-only|readonly") as refused:
            open_store(str(path))
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    assert str(refused.value).startswith(f"state `{path}`: ")
    assert "; " in str(refused.value), "it says what to do"


def test_nobody_else_can_read_it(tmp_path):
    path = tmp_path / "state.sqlite"
    path.touch(0o644)
    state_with_world(path)
    store = open_store(str(path))
    Worlds(store).create("beside")
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    store.close()
    assert "state.sqlite-wal" in modes, "the log beside it holds what was written last"
    assert set(modes.values()) == {0o600}


def test_a_file_from_before_schemas_had_versions_is_brought_forward(tmp_path):
    path = tmp_path / "state.sqlite"
    row = {"generation": "00", "key": "", "offset": 0.0, "faults": []}
    with sqlite3.connect(path) as db:
        for statement in (
            "CREATE TABLE worlds (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL)",
            (
                "CREATE TABLE documents (world TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, uid TEXT NOT NULL, "
                "body TEXT NOT NULL, PRIMARY KEY (world, kind, key))"
            ),
            "CREATE INDEX documents_uid ON documents (world, uid) WHERE uid <> ''",
            (
                "CREATE TABLE events (world TEXT NOT NULL, id TEXT NOT NULL, at REAL NOT NULL, body TEXT NOT NULL, "
                "PRIMARY KEY (world, id))"
            ),
            "CREATE INDEX events_at ON events (world, at)",
        ):
            db.execute(statement)
        db.execute("INSERT INTO worlds VALUES ('lab', 3, ?)", (json.dumps(row),))
        db.execute("INSERT INTO documents VALUES ('lab', 'role', '1/a', 'AROA1', '{\"n\": 1}')")
        db.executemany("INSERT INTO events VALUES ('lab', ?, ?, ?)", [("late", 2.0, "{}"), ("early", 1.0, "{}")])

    for _ in range(2):  # and then it is one of today's
        store = open_store(str(path))
        assert Worlds(store).get("lab").find("role", "AROA1") == {"n": 1}
        assert [event.id for event in EventLog(EventTable(store)).newest("lab", 9)] == ["late", "early"]
        store.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (sqlite_file.VERSION,)


def test_a_file_of_schema_1_is_brought_forward_with_its_events(tmp_path):
    """Each was a row; their records were marshal's or JSON, two where another account's trail had a copy."""
    path = tmp_path / "state.sqlite"
    store = open_store(str(path))
    Worlds(store).create("lab")
    store.close()
    id_of = "00000000-0000-4000-a000-{:012}".format
    bodies = [
        marshal.dumps({"number": 0}),
        json.dumps({"number": 1}),
        marshal.dumps(({"number": 2}, {"copy": True})),
        json.dumps([{"number": 3}, {"copy": True}]),
    ]
    with sqlite3.connect(path) as db:
        for statement in (
            "DROP TABLE events",
            (
                "CREATE TABLE events (position INTEGER PRIMARY KEY, world TEXT NOT NULL, id TEXT NOT NULL, "
                "at REAL NOT NULL, body TEXT NOT NULL)"
            ),
            "CREATE UNIQUE INDEX events_id ON events (id, world)",
            "CREATE INDEX events_world ON events (world)",
            "PRAGMA user_version = 1",
        ):
            db.execute(statement)
        rows = [(7 + number, "lab", id_of(number), float(number), body) for number, body in enumerate(bodies)]
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)

    for number in (4, 5):  # and then it is one of today's
        store = open_store(str(path))
        log = EventLog(EventTable(store))
        log.record(TableEvent(id_of(number), "lab", float(number), {"number": number}, 100))
        told = [event.record() for event in log.newest("lab", 99)]
        copies = [{"number": 3}, {"number": 3, "copy": True}, {"number": 2}, {"number": 2, "copy": True}]
        assert told == [*({"number": new} for new in range(number, 3, -1)), *copies, {"number": 1}, {"number": 0}]
        assert log.get("lab", id_of(2)).record() == {"number": 2}
        assert store.last_event() == 7 + number
        if number > 4:  # and what was there goes once there is as much as may be after it: here four
            for later in (6, 7):
                store.append_events([NewEvents("lab", id_of(later), float(later), b"")], 4)
            assert [row.id for row in store.events_before("lab", None, 99)] == [id_of(new) for new in (7, 6, 5, 4)]
        store.close()


def test_the_log_beside_a_file_is_bounded_and_tended_beside_who_writes(tmp_path, monkeypatch):
    """However long a load lasts, and though no commit brings the log into the file: 5,000 pages are written here."""
    monkeypatch.setattr(sqlite_log, "ROWS", 50)
    monkeypatch.setattr(sqlite_log, "LONGEST", 100)
    path = tmp_path / "state.sqlite"
    store = open_store(str(path))
    Worlds(store).create("lab")
    for number in range(500):
        events = [NewEvents("lab", f"{number}-{place}", 0.0, bytes(4_000)) for place in range(10)]
        store.append_events(events, 100_000)
        store._log.close()  # waits for the thread
    assert path.with_name("state.sqlite-wal").stat().st_size < 300 * 4_120
    assert len(store.events_before("lab", None, 10_000)) == 5_000
    store.close()


def test_a_state_that_takes_long_to_open_is_told_of_on_a_terminal(tmp_path):
    """One of 1.6 GB is checked for seconds; here another process keeps it from being checked."""
    path = state_with_world(tmp_path / "state.sqlite")
    ours, theirs = pty.openpty()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        command = [PROGRAM, "serve", "--port", "0", "--scenario", os.devnull, "--state", str(path)]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as server:
            os.close(theirs)
            shown = b""
            while b"checking the state" not in shown:
                shown += os.read(ours, 1_000)
            holder.execute("ROLLBACK")
            while b"sts-emulator serves" not in shown:
                shown += os.read(ours, 1_000)
            server.terminate()
    os.close(ours)
    assert shown.rpartition(b"checking the state")[2].partition(b"\r\x1b[K")[1], "it is wiped off"
