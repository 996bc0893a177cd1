"""A world: an isolated namespace of accounts with its own time, faults and credentials."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sts_emulator.core import clock
from sts_emulator.core.store import Change, NotFoundError, StaleError, Store

DEFAULT = "default"
SNAPSHOT_LIMIT = 50_000  # documents (and absences) that a world's snapshot holds before it starts afresh
WORLD_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # one path segment that needs no escaping, also a DNS label

Value = TypeVar("Value")


class World:
    """One world's documents, settings and clock.

    Reads come from a snapshot in memory that is checked against the world's revision when a request begins, so a hot
    request costs one look at the revision and no document reads, and yet sees what other processes wrote. Documents
    are shared: treat what `get` returns as immutable and change it through `update`.
    """

    def __init__(self, store: Store, name: str) -> None:
        self.name = name
        self._store = store
        self._revision: int | None = None
        self._documents: dict[tuple[str, str], Mapping[str, Any] | None] = {}
        self._keys_by_uid: dict[tuple[str, str], str | None] = {}
        self._memo: dict[Any, Any] = {}
        self._touched: dict[tuple[str, str], Any] = {}
        self._row: Mapping[str, Any] = {}
        self.depth = 0  # of units inside one another
        self._unit = Unit(self, lock=False)
        self._locked: Any = None
        self.key = b""
        self.generation = ""
        self.offset = 0.0

    # -- time ---------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the epoch in this world: real time plus the world's offset, never frozen."""
        return clock.real() + self.offset

    def advance(self, seconds: float) -> float:
        """Move the world's clock and return its new time."""
        self.change_settings(lambda row: {**row, "offset": row["offset"] + seconds})
        return self.now()

    # -- settings -----------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Mapping[str, Any]:
        """The world's own row: generation, key, offset, faults and switches."""
        return self._row

    def change_settings(self, change: Change) -> None:
        """Replace the world's row by `change(row)`."""
        self._store.update_world(self.name, change)
        self.refresh()

    # -- documents ----------------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Catch up with what other processes wrote; False when the world no longer exists."""
        revision = self._store.revision(self.name)
        if revision is None:
            return False
        if revision != self._revision:
            self._forget()
            self._load_row()
            self._revision = revision
        return True

    def get(self, kind: str, key: str) -> Mapping[str, Any] | None:
        """The document, or None."""
        place = (kind, key)
        try:
            return self._documents[place]
        except KeyError:
            found = self._store.get(self.name, kind, key)
            self._make_room(self._documents)
            self._documents[place] = found
            return found

    def find(self, kind: str, uid: str) -> Mapping[str, Any] | None:
        """The document that bears the unique id or ARN `uid`, or None."""
        place = (kind, uid)
        if place not in self._keys_by_uid:
            found = self._store.find(self.name, kind, uid)
            self._make_room(self._keys_by_uid)
            self._keys_by_uid[place] = found[0] if found else None
        key = self._keys_by_uid[place]
        return None if key is None else self.get(kind, key)

    def page(self, kind: str, prefix: str = "", after: str = "", limit: int = 1_000_000) -> list[Mapping[str, Any]]:
        """Documents of a kind whose key begins with `prefix`, behind the key `after`, in key order."""
        return [body for _, body in self._store.page(self.name, kind, prefix, after, limit)]

    def page_keys(self, kind: str, prefix: str = "", after: str = "", limit: int = 1_000_000) -> list[tuple[str, Any]]:
        """Like `page`, as (key, document) pairs, for paging."""
        return list(self._store.page(self.name, kind, prefix, after, limit))

    def count(self, kind: str, prefix: str = "") -> int:
        """How many documents of a kind have a key that begins with `prefix`."""
        return self._store.count(self.name, kind, prefix)

    def memo(self, key: Any, build: Callable[[], Value]) -> Value:
        """`build()`, remembered until the next write to this world."""
        try:
            return self._memo[key]  # type: ignore[no-any-return]  # what build() of the same key returned
        except KeyError:
            value = self._memo[key] = build()
            return value

    def add(self, kind: str, key: str, body: dict[str, Any], *, uid: str = "") -> None:
        """Store a new document. Raises AlreadyExistsError."""
        self._before_write()
        self._store.add(self.name, kind, key, body, uid)
        self._after_write(kind, key)

    def update(self, kind: str, key: str, change: Change) -> dict[str, Any]:
        """Replace a document by `change(document)`, with nothing in between. Raises NotFoundError."""
        self._before_write()
        body = self._store.update(self.name, kind, key, change)
        self._after_write(kind, key)
        return body

    def put(self, kind: str, key: str, body: dict[str, Any], *, uid: str = "") -> None:
        """Store a document whether or not it exists."""
        with self.unit():
            try:
                self.update(kind, key, lambda _: body)
            except NotFoundError:
                self.add(kind, key, body, uid=uid)

    def take(self, kind: str, key: str) -> dict[str, Any] | None:
        """Remove a document and return it; exactly one caller gets it, everybody else gets None."""
        self._before_write()
        body = self._store.take(self.name, kind, key)
        self._after_write(kind, key)
        return body

    def touch(self, kind: str, key: str, value: Any) -> None:
        """Remember when something was last used: kept in memory only, and no write to the world."""
        self._touched[kind, key] = value

    def touched(self, kind: str, key: str) -> Any:
        """What `touch` remembered, or None."""
        return self._touched.get((kind, key))

    # -- units of work ------------------------------------------------------------------------------------------

    def unit(self, *, lock: bool = False) -> Unit:
        """All writes inside are one transaction, rolled back on any exception; nests into the outermost.

        The write lock is taken at the first write, and then the world must still be as it was when the unit began;
        otherwise StaleError asks the caller to run the unit again with `lock=True`, which takes it at once.
        INVARIANT: never await inside a unit after its first write; other requests share this connection.
        """
        return Unit(self, lock=True) if lock else self._unit

    def lock(self) -> None:
        """Take the write lock now. For Unit."""
        transaction = self._store.transaction()
        transaction.__enter__()
        self._locked = transaction

    @property
    def locked(self) -> bool:
        """Whether this world's write lock is held."""
        return self._locked is not None

    def release(self, exc: BaseException | None) -> None:
        """Commit what was written, or roll it back because of `exc`. For Unit."""
        transaction, self._locked = self._locked, None
        if exc is None:
            transaction.__exit__(None, None, None)
            return
        self._forget()
        self._revision = None
        try:
            transaction.__exit__(type(exc), exc, exc.__traceback__)
        except BaseException as raised:
            if raised is not exc:
                raise

    def _before_write(self) -> None:
        if not self.depth or self._locked is not None:
            return
        self.lock()
        if self._store.revision(self.name) != self._revision:
            raise StaleError(self.name)

    def _after_write(self, kind: str, key: str) -> None:
        self._documents.pop((kind, key), None)
        self._keys_by_uid.clear()
        self._memo.clear()
        if self._locked is not None:
            self._revision = self._store.revision(self.name)

    @staticmethod
    def _make_room(snapshot: dict[Any, Any]) -> None:
        # Strangers may ask for ever new names, and what is not there is remembered too: bounded, not for good.
        if len(snapshot) >= SNAPSHOT_LIMIT:
            snapshot.clear()

    def _forget(self) -> None:
        self._documents.clear()
        self._keys_by_uid.clear()
        self._memo.clear()

    def _load_row(self) -> None:
        row = self._store.world_row(self.name)
        if row is None:
            raise NotFoundError(self.name)
        self._row = row
        self.key = base64.b64decode(row["key"])
        self.generation = row["generation"]
        self.offset = row["offset"]


