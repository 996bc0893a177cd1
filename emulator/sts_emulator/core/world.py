"""Worlds: isolated namespaces of accounts with their own time, faults and credentials, and a request's work in one."""

from __future__ import annotations

import base64
import copy
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar, cast

from sts_emulator.core import clock
from sts_emulator.core.store import (
    Change,
    Kind,
    NewEvents,
    NotAtHandError,
    NotFoundError,
    Place,
    Reads,
    StaleError,
    Store,
    Transaction,
)

DEFAULT = "default"
PENDING = "later"  # a setting: part of its scenario is planted when somebody first looks (scenario.later)
SNAPSHOT_LIMIT = 50_000  # documents (and absences) that a world's snapshot holds before it starts afresh
MOST_WORLDS = 10_000
LONGEST_REMEMBERED = 512  # characters of a key whose absence is remembered: strangers may ask for megabytes
WORLD_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # one path segment that needs no escaping, also a DNS label

Value = TypeVar("Value")
Body = TypeVar("Body", bound=Mapping[str, object])

NEW, WAS, UNTIL = "_new", "_was", "_until"  # members of documents on which eventual consistency keeps book
_LAG = (NEW, WAS, UNTIL)


class Snapshot:
    """What all requests share of a world: its settings, and the documents that were read since its last revision."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.revision: int | None = None
        self.row: Mapping[str, Any] = {}
        self.key = b""
        self.generation = ""
        self.offset = 0.0
        self.lag = 0.0
        self.documents: dict[Place, Mapping[str, Any] | None] = {}
        self.keys_by_uid: dict[Place, str | None] = {}
        self.memo: dict[Any, Any] = {}
        self.touched: dict[Place, Any] = {}
        self.at_rest: World | None = None
        self.lock = threading.Lock()

    def load(self, row: Mapping[str, Any], revision: int) -> None:
        """Start afresh from the world's row as of a revision; whoever still reads the old documents keeps them."""
        with self.lock:
            self.documents, self.keys_by_uid, self.memo = {}, {}, {}
            self.row = row
            self.key = base64.b64decode(row["key"])
            self.generation = row["generation"]
            self.offset = row["offset"]
            self.lag = row.get("eventual_consistency", 0.0)
            self.revision = revision

    def advance(self, places: set[Place], revision: int) -> None:
        """Forget what others have written since."""
        with self.lock:
            for place in places:
                self.documents.pop(place, None)
            self.keys_by_uid.clear()
            self.memo.clear()
            self.revision = revision

    def follow(self, before: int | None, after: int | None, written: set[Place]) -> None:
        """Take up what a unit has committed, unless somebody else wrote as well: then the next request loads anew."""
        with self.lock:
            if self.revision != before:
                return
            for place in written:
                self.documents.pop(place, None)
            self.keys_by_uid.clear()
            self.memo.clear()
            self.revision = after


class _NotAtHand:
    """What a request reads from that may wait for nothing: whatever is not in the snapshot has it start again."""

    def __getattr__(self, name: str) -> Any:
        raise NotAtHandError(name)


_NOT_AT_HAND = cast("Any", _NotAtHand())


