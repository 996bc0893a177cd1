"""What the default scenario says of Identity Center: planted when somebody first looks, because it takes 60 ms.

Nobody can tell: whatever could show it, the services and pages named here, plants it first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sts_emulator.core.world import PENDING, World
from sts_emulator.scenario import model
from sts_emulator.scenario.seed import Section, Seed

if TYPE_CHECKING:
    from sts_emulator.vending.context import Server


def plant(server: Server, world: World) -> None:
    """Bring the world to what was put off, unless another process has done so meanwhile."""
    from sts_emulator.scenario.watch import BUILT_IN

    whole = model.read_whole(BUILT_IN.read_bytes(), BUILT_IN.name)
    with world.unit(lock=True):
        if world.settings.get(PENDING):
            seed = Seed(server, world, whole)
            seed.set_organization_aside()
            for entry in whole.entries:
                if entry.section.key == SECTION.key:
                    entry.section.connect(seed, entry.value)
            seed.put_organization_back()
            world.change_settings(lambda row: {name: value for name, value in row.items() if name != PENDING})
    world.refresh()


def _put_off(seed: Seed, _: object) -> None:
    seed.world.change_settings(lambda row: {**row, PENDING: True})


SECTION = Section("identity_center", Any, connect=_put_off, scope="world")
