"""Turns nodes into dataclasses: every key must be known, every mistake is reported with its line.

Dataclasses read by this module stand in for pydantic, whose import alone takes 80 ms of a start of 250, and which
forgets the lines (docs/decisions/0003-scenarios-without-pydantic.md).
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, Field, field, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import MAX_BYTES, Node
from sts_emulator.scenario.problems import Problem, ScenarioError, Where

AnyShape = TypeVar("AnyShape", bound="Shape")

MOST_PROBLEMS = 1_000  # that are told of one file
MOST_HINTS = 200  # mistakes after which the key that was meant is not looked for any more

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A mapping of known keys: subclasses are dataclasses whose fields are the keys; `where` is its place."""

    where: Where = field(default_factory=Where, compare=False, repr=False)


class Mistake(ValueError):  # noqa: N818 - a mistake in a file, not a failure of the program
    """What `read_node` of a type of its own raises: the message says what is wrong with the value.

    Without a message: what is wrong has been told already.
    """


class Reader:
    """Reads nodes of one file; `folder` is where the files that it names are looked up, None when it may name none.

    `problems` are the mistakes so far, `files` the texts of the files that were named.
    """

    def __init__(self, file: str, folder: Path | None = None) -> None:
        self.file = file
        self.folder = folder
        self.problems: list[Problem] = []
        self.files: dict[str, str] = {}

    def read(self, kind: Any, node: Node) -> Any:
        """The node as a `kind`; a mistake is kept in `problems`, and None stands in for the value.

        A `kind` is str, int, bool, Any, `Mapping[str, T]`, `tuple[T, ...]`, `T | None`, a Shape, or a type with a
        classmethod `read_node(reader, node)`.
        """
        with self._keep(node):
            return self._read(kind, node)
        return None

    def file_text(self, node: Node) -> str:
        """The text of a file that the scenario names, beside the scenario's own. Raises Mistake."""
        name = text(node)
        if self.folder is None:
            raise Mistake(f"`{name}`: only a scenario that is itself a file may name files")
        try:
            with (self.folder / name).open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            if len(data) > MAX_BYTES:
                raise Mistake(f"`{name}` is larger than {MAX_BYTES >> 20} MiB")
            self.files[name] = data.decode()
            return self.files[name]
        except (OSError, ValueError) as error:
            reason = "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else "cannot be read"
            raise error if isinstance(error, Mistake) else Mistake(f"`{name}` {reason}") from None

    def text_or_file(self, node: Node) -> str | None:
        """A text as it is written, or of the file that `{file: name}` names; None for anything else. Raises Mistake."""
        if isinstance(node.value, dict) and set(node.value) == {"file"}:
            return self.file_text(node.value["file"])
        return node.value if isinstance(node.value, str) else None

    def finish(self) -> None:
        """Raise ScenarioError when there were mistakes."""
        if self.problems:
            raise ScenarioError(sorted(self.problems, key=lambda problem: problem.where.line)[:MOST_PROBLEMS])

    def blame(self, node: Node, message: str) -> None:
        self.problems.append(Problem(Where(self.file, node.line), message))

    def blame_key(self, node: Node, name: str, known: Mapping[str, object]) -> None:
        """Keep the mistake that a mapping has a key which is not in the vocabulary."""
        told = unknown_key(name, known) if len(self.problems) < MOST_HINTS else f"unknown key `{name[:60]}`"
        self.blame(Node(None, node.key_lines[name]), told)

    def where(self, node: Node) -> Where:
        return Where(self.file, node.line, node.key_lines)

    @contextmanager
    def _keep(self, node: Node) -> Iterator[None]:
        try:
            yield
        except Mistake as mistake:
            if str(mistake):
                self.blame(node, str(mistake))

    def _read(self, kind: Any, node: Node) -> object:
        if hasattr(kind, "read_node"):
            return kind.read_node(self, node)
        if isinstance(kind, type) and issubclass(kind, Shape):
            return self.shape(kind, node)
        origin, inner = typing.get_origin(kind), typing.get_args(kind)
        if origin in (types.UnionType, typing.Union):
            return self._read(inner[0], node)
        if origin is tuple:
            items = node.value if isinstance(node.value, list) else [] if node.value is None else [node]
            return tuple([self.read(inner[0], item) for item in items])
        if origin is not None:
            return self._table(inner[0], inner[1], node)
        return _SCALARS[kind](node)

    def _table(self, key_kind: object, kind: object, node: Node) -> dict[str, Json]:
        members: dict[str, Any] = {}
        for name, item in mapping(node).items():
            key = Node(name, node.key_lines[name])
            members[self.read(key_kind, key)] = self.read(kind, item)
        return members

    def shape(self, kind: type[AnyShape], node: Node) -> AnyShape:
        """The node as a shape, field by field; for types whose `read_node` accepts other forms too. Raises Mistake."""
        members = mapping(node)
        known = shape_fields(kind)  # type: ignore[arg-type]  # a class is hashable, whatever mypy makes of its variable
        unknown = [name for name in members if name not in known]
        for name in unknown:
            self.blame_key(node, name, known)
        needed = _required(kind)  # type: ignore[arg-type]  # likewise
        values = {
            known[name].name: self.read(known[name].type, member)
            for name, member in members.items()
            if name in known and (member.value is not None or name in needed)
        }
        missing = [name for name in needed if name not in members]
        if missing and unknown:
            raise Mistake("")  # most likely it is there, but misspelt
        if missing:
            raise Mistake(f"`{missing[0]}` is missing")
        return kind(**values, where=self.where(node))


@cache
def shape_fields(kind: type[Any]) -> dict[str, Field[Any]]:
    """The fields of a Shape's class by key, their types resolved; a key that Python reserves has a `_` behind it."""
    hints = typing.get_type_hints(kind)
    known = {}
    for declared in fields(kind):
        if declared.name != "where":
            declared.type = hints[declared.name]
            known[declared.name.rstrip("_")] = declared
    return known


@cache
def _required(kind: type[Any]) -> tuple[str, ...]:
    """The keys of a Shape's class that must be written."""
    known = shape_fields(kind)  # type: ignore[arg-type]  # likewise
    return tuple(name for name, described in known.items() if is_required(described))


def is_required(member: Field[Any]) -> bool:
    return member.default is MISSING and member.default_factory is MISSING


def unknown_key(name: str, known: Mapping[str, object]) -> str:
    """The message for a key that is not in the vocabulary, with the nearest one that is."""
    from sts_emulator.core.spelling import nearest

    near = nearest(name, known)
    hint = f"did you mean `{near}`?" if near else f"known here: {', '.join(known)}"
    return f"unknown key `{name[:60]}`; {hint}"


def mapping(node: Node) -> dict[str, Node]:
    """The members of a mapping; nothing written is an empty one. Raises Mistake."""
    if node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise Mistake(f"expected a mapping, got {node.kind}")
    return node.value


def text(node: Node) -> str:
    """A text. Raises Mistake."""
    if not isinstance(node.value, str):
        raise Mistake(f"expected a text, got {node.kind}")
    return node.value


def _number(node: Node) -> int:
    try:
        return int(text(node))
    except ValueError:
        raise Mistake(f"expected a whole number, got {node.kind}") from None


def _flag(node: Node) -> bool:
    try:
        return _WORDS[text(node).lower()]
    except KeyError:
        raise Mistake(f"expected true or false, got {node.kind}") from None


_SCALARS: dict[Any, Callable[[Node], Any]] = {
    str: text,
    int: _number,
    bool: _flag,
    Any: lambda node: node.plain(),
}
