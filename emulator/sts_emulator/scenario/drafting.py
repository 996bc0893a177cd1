"""Applies a large scenario beside the loop: others are answered meanwhile, and see all of it or nothing."""

from __future__ import annotations

from collections.abc import Sized
from functools import partial
from typing import TYPE_CHECKING, Final

from sts_emulator.core.beside import beside
from sts_emulator.core.store import StaleError
from sts_emulator.core.world import World
from sts_emulator.scenario.seed import apply

if TYPE_CHECKING:
    from sts_emulator.core.draft import Changes, Draft
    from sts_emulator.scenario.model import Scenario
    from sts_emulator.vending.context import Server

_FEW: Final = 30
"""Users, roles and the like of a scenario that are applied at once: that takes ten milliseconds, and a draft two."""

TRIES: Final = 3
"""Drafts that others may spoil by writing to the world meanwhile, until they have to wait."""


async def apply_beside(server: Server, world: World, scenario: Scenario) -> None:
    """See `seed.apply`; what takes long is done to a draft of the world. Raises ScenarioError."""
    if server.beside is not None:
        await server.run(partial(apply, server, world, scenario))
        return
    if _size(scenario) > _FEW:
        from sts_emulator.core.draft import draft_of

        for _ in range(TRIES):
            draft = draft_of(server.worlds.store, world.name)
            if draft is None:
                break
            try:
                draft.merge(await beside(partial(_drafted, server, draft, scenario)))
            except StaleError:
                continue
            world.refresh()
            return
    apply(server, world, scenario)


def _size(scenario: Scenario) -> int:
    values = (entry.value for entry in scenario.entries)
    return sum(len(value) if isinstance(value, Sized) else 1 for value in values)


def _drafted(server: Server, draft: Draft, scenario: Scenario) -> Changes:
    apply(server, draft.world(), scenario)
    return draft.changes()
