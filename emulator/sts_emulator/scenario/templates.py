"""CloudFormation templates in YAML: read like a scenario, with the short forms of intrinsic functions as their tags."""

from __future__ import annotations

from typing import Any

from sts_emulator.scenario.load import Node, load

_BARE = frozenset({"Ref", "Condition"})


class YamlTemplate:
    """A template with its lines."""

    def __init__(self, data: bytes, file: str) -> None:
        """Raises ScenarioError for what is not well-formed."""
        self.file = file
        self._node = load(data, file, tags=_meaning)

    def plain(self) -> Any:
        """The whole template."""
        return self._node.plain()

    def line_at(self, path: list[str | int]) -> int:
        """The line of what `path` leads to, or of the nearest place on the way."""
        node, line = self._node, self._node.line
        for step in path:
            below = node.value
            if isinstance(below, dict) and isinstance(step, str) and step in below:
                node, line = below[step], node.key_lines.get(step, below[step].line)
            elif isinstance(below, list) and isinstance(step, int) and step < len(below):
                node, line = below[step], below[step].line
            elif step != 0:  # a single value stands for a list of one, everywhere in a policy
                break
        return line


def _meaning(tag: str, node: Node) -> Node | None:
    """`!Ref x` as {Ref: x}, `!Sub …` as {Fn::Sub: …}; YAML's own tags are not for templates."""
    if not tag.startswith("!") or tag.startswith("!!"):
        return None
    name = tag[1:]
    return Node({name if name in _BARE else f"Fn::{name}": node}, node.line)
