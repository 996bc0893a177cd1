"""CloudFormation templates as files: in YAML, read like a scenario, and what stands beside them in their folder.

In YAML the short forms of intrinsic functions are tags.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.stacks import Stack, Template, of_manifest
from sts_emulator.scenario.load import Node, load, read_bytes
from sts_emulator.scenario.problems import ScenarioError

_BARE = frozenset({"Ref", "Condition"})
_TEMPLATE = re.compile(rb"^(AWSTemplateFormatVersion|Resources)[ \t]*:", re.MULTILINE)


def is_yaml(data: bytes) -> bool:
    """Whether it is a template in YAML."""
    return data.lstrip()[:1] not in (b"{", b"[") and _TEMPLATE.search(data) is not None


def stack_of(file: str) -> Stack:
    """What the folder of a template tells of its stack: nested templates, and the manifest that the CDK writes."""
    folder = Path(file).parent
    stack = Stack()
    if file.endswith(".template.json"):
        try:
            manifest = json.loads(read_bytes(folder / "manifest.json"))
        except (ScenarioError, ValueError, RecursionError):
            manifest = None
        stack = of_manifest(manifest, Path(file).name, is_stage=folder.name.startswith("assembly-"))
    return replace(stack, beside=_beside(folder))


def _beside(folder: Path) -> Any:
    """Opens templates in a folder and below it; a template cannot lead to what is outside."""

    def opened(file: str, path: str) -> Template | None:
        place = Path(file).parent / path
        if Path(path).is_absolute() or not place.resolve().is_relative_to(folder.resolve()) or not place.is_file():
            return None
        try:
            data = read_bytes(place)
            return YamlTemplate(data, str(place)) if is_yaml(data) else JsonText(data, str(place))
        except ScenarioError as error:
            raise BadInput(error.problems[0].message, error.problems[0].where.line) from None

    return opened


class YamlTemplate:
    """A template with its lines."""

    def __init__(self, data: bytes, file: str) -> None:
        """Raises ScenarioError for what is not well-formed."""
        self.file = file
        self._node = load(data, file, tags=_meaning)

    def plain(self) -> object:
        return self._node.plain()

    def line_at(self, path: list[str | int]) -> int:
        """See Node."""
        return self._node.line_at(path)


def _meaning(tag: str, node: Node) -> Node | None:
    """`!Ref x` as {Ref: x}, `!Sub …` as {Fn::Sub: …}; YAML's own tags are not for templates."""
    if not tag.startswith("!") or tag.startswith("!!"):
        return None
    name = tag[1:]
    return Node({name if name in _BARE else f"Fn::{name}": node}, node.line)
