"""Reads YAML into nodes that know their lines: strings only, no key twice, no tags, nothing that can explode.

YAML's own types are refused on purpose: PyYAML's safe loader turns the account 012345670123 into the number 1402433619
and a policy's Version into a date. The tree is built from parser events without recursion, so that no nesting can
exhaust the stack, and aliases are counted at their expanded size, so that no "billion laughs" is ever built.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sts_emulator.policy.json_types import Json
from sts_emulator.scenario.problems import ScenarioError, Where

MAX_BYTES: Final = 16 << 20  # a 5,000-role export is 6 MB
MAX_READ: Final = 256 << 20  # the largest file of another tool that is imported
MAX_DEPTH: Final = 64  # a policy inside a scenario takes 12
MAX_VALUES: Final = 2_000_000  # with every alias expanded

Tags = Callable[[str, "Node"], "Node | None"]
"""From a tag and what it stands before to what both mean; None: the tag is not allowed."""

_EMPTY = frozenset(("", "~", "null"))
_MERGE = "<<"


class Node:
    """A value and the line it begins on: a text, None (nothing written), a list of nodes, or a mapping to nodes.

    `key_lines` are the lines of a mapping's keys; `size` and `depth` count what is below, aliases expanded.
    """

    __slots__ = ("depth", "key_lines", "line", "size", "value")

    def __init__(self, value: Any, line: int, key_lines: dict[str, int] | None = None) -> None:
        self.value: str | list[Node] | dict[str, Node] | None = value
        self.line = line
        self.key_lines = key_lines or {}
        below = self.below
        self.size: int = 1 + sum([node.size for node in below])
        self.depth: int = 1 + max([node.depth for node in below], default=0)

    @classmethod
    def of(cls, value: Json, line: int = 0) -> Node:
        """What `plain` gave, all of it on one line."""
        if isinstance(value, list):
            return cls([cls.of(item, line) for item in value], line)
        if isinstance(value, dict):
            return cls({key: cls.of(item, line) for key, item in value.items()}, line, dict.fromkeys(value, line))
        return cls(value, line)

    @property
    def below(self) -> Collection[Node]:
        """The nodes of a list or a mapping."""
        value = self.value
        return value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()

    @property
    def kind(self) -> str:
        """What was written, for messages."""
        if self.value is None:
            return "nothing"
        if isinstance(self.value, str):
            return f"`{self.value[:60]}`"
        return "a list" if isinstance(self.value, list) else "a mapping"

    def line_at(self, path: list[str | int]) -> int:
        """The line of what `path` leads to, or of the nearest place on the way."""
        node, line = self, self.line
        for step in path:
            below = node.value
            if isinstance(below, dict) and isinstance(step, str) and step in below:
                node, line = below[step], node.key_lines.get(step, below[step].line)
            elif isinstance(below, list) and isinstance(step, int) and step < len(below):
                node, line = below[step], below[step].line
            elif step != 0:  # a single value stands for a list of one, everywhere in a policy
                break
        return line

    def plain(self) -> object:
        """The value as texts, lists and dicts; nothing written is None."""
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        return self.value


def load(data: bytes, file: str, tags: Tags | None = None) -> Node:
    """The one document in `data`; `file` is how messages call it, `tags` gives the allowed tags their meaning.

    Raises:
        ScenarioError: anything that is not one well-formed, finite, tag-free YAML document of unique keys.
    """
    from sts_emulator.scenario.yaml_library import yaml

    if len(data) > MAX_BYTES:
        raise ScenarioError.at(Where(file), f"is larger than {MAX_BYTES >> 20} MiB")
    text = _decode(data, file)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Builder(file, tags).build(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = error.problem or error.context or "not YAML"
        raise ScenarioError.at(Where(file, mark.line + 1 if mark else 1), message) from None
    except yaml.YAMLError as error:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        raise ScenarioError.at(Where(file, line), "has a character that YAML does not allow") from None


def let_go(tree: list[Node]) -> None:
    """Free a tree that nobody else holds, node by node: at once, no other thread goes on for a tenth of a second."""
    waiting = deque(tree)
    tree.clear()
    while waiting:
        node = waiting.popleft()
        waiting.extend(node.below)


def read_bytes(path: Path) -> bytes:
    """The content of a file, of which a byte more than may be is read at most.

    Raises:
        ScenarioError: it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_READ + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a file name"
        raise ScenarioError.at(Where(str(path)), reason.lower()) from None


