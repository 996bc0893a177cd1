"""What is read of documents in PostgreSQL, inside a transaction or outside, and how their texts are written there."""

from __future__ import annotations

import json
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable

from sts_emulator.core.postgres_pool import Row
from sts_emulator.core.store import Document, NewEvents

LAST_CHARACTER = "\U0010ffff"

APPEND = """
INSERT INTO sts_emulator.events (n, world, id, at, body, count)
SELECT e.n + $1::int, w.number, e.id, e.at, e.body, e.count
FROM unnest($2::text[], $3::text[], $4::float8[], $5::bytea[], $6::int[]) WITH ORDINALITY
    AS e (world, id, at, body, count, n)
JOIN sts_emulator.worlds w ON w.name = e.world ON CONFLICT DO NOTHING
"""
"""Append events: `appended` makes its values."""
_TEXT, _FLOAT, _BYTES, _INTEGER = 25, 701, 17, 23  # pg_type.dat: the types of what stands in arrays


class Reading(ABC):
    """The reading half of both the store and its transactions; see core.store.Reads."""

    @abstractmethod
    def _rows(self, statement: str, *values: object) -> list[Row]:
        """What the statement answers."""

    def get(self, world: str, kind: str, key: str) -> Document | None:
        rows = self._rows(
            "SELECT body FROM sts_emulator.documents WHERE world = %s AND kind = %s AND key = %s",
            *(plain(world), kind, plain(key)),
        )
        return json.loads(rows[0][0]) if rows else None

    def find(self, world: str, kind: str, uid: str) -> tuple[str, Document] | None:
        rows = self._rows(
            "SELECT key, body FROM sts_emulator.documents WHERE world = %s AND kind = %s AND uid = %s AND uid <> ''",
            *(plain(world), kind, plain(uid)),
        )
        return (original(rows[0][0]), json.loads(rows[0][1])) if rows else None

    def page(self, world: str, kind: str, prefix: str, after: str, limit: int) -> list[tuple[str, Document]]:
        first = plain(prefix)
        rows = self._rows(
            "SELECT key, body FROM sts_emulator.documents WHERE world = %s AND kind = %s AND key > %s AND key >= %s "
            "AND key < %s ORDER BY key LIMIT %s",
            *(plain(world), kind, plain(after), first, first + LAST_CHARACTER, limit),
        )
        return [(original(key), json.loads(body)) for key, body in rows]

    def count(self, world: str, kind: str, prefix: str) -> int:
        first = plain(prefix)
        rows = self._rows(
            "SELECT count(*) FROM sts_emulator.documents WHERE world = %s AND kind = %s AND key >= %s AND key < %s",
            *(plain(world), kind, first, first + LAST_CHARACTER),
        )
        return int(rows[0][0])

    def worlds(self) -> list[str]:
        return [name for (name,) in self._rows("SELECT name FROM sts_emulator.worlds ORDER BY name")]


def appended(events: list[NewEvents], before: int = 0) -> tuple[bytes, ...]:
    """The values of APPEND; so many events stand before them in their transaction."""
    worlds, ids, times, bodies, counts = zip(*events, strict=True)
    return (
        before.to_bytes(4, "big"),
        _array(_TEXT, map(str.encode, worlds)),
        _array(_TEXT, map(str.encode, ids)),
        _array(_FLOAT, (struct.pack("!d", time) for time in times)),
        _array(_BYTES, map(_packed, bodies)),
        _array(_INTEGER, (struct.pack("!i", count) for count in counts)),
    )


def _array(kind: int, items: Iterable[bytes]) -> bytes:
    """An array as PostgreSQL's array_recv reads it: dimensions, no NULL, type, length, first index; then each item."""
    parts = [part for item in items for part in (len(item).to_bytes(4, "big"), item)]
    return struct.pack("!5i", 1, 0, kind, len(parts) // 2, 1) + b"".join(parts)


def _packed(body: str | bytes) -> bytes:
    """A body with a first byte that tells whether it is text."""
    return b"t" + body.encode() if isinstance(body, str) else b"b" + body


def dump(body: Document) -> str:
    return json.dumps(body, separators=(",", ":"))


def plain(text: str) -> str:
    """A text that PostgreSQL takes: it knows no NUL. Others stay as they are, and no two become the same."""
    return text.replace("\x01", "\x01\x02").replace("\x00", "\x01\x01") if "\x00" in text or "\x01" in text else text


def original(text: str) -> str:
    return text.replace("\x01\x01", "\x00").replace("\x01\x02", "\x01") if "\x01" in text else text
