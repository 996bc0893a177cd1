"""What one process knows of the worlds in a database, and how it learns what the others wrote.

Each write leaves the place of its document in the table `changes`, under the id of its transaction. One look gives all
that was committed since the last one: what the last look's snapshot could not see. So nothing is missed, whatever the
order in which transactions commit, no row is counted up by all writers, and nobody waits for the slowest of them.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from sts_emulator.core.store import Place
from sts_emulator.policy.light_dataclass import dataclass

REMEMBERED = 256  # revisions of a world whose places are known; who is further behind reads all anew
MOST_WORLDS = 10_000
ROW = ("", "")  # the place of a world's own settings

_LABEL = re.compile(r"[a-z0-9-]+")  # other names have no worlds, and are never written into a statement

# `seen` is a snapshot as PostgreSQL writes it: digits, colons and commas.
LOOK = """
SELECT pg_current_snapshot()::text,
    pg_snapshot_xmin('{seen}') <= (SELECT trimmed FROM sts_emulator.state)
        OR pg_snapshot_xmax('{seen}') > pg_snapshot_xmax(pg_current_snapshot()),
    (SELECT json_agg(json_build_array(x::text::bigint, world, kind, key)) FROM sts_emulator.changes
        WHERE x >= pg_snapshot_xmin('{seen}') AND NOT pg_visible_in_snapshot(x, '{seen}'))::text,
    {wanted}
"""
WANTED = "(SELECT body FROM sts_emulator.worlds WHERE name = '{name}')"


@dataclass(slots=True)
class Known:
    """A world: its settings as they are stored, and the places that were written, by revision."""

    row: str
    first: int
    """The revision at which it became known."""
    revision: int
    places: deque[tuple[int, frozenset[Place]]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))


class Seen:
    """What a snapshot sees: transactions below `most` that were not still running."""

    def __init__(self, text: str) -> None:
        _, most, running = text.split(":")
        self.text = text
        self.most = int(most)
        self._running = frozenset(map(int, running.split(","))) if running else frozenset()

    def sees(self, transaction: int) -> bool:
        """Whether what a transaction did is visible in it."""
        return transaction < self.most and transaction not in self._running

    def includes(self, other: Seen) -> bool:
        """Whether all that the other sees is visible in it."""
        return self.most >= other.most and not any(map(other.sees, self._running))


class News:
    """See above. Revisions are numbers of this process: no other one sees them."""

    def __init__(self, seen: str) -> None:
        self._lock = threading.Lock()
        self._seen = Seen(seen)
        self._own: set[int] = set()  # transactions of this process that the last look may not have seen
        self._worlds: dict[str, Known] = {}
        self._numbers = itertools.count(1)

    def question(self, wanted: str = "") -> str:
        """The SQL of the next look; the settings of the world `wanted` are fetched with it."""
        is_new = wanted not in self._worlds and _LABEL.fullmatch(wanted)
        return LOOK.format(seen=self._seen.text, wanted=WANTED.format(name=wanted) if is_new else "NULL")

    def learn(self, answer: tuple[Any, ...], wanted: str = "") -> None:
        """Take up what a look has found. Of two looks at the same time the slower one brings nothing new.

        INVARIANT: settings are taken up only from a look that saw all that is known already: what the later looks do
        not tell again must not be undone by an earlier one.
        """
        text, is_too_late, changes, row = answer
        seen = Seen(text)
        with self._lock:
            if is_too_late or len(self._worlds) > MOST_WORLDS:
                self._worlds.clear()
            by_world: dict[str, set[Place]] = {}
            for transaction, world, kind, key in json.loads(changes) if changes else ():
                if transaction not in self._own and not self._seen.sees(transaction):
                    by_world.setdefault(world, set()).add((kind, key))
            for world, places in by_world.items():
                self._note(world, places)
            if not is_too_late and not seen.includes(self._seen):
                return
            self._seen = seen
            self._own = {transaction for transaction in self._own if not seen.sees(transaction)}
            if row is not None and not self._own and wanted not in self._worlds:
                number = next(self._numbers)
                self._worlds[wanted] = Known(row, number, number)

    def wrote(self, transaction: int, written: Mapping[str, set[Place]]) -> None:
        """Take up what a transaction of this process has committed."""
        with self._lock:
            if not self._seen.sees(transaction):  # else a look was quicker
                self._own.add(transaction)
                for world, places in written.items():
                    self._note(world, places)

    def _note(self, world: str, places: set[Place]) -> None:
        if ROW in places:
            self._worlds.pop(world, None)
        elif world in self._worlds:
            known = self._worlds[world]
            known.revision = next(self._numbers)
            known.places.append((known.revision, frozenset(places)))

    def known(self, world: str) -> Known | None:
        """What is known of a world, which need not be all that there is to know."""
        return self._worlds.get(world)

    def changed(self, world: str, since: int | None) -> set[Place] | None:
        """The places that were written since a revision; None when that is not known any more."""
        with self._lock:
            known = self._worlds.get(world)
            if known is None or since is None or not known.first <= since <= known.revision:
                return None
            if len(known.places) == REMEMBERED and since < known.places[0][0]:
                return None
            return set().union(*(places for revision, places in known.places if revision > since))
