"""Who decides in a scenario's world, when that is not the IAM engine."""

from __future__ import annotations

from sts_emulator.accounts import documents
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import Node
from sts_emulator.scenario.seed import Section, Seed
from sts_emulator.scenario.shape import Mistake, Reader, Shape, text
from sts_emulator.vending import deciders


@dataclass(frozen=True, kw_only=True)
class Decider(Shape):
    """The decider's name: that of an entry point, or `module:callable` with the module beside the scenario's file."""

    name: str
    folder: str = ""

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> Decider:
        """Read one, and see that it is there. Only a file may name Python code: what is posted comes from anybody."""
        name, folder = text(node), "" if reader.folder is None else str(reader.folder.resolve())
        if ":" in name and reader.folder is None:
            raise Mistake("only a scenario that is itself a file may name Python code")
        try:
            deciders.load(name, folder)
        except deciders.DeciderError as error:
            raise Mistake(str(error)) from None
        return cls(name=name, folder=folder, where=reader.where(node))


def _connect(seed: Seed, decider: Decider) -> None:
    body = documents.Decider(name=decider.name, folder=decider.folder)
    seed.world.put(documents.DECIDER, deciders.KEY, body)


SECTION = Section("decider", Decider, connect=_connect, scope="world")
