"""A database: brought to today's schema, or refused by name with what to do about it."""

from __future__ import annotations

import re

import psycopg

from sts_emulator.core.postgres_pool import SILENCE, Connection
from sts_emulator.core.store import UnusableError

STEPS: list[str] = [
    # Keys sort by their bytes, as in SQLite. A world's number makes sure that what is written for a world while it is
    # deleted never becomes another's of the same name.
    """
    CREATE TABLE sts_emulator.worlds (
        name text COLLATE "C" PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, body text NOT NULL);
    CREATE TABLE sts_emulator.documents (
        world text COLLATE "C" NOT NULL, kind text COLLATE "C" NOT NULL, key text COLLATE "C" NOT NULL,
        uid text COLLATE "C" NOT NULL, body text NOT NULL, PRIMARY KEY (world, kind, key));
    CREATE INDEX documents_uid ON sts_emulator.documents (world, kind, uid) WHERE uid <> '';
    CREATE TABLE sts_emulator.changes (
        x xid8 NOT NULL DEFAULT pg_current_xact_id(), at timestamptz NOT NULL DEFAULT now(),
        world text NOT NULL, kind text NOT NULL, key text NOT NULL);
    CREATE INDEX changes_x ON sts_emulator.changes (x);
    CREATE TABLE sts_emulator.events (
        x xid8 NOT NULL DEFAULT pg_current_xact_id(), n int NOT NULL, world bigint NOT NULL,
        id text COLLATE "C" NOT NULL, at double precision NOT NULL, body bytea NOT NULL, PRIMARY KEY (x, n));
    CREATE UNIQUE INDEX events_id ON sts_emulator.events (id, world);
    CREATE INDEX events_world ON sts_emulator.events (world, x, n)
    """,
    # Several events in one row.
    """
    ALTER TABLE sts_emulator.events ADD COLUMN count int NOT NULL DEFAULT 1;
    DROP INDEX sts_emulator.events_world;
    CREATE INDEX events_world ON sts_emulator.events (world, x, n) INCLUDE (count)
    """,
]
"""What leads from each version of the schema to the next one; a new database goes through all of them."""

_LOCK = 0x73747365  # `stse`: replicas that start at the same time make one schema
_ANOTHERS = """
    SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1 LIMIT 1
"""
_OUR_OWN = "SELECT to_regclass('sts_emulator.state') IS NOT NULL, to_regnamespace('sts_emulator') IS NOT NULL"
_OPENING_SILENCE = 30.0  # seconds: another replica may be bringing a large state forward


def prepare(address: str) -> None:
    """Make the schema at `address`, or bring it forward.

    Raises:
        UnusableError: it is no state of ours, of a later version, or out of reach.
    """
    try:
        with Connection.connect(address, prepare_threshold=None, connect_timeout=int(SILENCE)) as connection:
            connection.patience = _OPENING_SILENCE
            _bring_up_to_date(connection, address)
    except psycopg.Error as error:
        raise UnusableError(f"state `{named(address)}`: {_reason(error)}") from error


def named(address: str) -> str:
    """The address without its password, for people."""
    return re.sub(r"(//[^:/@?]*):[^@/]*@|(password=)[^&\s]*", _without_password, address)


def _without_password(match: re.Match[str]) -> str:
    return f"{match[1]}:…@" if match[1] is not None else f"{match[2]}…"


def _bring_up_to_date(connection: Connection, address: str) -> None:
    connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
    is_ours, is_named_so = connection.execute(_OUR_OWN).fetchone() or (False, False)
    if not is_ours:
        anothers = connection.execute(_ANOTHERS).fetchone()
        if anothers is not None or is_named_so:
            told = anothers[0] if anothers else "a schema `sts_emulator` that is not ours"
            raise UnusableError(
                f"state `{named(address)}`: a database of something else (it has {told}); make one for the emulator "
                "with `createdb`, and name that"
            )
        connection.execute("CREATE SCHEMA sts_emulator")
        connection.execute("CREATE TABLE sts_emulator.state (version int NOT NULL, trimmed xid8 NOT NULL)")
        connection.execute("INSERT INTO sts_emulator.state VALUES (0, '0')")
    (version,) = connection.execute("SELECT version FROM sts_emulator.state FOR UPDATE").fetchone() or (0,)
    if version > len(STEPS):
        raise UnusableError(
            f"state `{named(address)}`: written by a newer sts-emulator (schema {version}; this one knows "
            f"{len(STEPS)}); use that one, or name another database"
        )
    for step in STEPS[version:]:
        connection.execute(step)
    connection.execute("UPDATE sts_emulator.state SET version = %s", (len(STEPS),))


def _reason(error: psycopg.Error) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return f"{text}; give its user the right to create a schema there, or name another user"
    if "does not exist" in text and "database" in text:
        return f"{text}; make it with `createdb`"
    if isinstance(error, psycopg.ProgrammingError) and "connection" in text:
        return f"{text}; write it as postgresql://USER:PASSWORD@HOST/DATABASE"
    return f"{text}; is a PostgreSQL running there, and does it let this user in?"