class World:
    """One world as one request sees it: the shared snapshot, and the request's own unit of work.

    Reads come from the snapshot, which is checked against the world's revision when the request begins, so a hot
    request costs one look at the revision and no document reads, and yet sees what other processes wrote. Documents
    are shared: treat what `get` returns as immutable and change it through `update`.

    With a database elsewhere a request first runs with what is in the snapshot, in a hurry: where it needs more, or
    writes, NotAtHandError has it start again where it may wait (serving.beside).
    """

    __slots__ = (
        *("name", "_store", "_snapshot", "_reads", "_begun", "_documents", "_keys_by_uid", "_memo"),
        *("_depth", "_transaction", "_written", "_row_changed", "_attached", "_keep"),
    )

    def __init__(self, store: Store, snapshot: Snapshot) -> None:
        self.name = snapshot.name
        self._store = store
        self._snapshot = snapshot
        self._depth = 0  # of units inside one another
        self._transaction: Transaction | None = None
        self._reads: Reads = store
        self._begun = snapshot.revision
        self._documents = snapshot.documents
        self._keys_by_uid = snapshot.keys_by_uid
        self._memo = snapshot.memo

    def _look(self) -> None:
        """Read from the shared snapshot, as of now."""
        snapshot = self._snapshot
        self._reads = self._store
        self._begun = snapshot.revision
        self._documents = snapshot.documents
        self._keys_by_uid = snapshot.keys_by_uid
        self._memo = snapshot.memo

    def hurry(self) -> None:
        """From now on this request waits for nothing: see NotAtHandError."""
        self._store = _NOT_AT_HAND
        self._look()

    @property
    def is_in_a_hurry(self) -> bool:
        """Whether this request may wait for nothing."""
        return self._store is _NOT_AT_HAND

    def take_time(self, store: Store) -> None:
        """From now on this request may wait: it is answered, and only its event remains to be told."""
        if self._store is _NOT_AT_HAND:
            self._store = store
            self._look()

    def at_rest(self, store: Store) -> World:
        """The world as this request leaves it, for who reads of it later: one view for all requests of a revision.

        The request may wait from now on: see take_time.
        """
        if self._store is _NOT_AT_HAND:
            self.take_time(store)
        if self._transaction is not None:
            return self
        view = self._snapshot.at_rest
        if view is None or view._begun != self._snapshot.revision:  # noqa: SLF001 # its own class
            view = self._snapshot.at_rest = World(store, self._snapshot)
        return view

    @property
    def has_written(self) -> bool:
        """Whether a unit of this request has had the write lock: to begin the request again may do things twice."""
        return hasattr(self, "_written")

    # -- time ---------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since the epoch in this world: real time plus the world's offset, never frozen."""
        return clock.real() + self._snapshot.offset

    def advance(self, seconds: float) -> float:
        """Move the world's clock and return its new time."""
        self.change_settings(lambda row: {**row, "offset": row["offset"] + seconds})
        return self.now()

    def apart(self, seconds: float) -> World:
        """This world with its clock moved and all news known, for trials in a unit that will be undone."""
        assert self._transaction is not None, "what it does ends with the unit that has begun"
        world, snapshot = copy.copy(self), copy.copy(self._snapshot)
        snapshot.offset, snapshot.lag = snapshot.offset + seconds, 0.0
        world._snapshot = snapshot  # noqa: SLF001 # its own class
        return world

    # -- settings -----------------------------------------------------------------------------------------------

    @property
    def key(self) -> bytes:
        """What seals this world's sessions."""
        return self._snapshot.key

    @property
    def generation(self) -> str:
        """Which world of this name it is: a new one does not know the old one's credentials."""
        return self._snapshot.generation

    @property
    def offset(self) -> float:
        """Seconds that the world's clock is ahead of the real one."""
        return self._snapshot.offset

    @property
    def settings(self) -> Mapping[str, Any]:
        """The world's own row: generation, key, offset, faults and switches."""
        return self._snapshot.row

    def change_settings(self, change: Change) -> None:
        """Replace the world's row by `change(row)`."""
        with self._own_unit():
            self._writing().update_world(self.name, change)
            self._row_changed = True
        self.refresh()

    # -- documents ----------------------------------------------------------------------------------------------

    def refresh(self) -> bool:
        """Catch up with what others wrote; False when the world no longer exists."""
        if self._transaction is not None:
            return True
        revision = self._store.revision(self.name)
        if revision is None:
            return False
        if self._begun == self._snapshot.revision == revision:
            return True
        if not _catch_up(self._store, self._store, self._snapshot, revision):
            return False
        self._look()
        return True

    def get(self, kind: Kind[Body], key: str) -> Body | None:
        """The document, or None."""
        try:
            document: Any = self._documents[kind, key]
        except KeyError:
            document = self._reads.get(self.name, kind, key) if _is_text(key) else None
            self._remember(self._documents, (kind, key), document)
        body: Body | None = document
        return body

    def find(self, kind: Kind[Body], uid: str) -> Body | None:
        """The document that bears the unique id or ARN `uid`, or None."""
        place = (kind, uid)
        try:
            key = self._keys_by_uid[place]
        except KeyError:
            row = self._reads.find(self.name, kind, uid) if _is_text(uid) else None
            key = row[0] if row else None
            self._remember(self._keys_by_uid, place, key)
        return None if key is None else self.get(kind, key)

    def _remember(self, known: dict[Place, Any], place: Place, value: Any) -> None:
        if value is None and len(place[1]) > LONGEST_REMEMBERED:
            return
        snapshot = self._snapshot
        with snapshot.lock:
            if self._transaction is None and self._begun != snapshot.revision:
                return  # somebody wrote meanwhile: what was read may be older than what the snapshot stands for
            # Strangers may ask for ever new names, and what is not there is remembered too: bounded, not for good.
            if len(known) >= SNAPSHOT_LIMIT:
                known.clear()
            known[place] = value

    def page(self, kind: Kind[Body], prefix: str = "", after: str = "", limit: int = 1_000_000) -> list[Body]:
        """Documents of a kind whose key begins with `prefix`, behind the key `after`, in key order."""
        rows: Any = self._reads.page(self.name, kind, prefix, after, limit)
        return [body for _, body in rows]

    def page_keys(
        self, kind: Kind[Body], prefix: str = "", after: str = "", limit: int = 1_000_000
    ) -> list[tuple[str, Body]]:
        """Like `page`, as (key, document) pairs, for paging."""
        rows: Any = self._reads.page(self.name, kind, prefix, after, limit)
        return list(rows)

    def count(self, kind: Kind[Any], prefix: str = "") -> int:
        """How many documents of a kind have a key that begins with `prefix`."""
        return self._reads.count(self.name, kind, prefix)

    def memo(self, key: Any, build: Callable[[], Value]) -> Value:
        """`build()`, remembered until the next write to this world; not where things change without (see `settled`)."""
        if self._snapshot.lag:
            return build()
        try:
            return self._memo[key]  # type: ignore[no-any-return]  # what build() of the same key returned
        except KeyError:
            value = build()
            if self._transaction is not None or self._begun == self._snapshot.revision:
                self._memo[key] = value
            return value

    def add(self, kind: Kind[Body], key: str, body: Body, *, uid: str = "") -> None:
        """Store a new document. Raises AlreadyExistsError."""
        document: Any = {**body, NEW: self.now() + self._snapshot.lag} if self._snapshot.lag else body
        with self._own_unit():
            self._writing().add(self.name, kind, key, document, uid)
            self._wrote(kind, key)

    def update(self, kind: Kind[Body], key: str, change: Callable[[Body], Body]) -> Body:
        """Replace a document by `change(document)`, with nothing in between. Raises NotFoundError."""
        made: Any = self._lagging(change) if self._snapshot.lag else change
        with self._own_unit():
            document: Any = self._writing().update(self.name, kind, key, made)
            self._wrote(kind, key)
        body: Body = document
        return body

    def put(self, kind: Kind[Body], key: str, body: Body, *, uid: str = "") -> None:
        """Store a document whether or not it exists."""
        with self._own_unit():
            try:
                self.update(kind, key, lambda _: body)
            except NotFoundError:
                self.add(kind, key, body, uid=uid)

    def take(self, kind: Kind[Body], key: str) -> Body | None:
        """Remove a document and return it; exactly one caller gets it, everybody else gets None."""
        with self._own_unit():
            document: Any = self._writing().take(self.name, kind, key)
            self._wrote(kind, key)
        body: Body | None = document
        return body

    # -- eventual consistency -----------------------------------------------------------------------------------

    def settled(self, stored: Body | None) -> Body | None:
        """A document as others know it by now: None while it is new, and as it was while a change is new.

        Only where the world's setting `eventual_consistency` says for how many seconds news travel, and only for those
        who ask: who decides about calls does, the control plane reads what it has written.
        """
        if not self._snapshot.lag or stored is None:
            return stored
        now, document = self.now(), cast("Any", stored)
        if document.get(NEW, 0) > now:
            return None
        return document[WAS] if document.get(UNTIL, 0) > now else document  # type: ignore[no-any-return]  # same shape

    def _lagging(self, change: Callable[[Any], Any]) -> Change:
        """A change that leaves in the document what it was, and until when it is known as that."""

        def changed(body: dict[str, Any]) -> dict[str, Any]:
            now = self.now()
            known = body[WAS] if body.get(UNTIL, 0) > now else {m: v for m, v in body.items() if m not in _LAG}
            fresh = {NEW: body[NEW]} if NEW in body else {}
            return {**change(body), **fresh, WAS: known, UNTIL: now + self._snapshot.lag}

        return changed

    def touch(self, kind: Any, key: str, value: Any) -> None:
        """Remember when something was last used: kept in memory only, and no write to the world."""
        self._snapshot.touched[kind, key] = value

    def touched(self, kind: Any, key: str) -> Any:
        """What `touch` remembered, or None."""
        return self._snapshot.touched.get((kind, key))

    # -- the unit of work ---------------------------------------------------------------------------------------

    def unit(self, *, lock: bool = False) -> AbstractContextManager[None]:
        """All writes inside are one transaction, rolled back on any exception; nests into the outermost.

        The write lock is taken at the first write, and then the world must still be as it was when the unit began;
        otherwise StaleError asks the caller to run the unit again with `lock=True`, which takes it at once.
        INVARIANT: never await inside a unit after its first write: whoever writes meanwhile waits for its end.
        """
        return _Locked(self) if lock else self

    def _own_unit(self) -> AbstractContextManager[None]:
        """For a write: part of the unit that has begun, or else a unit by itself."""
        return self if self._depth else _Locked(self)

    def __enter__(self) -> None:
        """Begin the unit, unless an outer one has begun. For `with world.unit()`."""
        if self._depth == 0 and self._begun != self._snapshot.revision:
            self._look()
        self._depth += 1

    def begin_locked(self) -> None:
        """Likewise, with the write lock. For _Locked."""
        if self._depth == 0:
            self._open_transaction()
        self._depth += 1

    def _open_transaction(self) -> None:
        transaction = self._store.begin(self.name)
        try:
            revision = transaction.revision(self.name)
            if revision is not None:
                _catch_up(self._store, transaction, self._snapshot, revision)
        except BaseException:
            transaction.rollback()
            raise
        self._enter(transaction)
        self._begun = revision

    def _enter(self, transaction: Transaction) -> None:
        """From here on read what the unit itself writes, and let nobody else see it."""
        self._transaction = self._reads = transaction
        self._written: set[Place] = set()
        self._row_changed = False
        self._attached: list[Callable[[], NewEvents]] = []
        self._keep = 0
        self._documents, self._keys_by_uid, self._memo = {}, {}, {}

    def _writing(self) -> Transaction:
        """The unit's transaction, begun at its first write.

        Raises:
            StaleError: the world is not any more as this unit has read it.
        """
        if self._transaction is not None:
            return self._transaction
        transaction = self._store.begin(self.name)
        try:
            if transaction.revision(self.name) != self._begun:
                raise StaleError(self.name)  # noqa: TRY301 - rolled back like any other error
        except BaseException:
            transaction.rollback()
            raise
        self._enter(transaction)
        return transaction

    def attach(self, event: Callable[[], NewEvents], keep: int) -> bool:
        """Have an event become true together with what the unit has written; False when it has written nothing."""
        if self._transaction is None:
            return False
        self._attached.append(event)
        self._keep = keep
        return True

    def _wrote(self, kind: str, key: str) -> None:
        self._documents.pop((kind, key), None)
        self._keys_by_uid.clear()
        self._memo.clear()
        self._written.add((kind, key))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        """Commit what was written, or roll it back when an exception comes through, when the outermost unit ends."""
        self._depth -= 1
        transaction = self._transaction
        if self._depth or transaction is None:
            return
        self._transaction = None
        try:
            if error is not None:
                transaction.rollback()
            else:
                self._commit(transaction)
        finally:
            self._look()

    def _commit(self, transaction: Transaction) -> None:
        try:
            if self._attached:
                transaction.append_events([event() for event in self._attached], self._keep)
            revision = transaction.revision(self.name)
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()
        if not self._row_changed:  # else the next look loads it all anew
            self._snapshot.follow(self._begun, revision, self._written)


