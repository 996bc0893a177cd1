"""How many seconds news travel in a scenario's world, once what it declares is there."""

from __future__ import annotations

from typing import Final

from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape, text

LONGEST: Final = 3600.0


@dataclass(frozen=True, kw_only=True)
class Consistency(Shape):
    """Seconds for which new principals, policies and keys are unknown to those who decide about calls."""

    seconds: float

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Consistency:
        try:
            seconds = float(text(node))
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds <= LONGEST:
            message = f"a number of seconds from 0 to {LONGEST:.0f} is expected"
            raise Mistake(message)
        return cls(seconds=seconds, where=reader.where(node))


def _connect(seed: Seed, consistency: Consistency) -> None:
    seconds = consistency.seconds
    seed.world.change_settings(lambda row: {**row, "eventual_consistency": seconds})


SECTION = Section("eventual_consistency", Consistency, connect=_connect, scope="world")
