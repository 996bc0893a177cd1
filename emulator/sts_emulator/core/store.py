"""Where documents live: one table of JSON documents keyed by (world, kind, key), and the interface of every backend.

An adapter is one file beside this one (`core/sqlite.py`). What each must do is written down in `tests/test_store.py`,
which a new adapter joins by adding itself there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

Document = dict[str, Any]
Shape = TypeVar("Shape", bound=Mapping[str, object])


class Kind(str, Generic[Shape]):
    """A kind of document, by its name in the table; typed by the shape that such documents have.

    INVARIANT: the shape is not covariant. mypy would take any mapping for it then, and let a writer misspell a member.
    """

    __slots__ = ()


Change = Callable[[Document], Document]
Place = tuple[Any, str]
"""A kind and a key."""


class AlreadyExistsError(Exception):
    """A document with that kind and key exists already."""


class NotFoundError(KeyError):
    """No document with that kind and key."""


class StaleError(Exception):
    """Somebody wrote to this world after this unit read from it; the request starts again under the lock."""


class NotAtHandError(Exception):
    """What is wanted must be fetched from a backend elsewhere; the request starts again where it may wait for that."""


class UnavailableError(Exception):
    """The backend cannot do it now: locked by another process, full, gone. Nothing was changed; it may be tried again.

    Its text is one line for people: what is wrong, in the backend's words.
    """


class UnusableError(Exception):
    """What was named as the state can never be used as it is. Its text names it, and says what to do."""


class NewEvents(NamedTuple):
    """Events to append in one row, in order; `body` is their records in a form that the store does not look into.

    `id` and `at` are those of the first, and `holds` is how many they are. All their ids begin as the first one does
    (`SHARED` characters), and stand in the body as they are.
    """

    world: str
    id: str
    at: float
    body: str | bytes
    holds: int = 1


SHARED: Final = 8
"""Characters with which the ids of one row begin: they are found by the first one's."""


class EventRow(NamedTuple):
    """See NewEvents; `position` grows with each row over all worlds and processes."""

    position: int
    world: str
    id: str
    at: float
    body: str | bytes
    holds: int


class Reads(Protocol):
    """What can be read: by a `Transaction` as it stands in there, by the `Store` as it was last committed.

    `uid` is a second, optional name of a document (a unique id or an ARN), indexed per world.
    """

    def revision(self, world: str) -> int | None:
        """A number that grows with each write to the world, as of the last `look`; None when there is no such world."""

    def get(self, world: str, kind: str, key: str) -> Document | None:
        """The document, or None."""

    def find(self, world: str, kind: str, uid: str) -> tuple[str, Document] | None:
        """Key and document of the one that bears `uid`, or None."""

    def page(self, world: str, kind: str, prefix: str, after: str, limit: int) -> list[tuple[str, Document]]:
        """Up to `limit` documents whose key begins with `prefix` and sorts behind `after`, in key order."""

    def count(self, world: str, kind: str, prefix: str) -> int:
        """How many documents have a key that begins with `prefix`."""

    def worlds(self) -> list[str]:
        """The names of all worlds."""

    def world_row(self, world: str) -> Document | None:
        """The world's own settings, or None."""


class Transaction(Reads, Protocol):
    """Exclusive among writers, all or nothing. It ends by `commit` or `rollback`, called once.

    Each write to a world that does not exist raises NotFoundError: it was deleted meanwhile, and nothing may be left
    behind in it.
    """

    def add(self, world: str, kind: str, key: str, body: Document, uid: str) -> None:
        """Store a new document. Raises AlreadyExistsError."""

    def update(self, world: str, kind: str, key: str, change: Change) -> Document:
        """Replace a document by `change(document)`. Raises NotFoundError."""

    def take(self, world: str, kind: str, key: str) -> Document | None:
        """Remove a document and return it; None when somebody else took it first."""

    def add_world(self, world: str, row: Document) -> bool:
        """Create a world; False when it exists."""

    def update_world(self, world: str, change: Change) -> Document:
        """Change a world's own settings. Raises NotFoundError."""

    def drop_world(self, world: str) -> bool:
        """Delete a world with all that it holds; False when there was none."""

    def append_events(self, events: list[NewEvents], keep: int) -> None:
        """Append events, which become true together with what is written; see Store."""

    def commit(self) -> None:
        """Make it all so. Raises UnavailableError, and then nothing is.

        A database that was lost in the middle cannot tell: then the error says that the outcome is unknown.
        """

    def rollback(self) -> None:
        """Make nothing of it so."""


class Store(Reads, Protocol):
    """What a backend gives. Everything but `close` may raise UnavailableError."""

    patience: float
    """Seconds that a writer waits for another process's lock: long at the start, short while others want answers."""

    remote: bool
    """Whether each question is a round trip: who has others to serve asks beside them."""

    def look(self) -> None:
        """Learn what other processes have committed. What embeds its data knows at once, and has nothing to learn."""

    def probe(self) -> None:
        """Write something that means nothing. Raises UnavailableError when it takes nothing."""

    def is_known(self, world: str) -> bool:
        """Whether the world's revision and settings can be told without asking."""

    def changed(self, world: str, since: int | None) -> set[Place] | None:
        """The places that were written since a revision; None for any, the world's own settings among them."""

    def begin(self, world: str) -> Transaction:
        """Begin to write to a world. A backend may let writers of different worlds in at the same time."""

    def append_events(self, events: list[NewEvents], keep: int) -> None:
        """Append events in one transaction, without waiting for a lock; about the newest `keep` of a world stay.

        Events of worlds that do not exist are left out, and rows that are there already.
        """

    def event_rows(self, world: str, identifier: str) -> list[EventRow]:
        """The rows in which the event of that id may stand: mostly one."""

    def events_after(self, world: str, position: int, limit: int) -> list[EventRow]:
        """The rows of a world behind a position, oldest first, until they hold `limit` events."""

    def events_before(self, world: str, position: int | None, limit: int) -> list[EventRow]:
        """The rows of a world before a position, or all, newest first, until they hold `limit` events."""

    def events_since(self, position: int, limit: int) -> list[EventRow]:
        """The rows of all worlds behind a position, oldest first, until they hold `limit` events."""

    def last_event(self) -> int:
        """The position of the newest row of all worlds; 0 when there is none."""

    def close(self) -> None:
        """Release the backend."""


Told = Callable[[UnavailableError | None], object]


class Elsewhere(Store, Protocol):
    """A store of which each question is a round trip (`remote`), and what the event loop asks it without waiting."""

    def look_soon(self, told: Told) -> None:
        """See `look`; `told` is called on the loop with None, or with why there was none."""

    def append_events_soon(self, events: list[NewEvents], keep: int, told: Told) -> None:
        """See `append_events`; likewise."""

    def at_hand(self) -> AbstractContextManager[None]:
        """Within, what needs a round trip raises NotAtHandError."""
