"""How a file of the vocabulary is read; which sections a scenario may have is told by the catalogue."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts.documents import SeededScenario
from sts_emulator.catalogue import SECTIONS, Row
from sts_emulator.core import names
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.expect import Expectation
from sts_emulator.scenario.load import Node, let_go, load, read_bytes
from sts_emulator.scenario.problems import NOTHING, ScenarioError, Where
from sts_emulator.scenario.seed import AccessKey, Section
from sts_emulator.scenario.shape import Mistake, Reader, Shape, mapping, shape_fields, text

if TYPE_CHECKING:
    from sts_emulator.scenario.imports import Imported


def section_of(row: Row) -> Section:
    """The section of a row; its module is loaded now."""
    section: Section = getattr(import_module(row.module), row.name)
    return section


LATER = Row("identity_center", "world", "sts_emulator.scenario.later", "SECTION")
"""In place of the section of that key where it is put off."""

# What may be a file of another tool: JSON, an archive, UTF-16, a CloudFormation template. `imports` looks closer.
_FOREIGN = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:PK|\xff\xfe|\xfe\xff|\s*[{\[])|^(?:AWSTemplateFormatVersion|Resources)[ \t]*:",
    re.MULTILINE,
)

CACHED_TEXTS = 64  # a test suite seeds hundreds of worlds from a few texts
LONGEST_CACHED = 64 << 10


class RootKey(AccessKey):
    """The access key of an account's root, fixed so that a CI job knows it beforehand."""

    @classmethod
    def read_node(cls, reader: Reader, node: Node) -> RootKey:
        """Read `{access_key_id, secret_access_key}`."""
        members = mapping(node)
        for name in members:
            if name not in _ROOT_KEY:
                reader.blame_key(node, name, _ROOT_KEY)
        values = {_ROOT_KEY[name]: text(value) for name, value in members.items() if name in _ROOT_KEY}
        return cls(**values, where=reader.where(node))


_ROOT_KEY = {"access_key_id": "id", "secret_access_key": "secret"}


@dataclass(frozen=True, kw_only=True)
class Account(Shape):
    """What an account is called, beside what its sections hold."""

    name: str = ""
    alias: str = ""
    root: RootKey | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A section as one scenario fills it; `account` is empty for sections of the world."""

    section: Section
    account: str
    value: Any
    where: Where


@dataclass(frozen=True, kw_only=True)
class Head(Shape):
    """What a scenario says beside its sections: `try` holds commands to print at start, by access method."""

    description: str = ""
    try_: Mapping[str, str] = field(default_factory=dict)
    expect: tuple[Expectation, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as read: well-formed, but not yet tried against the rules of IAM.

    `digest` is that of its text and of the `files` that it names, which stand beside it. `written` are its expectations
    as data; None where it says nothing of any.
    """

    file: str
    digest: str
    files: tuple[str, ...]
    head: Head
    accounts: Mapping[str, Account]
    entries: tuple[Entry, ...]
    written: tuple[Any, ...] | None = None

    @property
    def expect(self) -> tuple[Expectation, ...]:
        """What the scenario expects of itself."""
        return self.head.expect

    @property
    def imported(self) -> tuple[Imported, ...]:
        """The files of other tools that it takes in."""
        return tuple(source for entry in self.entries if entry.section.key == "import" for source in entry.value or ())

    def filled(self) -> Scenario:
        """The scenario itself. Raises ScenarioError where it declares nothing at all."""
        if not self.accounts and not self.entries and self.head == Head():
            raise ScenarioError.at(Where(self.file), NOTHING)
        return self

    def record(self) -> SeededScenario:
        """What a world remembers of having been seeded with this."""
        return {
            "file": self.file,
            "digest": self.digest,
            "files": list(self.files),
            "description": self.head.description,
            "try": dict(self.head.try_),
        }


def parse(source: str | bytes, file: str = "scenario", folder: Path | None = None) -> Scenario:
    """Read a scenario; `file` is how messages call it, `folder` where files that it names are found.

    Raises:
        ScenarioError: every mistake in it, with its line.
    """
    data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source
    # Files that it names may have changed, so a scenario that may name any is never answered from the cache.
    if folder is None and len(data) <= LONGEST_CACHED:
        return _parse_cached(data, file)
    return _parse(data, file, folder)


@lru_cache(maxsize=1)  # the default scenario
def read_whole(data: bytes, file: str) -> Scenario:
    """Like `parse`, with the sections of the default scenario that are otherwise put off."""
    return _parse(data, file, put_off=())


def _parse(data: bytes, file: str, folder: Path | None = None, put_off: tuple[str, ...] | None = None) -> Scenario:
    tree = [load(data, file)]
    scenario = of_tree(tree[0], data, file, folder, put_off)
    if len(data) > LONGEST_CACHED:
        let_go(tree)
    return scenario


def of_tree(
    node: Node, data: bytes, file: str, folder: Path | None, put_off: tuple[str, ...] | None = None
) -> Scenario:
    """Like `parse`, of what `load` made of the data.

    Raises:
        ScenarioError: every mistake in it, with its line.
    """
    reader = Reader(file, folder)
    read = _read(reader, node, _put_off(data) if put_off is None else put_off)
    reader.finish()
    assert read is not None
    head, accounts, entries = read
    texts = [data, *(part.encode() for part in reader.files.values())]
    digest = hashlib.sha256(b"\0".join(texts)).hexdigest()
    return Scenario(file, digest, tuple(reader.files), head, accounts, entries, _written(node, reader.files))


