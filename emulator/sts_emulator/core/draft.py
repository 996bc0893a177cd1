"""A world that is changed aside: in a store of its own while others go on, and then in the real one at once."""

from __future__ import annotations

from sts_emulator.core.sqlite import Row, SqliteStore
from sts_emulator.core.store import NotFoundError, StaleError, Store
from sts_emulator.core.world import World, Worlds
from sts_emulator.policy.light_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Changes:
    """What a draft has come to."""

    settings: str
    gone: list[Row]
    made: list[Row]


class Draft:
    """A copy of one world in memory, which another thread may change.

    Raises NotFoundError: there is no such world any more.
    """

    def __init__(self, store: SqliteStore, name: str) -> None:
        self._store, self._name = store, name
        self._since = store.revision(name)
        self._rows = store.documents(name)
        self._copy = SqliteStore()
        self._copy.load(name, store.settings(name), self._rows)

    def world(self) -> World:
        """The copy. Its time, keys and settings are the world's."""
        world = Worlds(self._copy).get(self._name)
        if world is None:
            raise NotFoundError(self._name)
        return world

    def changes(self) -> Changes:
        """What is different from the world as it was; the copy is of no further use."""
        before, after = set(self._rows), set(self._copy.documents(self._name))
        settings = self._copy.settings(self._name)
        self._copy.close()
        return Changes(settings, sorted(before - after), sorted(after - before))

    def merge(self, changes: Changes) -> None:
        """Bring the world itself to it. Raises StaleError when somebody has written to it meanwhile."""
        transaction = self._store.begin(self._name)
        try:
            if transaction.revision(self._name) != self._since:
                raise StaleError(self._name)  # noqa: TRY301 - rolled back like any other error
            transaction.replace(self._name, changes.settings, changes.gone, changes.made)
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()


def draft_of(store: Store, name: str) -> Draft | None:
    """A draft of a world; None where the store is far away, and work on it is done beside the loop anyway."""
    return Draft(store, name) if isinstance(store, SqliteStore) else None
