"""A state file: opened, brought to today's schema, or refused by name with what to do about it."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

from sts_emulator.core.store import UnusableError

VERSION = 2
PATIENCE = 30.0  # seconds that opening waits for another process, which may be seeding
APPLICATION = 0x73747365  # `stse`, in SQLite's own field for whose file it is

SCHEMA = (
    "CREATE TABLE worlds (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, body TEXT NOT NULL)",
    (
        "CREATE TABLE documents (world TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, "
        "uid TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (world, kind, key))"
    ),
    "CREATE INDEX documents_uid ON documents (world, uid) WHERE uid <> ''",
    (
        "CREATE TABLE events (position INTEGER PRIMARY KEY, world TEXT NOT NULL, id TEXT NOT NULL, "
        "at REAL NOT NULL, count INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL)"
    ),
    "CREATE UNIQUE INDEX events_id ON events (id, world)",
    # With the number, which is asked for at each commit: the row itself may stand on a page that is not at hand.
    "CREATE INDEX events_world ON events (world, position, number)",
)

_EVENTS = tuple(statement for statement in SCHEMA if " events" in statement)

# From the schemas in which each row was one event. Their numbers are none, so that no row is written anew: a world that
# has been brought forward keeps those rows until as many events as it may have came after them.
_FROM_0 = (  # before there were versions
    "ALTER TABLE events RENAME TO first_events",
    *_EVENTS,
    (
        "INSERT INTO events (world, id, at, count, number, body) "
        "SELECT world, id, at, 1, 0, body FROM first_events ORDER BY at"
    ),
    "DROP TABLE first_events",
)
_FROM_1 = (
    "ALTER TABLE events ADD COLUMN count INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE events ADD COLUMN number INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX events_world",
    _EVENTS[-1],
)


def connect(path: str, patience: float = 0.0) -> sqlite3.Connection:
    """A connection that waits `patience` seconds for other processes' locks."""
    # INVARIANT: isolation_level None. Python's own implicit transactions are deferred and lost 346 of 1,000
    # read-modify-writes between two processes when measured; BEGIN IMMEDIATE lost none.
    connection = sqlite3.connect(path, isolation_level=None, timeout=patience, check_same_thread=False)
    if path != ":memory:":
        # In WAL mode a commit that was answered survives the end of this process; only FULL also a power cut.
        connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def create(db: sqlite3.Connection) -> None:
    """Make today's tables in an empty database."""
    _run(db, SCHEMA)


def _run(db: sqlite3.Connection, statements: tuple[str, ...]) -> None:
    """Bring a database to today's schema."""
    for statement in (*statements, f"PRAGMA user_version = {VERSION}", f"PRAGMA application_id = {APPLICATION}"):
        db.execute(statement)


def open_file(path: str) -> sqlite3.Connection:
    """A connection to the state file at `path`, which is created when missing, for its owner alone.

    Raises:
        UnusableError: it is no state of ours, of a later version, damaged, or out of reach.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        db = _checked(connect(path, PATIENCE), path)
        Path(path).chmod(0o600)  # it holds root's keys, and the key that seals sessions
        db.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise UnusableError(_advice(path, error)) from error
    except OSError as error:
        raise UnusableError(f"state `{path}`: {error.strerror}; name a file in a folder that can be written") from error
    return db


def _checked(db: sqlite3.Connection, path: str) -> sqlite3.Connection:
    db.execute("BEGIN IMMEDIATE")
    try:
        _bring_up_to_date(db, path)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        db.close()
        raise
    return db


def _bring_up_to_date(db: sqlite3.Connection, path: str) -> None:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables and not version:
        create(db)
    elif version == 0 and not application and tables == {"worlds", "documents", "events"}:
        _run(db, _FROM_0)
    elif version == 1 and application == APPLICATION:
        _run(db, _FROM_1)
    elif application != APPLICATION or not tables >= {"worlds", "documents", "events"}:
        raise UnusableError(f"state `{path}`: a database of something else; name another file")
    elif version > VERSION:
        raise UnusableError(
            f"state `{path}`: written by a newer sts-emulator (schema {version}; this one knows {VERSION}); "
            "use that one, or name another file"
        )
    _check_worlds(db, path)


def _check_worlds(db: sqlite3.Connection, path: str) -> None:
    """Find a damaged file now, not in the middle of a request."""
    (result,) = db.execute("PRAGMA quick_check(1)").fetchone()
    if result != "ok":
        raise UnusableError(f"state `{path}`: damaged ({result}); restore a copy, or delete it and start afresh")
    for name, body in db.execute("SELECT name, body FROM worlds"):
        if not _is_world(body):
            raise UnusableError(
                f"state `{path}`: damaged (the row of world `{name}`); restore a copy, or delete it and start afresh"
            )


def _is_world(body: object) -> bool:
    try:
        row = json.loads(body) if isinstance(body, str) else None
    except ValueError:
        return False
    return isinstance(row, dict) and {"key", "generation", "offset"} <= row.keys()


def _advice(path: str, error: sqlite3.Error) -> str:
    text = str(error)
    if "not a database" in text or "malformed" in text:
        return f"state `{path}`: {text}; restore a copy, name another file, or delete it and start afresh"
    if "locked" in text:
        return f"state `{path}`: another process holds it locked; end that process, or name another file"
    if "full" in text:
        return f"state `{path}`: the disk is full; make room, or name a file elsewhere"
    return f"state `{path}`: {text}; name a file that can be read and written"