def _written(node: Node, files: Mapping[str, str]) -> tuple[Any, ...] | None:
    """The expectations as they are written, with the texts of the files that they name."""
    members = node.value if isinstance(node.value, dict) else {}
    if "expect" not in members:
        return None
    listed = members["expect"].plain() or []
    return tuple(_with_texts(listed if isinstance(listed, list) else [listed], files))


def _with_texts(value: object, files: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_texts(item, files) for item in value]
    if isinstance(value, dict):
        named = value["file"] if set(value) == {"file"} else None
        if isinstance(named, str) and named in files:
            return files[named]
        return {key: _with_texts(item, files) for key, item in value.items()}
    return value


_parse_cached = lru_cache(maxsize=CACHED_TEXTS)(_parse)


def parse_file(path: Path, account: str = "", parameters: Mapping[str, str] | None = None) -> Scenario:
    """Read a scenario's file, or one of another tool that can be imported.

    `account` and `parameters` are for the latter, as under the key `import`.

    Raises:
        ScenarioError: it cannot be read, has mistakes, or holds nothing: whoever asks about it expects more.
    """
    return parse_data(read_bytes(path), str(path), path.parent, account, parameters).filled()


def parse_data(
    data: bytes, file: str, folder: Path | None, account: str = "", parameters: Mapping[str, str] | None = None
) -> Scenario:
    """Like `parse_file`, of content that is there already; `file` is how messages call it.

    Raises:
        ScenarioError: it has mistakes.
    """
    if _FOREIGN.search(data):
        from sts_emulator.scenario import inventories

        if inventories.is_importable(data, file):
            return _of_import(data, file, account, parameters or {})
    return _parse(data, file, folder)


def _of_import(data: bytes, file: str, account: str, parameters: Mapping[str, str]) -> Scenario:
    from sts_emulator.scenario import imports

    imported = (imports.imported(data, file, account, parameters),)
    entry = Entry(imports.SECTION, "", imported, Where(file, 1))
    texts = [f"{name}={value}".encode("utf-8", "surrogatepass") for name, value in sorted(parameters.items())]
    digest = hashlib.sha256(b"\0".join([data, *texts])).hexdigest()
    return Scenario(file, digest, (), Head(), {}, (entry,))


def _put_off(data: bytes) -> tuple[str, ...]:
    """The sections that wait until somebody looks: of the scenario that the emulator brings along, see `later`."""
    built_in = Path(__file__).with_name("default.yaml")
    return ("identity_center",) if built_in.stat().st_size == len(data) and built_in.read_bytes() == data else ()


def _read(
    reader: Reader, node: Node, put_off: tuple[str, ...]
) -> tuple[Head, dict[str, Account], tuple[Entry, ...]] | None:
    try:
        members = mapping(node)
    except Mistake as mistake:
        reader.blame(node, str(mistake))
        return None
    world = {row.key: row for row in SECTIONS if row.scope == "world"}
    known = {"accounts": None, **shape_fields(Head), **world}
    head, rest = _split(node, members, shape_fields(Head))
    _refuse_unknown(reader, node, rest, known)
    accounts, entries = _read_accounts(reader, rest.get("accounts", Node(None, node.line)))
    rows = {key: LATER if key in put_off else row for key, row in world.items()}
    entries |= {("", key): _entry(reader, row, "", rest[key]) for key, row in rows.items() if key in rest}
    in_order = [entry for row in SECTIONS for (_, key), entry in entries.items() if key == row.key]
    return reader.read(Head, head), accounts, tuple(in_order)


def _read_accounts(reader: Reader, node: Node) -> tuple[dict[str, Account], dict[tuple[str, str], Entry]]:
    accounts: dict[str, Account] = {}
    entries: dict[tuple[str, str], Entry] = {}
    rows = {row.key: row for row in SECTIONS if row.scope == "account"}
    for account, body in (reader.read(Mapping[str, _AsWritten], node) or {}).items():
        if not names.is_account_id(account):
            reader.blame(Node(None, node.key_lines[account]), f"account id `{account[:60]}` must be twelve digits")
        members = reader.read(_Members, body) or {}
        head, rest = _split(body, members, shape_fields(Account))
        _refuse_unknown(reader, body, rest, {**shape_fields(Account), **rows})
        accounts[account] = reader.read(Account, head)
        for key in rest:
            if key in rows:
                entries[account, key] = _entry(reader, rows[key], account, rest[key])
    return accounts, entries


def _split(node: Node, members: Mapping[str, Node], ours: Mapping[str, Any]) -> tuple[Node, dict[str, Node]]:
    """The part of a mapping that is a shape of its own, and the rest."""
    mine = {key: value for key, value in members.items() if key in ours}
    return Node(mine, node.line, node.key_lines), {key: value for key, value in members.items() if key not in ours}


def _refuse_unknown(reader: Reader, node: Node, members: Mapping[str, Node], known: Mapping[str, object]) -> None:
    for key in members:
        if key not in known:
            reader.blame_key(node, key, known)


def _entry(reader: Reader, row: Row, account: str, node: Node) -> Entry:
    section = section_of(row)
    return Entry(section, account, reader.read(section.shape, node), reader.where(node))


class _AsWritten:
    """Reads a node as itself."""

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> Node:
        return node


class _Members:
    """Reads a mapping's members as they are."""

    @classmethod
    def read_node(cls, _reader: Reader, node: Node) -> dict[str, Node]:
        return mapping(node)