def _is_text(name: str) -> bool:
    """Whether it can be looked up: what strangers write in JSON may hold half of a pair of surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _catch_up(store: Store, reads: Reads, snapshot: Snapshot, revision: int) -> bool:
    """Bring a snapshot to a revision; False when the world is gone."""
    if revision == snapshot.revision:
        return True
    places = store.changed(snapshot.name, snapshot.revision)
    if places is not None:
        snapshot.advance(places, revision)
        return True
    row = reads.world_row(snapshot.name)
    if row is not None:
        snapshot.load(row, revision)
    return row is not None


class _Locked:
    """A unit of a world that takes the write lock at once. One that does not is the world itself: each call has one."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __enter__(self) -> None:
        self._world.begin_locked()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        self._world.__exit__(kind, error, _)


class Worlds:
    """All worlds of one store: their snapshots, and a view of one for each request."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._snapshots: dict[str, Snapshot] = {}

    def get(self, name: str) -> World | None:
        """The world for one request, caught up with the store; None when there is none of that name."""
        self.store.look()
        return self.looked_at(name)

    def at_hand(self, name: str) -> World | None:
        """As of the store's last look, for a request in a hurry. Raises NotAtHandError for what that does not tell."""
        if not self.store.is_known(name) or name not in self._snapshots:
            raise NotAtHandError(name)
        world = self.looked_at(name)
        if world is not None:
            world.hurry()
        return world

    def looked_at(self, name: str) -> World | None:
        """Likewise, for who has looked since the request came (core.looks)."""
        store, snapshot = self.store, self._snapshots.get(name)
        if snapshot is None:
            if not WORLD_NAME.fullmatch(name) or store.revision(name) is None:
                return None
            snapshot = self._snapshots.setdefault(name, Snapshot(name))
        revision = store.revision(name)
        if revision is None or (revision != snapshot.revision and not _catch_up(store, store, snapshot, revision)):
            self._snapshots.pop(name, None)
            return None
        return World(store, snapshot)

    def create(self, name: str) -> World | None:
        """A new, empty world with keys of its own; None when the name is taken.

        Raises:
            ValueError: the name is not a DNS label, or there are too many worlds.
        """
        if not WORLD_NAME.fullmatch(name):
            message = f"world names are lower-case letters, digits and hyphens, 63 at most; got `{name[:80]}`"
            raise ValueError(message)
        if len(names := self.names()) >= MOST_WORLDS and name not in names:
            raise ValueError(f"there are {MOST_WORLDS:,} worlds already; delete some")
        row = {
            "generation": os.urandom(8).hex(),
            "key": base64.b64encode(os.urandom(32)).decode(),
            "offset": 0.0,
            "faults": [],
        }
        with _Writing(self.store, name) as transaction:
            is_new = transaction.add_world(name, row)
        return self.get(name) if is_new else None

    def delete(self, name: str) -> bool:
        """Delete a world; its credentials stop working because their key is gone."""
        self._snapshots.pop(name, None)
        with _Writing(self.store, name) as transaction:
            return transaction.drop_world(name)

    def names(self) -> list[str]:
        """All worlds, in order."""
        return self.store.worlds()


class _Writing:
    """A transaction as a context manager."""

    def __init__(self, store: Store, name: str) -> None:
        self._transaction = store.begin(name)

    def __enter__(self) -> Transaction:
        return self._transaction

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None:
            self._transaction.commit()
        else:
            self._transaction.rollback()
