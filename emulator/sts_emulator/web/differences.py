"""In what two explanations of a question differ: the nodes of the tree that flip, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sts_emulator.policy.explaining.report import SAYS
from sts_emulator.policy.layers import words
from sts_emulator.policy.light_dataclass import dataclass

Tree = Mapping[str, Any]
Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A node of the tree, what it was, and what it is; "" where it is not there."""

    place: Place
    before: str
    after: str

    @property
    def where(self) -> str:
        """Its place in words."""
        return " / ".join(self.place)


def differences(before: Tree, after: Tree) -> list[Difference]:
    """What flipped, in the order of the tree."""
    first, second = dict(_nodes(before)), dict(_nodes(after))
    return [
        Difference(place, first.get(place, ""), second.get(place, ""))
        for place in dict.fromkeys([*first, *second])
        if first.get(place) != second.get(place)
    ]


def _nodes(tree: Tree) -> Iterator[tuple[Place, str]]:
    action = tree["request"]["action"]
    for layer in tree["layers"]:
        level = f", level {layer['level']}" if layer["layer"] in ("scp", "rcp") else ""
        name = words(layer["layer"], action).all + level
        yield (name,), SAYS[layer["decision"]]
        for number, policy in enumerate(layer["policies"]):
            place: Place = (name, f"policy {number + 1}") if len(layer["policies"]) > 1 else (name,)
            for statement in policy["statements"]:
                yield from _statement((*place, f"Statement[{statement['index']}]"), statement)


def _statement(place: Place, statement: Tree) -> Iterator[tuple[Place, str]]:
    yield place, f"{statement['effect']} {'applies' if statement['applies'] else 'does not apply'}"
    for name in ("action", "principal", "resource"):
        if statement[name] is not None:
            yield (*place, statement[name]["element"]), _matches(statement[name]["match"])
    for condition in statement["conditions"]:
        yield (*place, f"{condition['operator']} {condition['key']}"), _matches(condition["result"])


def _matches(match: bool) -> str:  # what is told
    return "✓ matches" if match else "✗ does not match"