class Unit:
    """What `World.unit` returns; a class, because a generator-based context manager costs twice as much."""

    __slots__ = ("_lock", "_world")

    def __init__(self, world: World, *, lock: bool) -> None:
        self._world = world
        self._lock = lock

    def __enter__(self) -> None:
        """Begin, unless an outer unit has begun."""
        world = self._world
        world.depth += 1
        if self._lock and world.depth == 1:
            try:
                world.lock()
                world.refresh()
            except BaseException as error:
                self.__exit__(type(error), error, None)
                raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Commit, or roll back when an exception comes through."""
        world = self._world
        world.depth -= 1
        if not world.depth and world.locked:
            world.release(error)


class Worlds:
    """All worlds of one store, opened once each."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._open: dict[str, World] = {}

    def get(self, name: str) -> World | None:
        """The world, caught up with the store; None when there is none of that name."""
        world = self._open.get(name)
        if world is None:
            if not WORLD_NAME.fullmatch(name) or self.store.revision(name) is None:
                return None
            world = self._open[name] = World(self.store, name)
        if world.refresh():
            return world
        self._open.pop(name, None)
        return None

    def create(self, name: str) -> World | None:
        """A new, empty world with keys of its own; None when the name is taken.

        Raises:
            ValueError: the name is not a DNS label.
        """
        if not WORLD_NAME.fullmatch(name):
            message = f"world names are lower-case letters, digits and hyphens, 63 at most; got `{name[:80]}`"
            raise ValueError(message)
        row = {
            "generation": os.urandom(8).hex(),
            "key": base64.b64encode(os.urandom(32)).decode(),
            "offset": 0.0,
            "faults": [],
        }
        return self.get(name) if self.store.add_world(name, row) else None

    def delete(self, name: str) -> bool:
        """Delete a world; its credentials stop working because their key is gone."""
        self._open.pop(name, None)
        return self.store.drop_world(name)

    def names(self) -> list[str]:
        """All worlds, in order."""
        return self.store.worlds()