def _decode(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError.at(Where(file, data.count(b"\n", 0, error.start) + 1), "is not UTF-8 text") from None


class _Open:
    """A list or mapping that is being read."""

    __slots__ = ("anchor", "is_mapping", "items", "line", "tag")

    def __init__(self, line: int, anchor: str | None, tag: str | None, *, is_mapping: bool) -> None:
        self.line = line
        self.tag = tag
        self.anchor = anchor
        self.is_mapping = is_mapping
        self.items: list[tuple[Node, bool]] = []  # with whether it was written plain, that is unquoted


class _Builder:
    """From parser events to the tree."""

    def __init__(self, file: str, tags: Tags | None) -> None:
        self._file = file
        self._tags = tags
        self._anchors: dict[str, Node] = {}
        self._stack: list[_Open] = []
        self._root: Node | None = None

    def build(self, events: Iterable[object]) -> Node:
        for event in events:
            self._step(event)
        return self._root or Node(None, 1)

    def _step(self, event: Any) -> None:
        name = type(event).__name__
        line = event.start_mark.line + 1 if event.start_mark else 1
        if name == "ScalarEvent":
            self._scalar(event, line)
        elif name in ("MappingStartEvent", "SequenceStartEvent"):
            self._stack.append(_Open(line, event.anchor, event.tag, is_mapping=name == "MappingStartEvent"))
            if len(self._stack) > MAX_DEPTH:
                raise self._error(line, f"is nested deeper than {MAX_DEPTH} levels")
        elif name in ("MappingEndEvent", "SequenceEndEvent"):
            self._close(self._stack.pop())
        elif name == "AliasEvent":
            anchored = self._anchors.get(event.anchor)
            if anchored is None:
                raise self._error(line, f"`*{event.anchor}` refers to no anchor above it")
            self._add(anchored, line, plain=False)
        elif name == "DocumentStartEvent" and self._root is not None:
            raise self._error(line, "is a second document; a scenario file holds one")

    def _scalar(self, event: Any, line: int) -> None:
        plain = event.style is None or event.style == ""
        node = self._tagged(Node(None if plain and event.value in _EMPTY else event.value, line), event.tag)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._add(node, line, plain=plain)

    def _close(self, opened: _Open) -> None:
        bare = self._mapping(opened) if opened.is_mapping else Node([item for item, _ in opened.items], opened.line)
        node = self._tagged(bare, opened.tag)
        if node.size > MAX_VALUES:
            raise self._error(opened.line, f"holds more than {MAX_VALUES:,} values once its aliases are expanded")
        if node.depth > MAX_DEPTH:
            raise self._error(opened.line, f"is nested deeper than {MAX_DEPTH} levels")
        if opened.anchor:
            self._anchors[opened.anchor] = node
        self._add(node, opened.line, plain=False)

    def _mapping(self, opened: _Open) -> Node:
        members: dict[str, Node] = {}
        key_lines: dict[str, int] = {}
        merged: list[Node] = []
        for (key, plain), (value, _) in zip(opened.items[::2], opened.items[1::2], strict=True):
            if plain and key.value == _MERGE:
                merged.append(value)
                continue
            name = "" if key.value is None else key.value
            if not isinstance(name, str):
                raise self._error(key.line, "a key must be a text")
            if name in members:
                raise self._error(key.line, f"key `{name[:60]}` is already on line {key_lines[name]}")
            members[name], key_lines[name] = value, key.line
        for source in self._sources(merged):
            for name, value in source.items():
                if name not in members:
                    members[name], key_lines[name] = value, value.line
        return Node(members, opened.line, key_lines)

    def _sources(self, merged: list[Node]) -> Iterator[dict[str, Node]]:
        """The mappings that `<<` names, one or a list of them; earlier ones win."""
        for node in merged:
            for item in node.value if isinstance(node.value, list) else [node]:
                if not isinstance(item.value, dict):
                    raise self._error(node.line, "`<<` takes a mapping or a list of mappings")
                yield item.value

    def _add(self, node: Node, line: int, *, plain: bool) -> None:
        if self._stack:
            if node.line != line:  # an alias: its place is where it is used
                node = _moved(node, line)
            self._stack[-1].items.append((node, plain))
        else:
            self._root = node

    def _tagged(self, node: Node, tag: str | None) -> Node:
        if tag in (None, "!", "tag:yaml.org,2002:str"):
            return node
        meant = self._tags(str(tag), node) if self._tags else None
        if meant is None:
            shown = str(tag).replace("tag:yaml.org,2002:", "!!")
            raise self._error(node.line, f"tag `{shown[:60]}` is not allowed; values are texts, lists and mappings")
        return meant

    def _error(self, line: int, message: str) -> ScenarioError:
        return ScenarioError.at(Where(self._file, line), message)


def _moved(node: Node, line: int) -> Node:
    copy = Node.__new__(Node)
    copy.value, copy.line, copy.key_lines = node.value, line, node.key_lines
    copy.size, copy.depth = node.size, node.depth
    return copy
