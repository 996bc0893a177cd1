"""Lints every policy of scenarios, imports and bare documents, and finds the line of each finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sts_emulator.core import clock
from sts_emulator.importers.inventory import DEFAULT_ACCOUNT, Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.places import steps
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.linting.findings import Finding, Known, LintKind
from sts_emulator.scenario.inventories import is_importable, read_inventory
from sts_emulator.scenario.load import Node, load, read_bytes
from sts_emulator.scenario.problems import ScenarioError

if TYPE_CHECKING:
    from sts_emulator.analysis.witnesses import Witness
    from sts_emulator.scenario.imports import Imported
    from sts_emulator.scenario.model import Scenario

SUFFIXES: Final = (".yaml", ".yml", ".json", ".template", ".tfstate")
_WHOLE: Final = b'"RoleDetailList"'
_OUTERMOST: Final = {"Statement", "planned_values", "Resources", "RoleDetailList"}
"""Members by which a file is meant to be read here, whatever is wrong with it."""

_PLACEHOLDER = re.compile(rb"\{\{[^{}\n]+\}\}")  # of Jinja, Helm and the like, and of our labs
_IGNORED = re.compile(r"#\s*sts-emulator:\s*ignore=([a-z0-9,-]+)")


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: which policy (`label`), where in it (`path`) and in which file and line."""

    file: str
    line: int
    rule: str
    severity: str
    label: str
    path: str
    message: str
    fix: str
    witness: Witness | None = None

    @property
    def shown(self) -> str:
        """Who shows it, in words; empty where it concerns nobody in particular."""
        return "" if self.witness is None or self.witness.who in self.message else self.witness.words

    def to_json(self) -> dict[str, Json]:
        """As JSON data."""
        told = {name: getattr(self, name) for name in self.__slots__ if name != "witness"}
        return {**told, "witness": None if self.witness is None else self.witness.to_json()}


class Linted(NamedTuple):
    """What came of a file: how many policies it holds, what is to be said about them, and what it does not tell."""

    policies: int = 0
    findings: tuple[Found, ...] = ()
    notes: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """One policy to lint; `lines` finds the line of a JSON path in it, `made_up` is as in Inventory.

    `role` is the name and path of the role that a trust policy is of, `ignored` are rules to pass over.
    """

    kind: LintKind
    label: str
    account: str
    text: str
    file: str
    line: int
    lines: Callable[[str], int] | None = None
    made_up: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    ignored: frozenset[str] = frozenset()

    @property
    def role_arn(self) -> str:
        """The role whom a witness asks for."""
        return f"arn:aws:iam::{self.account or DEFAULT_ACCOUNT}:role/{self.role or 'role'}"


def files(paths: Iterable[str]) -> list[Path]:
    """The files that a command names; of folders everything below them that may hold policies. Raises ScenarioError."""
    policy_files: list[Path] = []
    for given in paths:
        path = Path(given)
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
            policy_files += sorted(file for file in inside if not any(part.startswith(".") for part in file.parts))
        else:
            policy_files.append(path)
    return list(dict.fromkeys(policy_files))


def lint_file(
    path: Path,
    *,
    strict: bool = True,
    account: str = "",
    parameters: Mapping[str, str] | None = None,
    now: float | None = None,
    estate: Known | None = None,
) -> Linted:
    """Look at every policy of a file, as of `now` (seconds since 1970; None: of the real time).

    `estate` says who exists beside: see `whole_accounts`.
    Without `strict` a file that is neither a scenario nor anything to import holds none: a folder may hold others. Nor
    does a scenario that becomes one only when somebody fills its placeholders, nor what has policies deep inside.

    Raises:
        ScenarioError: it cannot be used.
    """
    data = read_bytes(path)
    if is_importable(data, path.name):
        try:
            inventory = read_inventory(data, str(path), account, parameters)
        except ScenarioError:
            if strict or _is_ours(data):
                raise
            holds = b'"Statement"' in data
            return Linted(notes=(f"{path}: its policies are inside something else, passed over",) if holds else ())
        subjects = list(_of_inventory(str(path), inventory))
        inventories = [(str(path), inventory)]
        known = _known(inventory)
    elif not strict and (not data or data.isspace() or (path.suffix != ".json" and not _is_scenario(data))):
        return Linted()
    else:
        from sts_emulator.scenario.model import of_tree

        try:
            root = load(data, str(path))
            scenario = of_tree(root, data, str(path), path.parent).filled()
        except ScenarioError:
            if strict or not _PLACEHOLDER.search(data):
                raise
            return Linted(notes=(f"{path}: a template whose placeholders are not filled, passed over",))
        subjects = list(_of_scenario(root, path))
        imported = scenario.imported
        for source in imported:
            subjects += _of_inventory(source.file, source.inventory)
        known = _declared(scenario, imported)
        inventories = [(source.file, source.inventory) for source in imported]
    notes = tuple(note.told(file) for file, source in inventories for note in source.notes)
    merged = tuple(file for _, source in inventories for file in source.merged)
    placed = _linted(subjects, known | (estate or Known()), data, clock.real() if now is None else now)
    return Linted(len(subjects), tuple(placed), notes, merged)


def whole_accounts(paths: Iterable[Path], account: str = "", parameters: Mapping[str, str] | None = None) -> Known:
    """Who exists in the accounts of which some files tell everybody: dumps that are linted together are one estate."""
    known = Known()
    for path in paths:
        with suppress(ScenarioError):  # which is told when it is linted
            data = read_bytes(path)
            if _WHOLE in data:
                known |= _known(read_inventory(data, str(path), account, parameters))
    return known


def _is_ours(data: bytes) -> bool:
    """Whether a file that cannot be used was to be: by its outermost members, or by any where it is no JSON."""
    try:
        outermost = json.loads(data)
    except (ValueError, RecursionError):
        return any(f'"{word}"'.encode() in data for word in _OUTERMOST)
    return isinstance(outermost, dict) and not _OUTERMOST.isdisjoint(outermost)


def _is_scenario(data: bytes) -> bool:
    return re.search(rb"^(accounts|expect|organization|import)[ \t]*:", data, re.MULTILINE) is not None


def _linted(subjects: list[Subject], known: Known, data: bytes, now: float) -> list[Found]:
    ignored = _ignored(data)
    told: dict[tuple[str, str, str], list[tuple[Finding, Witness | None]]] = {}  # many roles trust in the same words
    placed = []
    for subject in subjects:
        key = (subject.kind, subject.account, subject.text)
        if key not in told:
            told[key] = list(_shown(subject, known, now))
        for finding, witness in told[key]:
            if finding.rule in subject.ignored:
                continue
            line = subject.line if subject.lines is None else subject.lines(finding.path)
            if finding.rule in ignored.get(line, ()) or finding.rule in ignored.get(subject.line, ()):
                continue
            place = (subject.file, line, finding.rule, finding.severity, subject.label, finding.path)
            own = None if witness is None else witness.of_role(subject.role_arn)
            placed.append(Found(*place, finding.message, finding.fix, own))
    return placed


def _shown(subject: Subject, known: Known, now: float) -> Iterator[tuple[Finding, Witness | None]]:
    """The findings about a policy, each with who shows it."""
    from sts_emulator.analysis.witnesses import Witnesses, naming
    from sts_emulator.policy.linting.lint import lint

    account = subject.account
    findings = lint(subject.text, kind=subject.kind, role_account=account, known=known, now=now)
    if not findings:
        return
    time = {"aws:currenttime": (clock.iso(now),), "aws:epochtime": (str(int(now)),)}
    witnesses = Witnesses(subject.text, subject.kind, subject.role_arn, time)
    shown = {finding: witnesses.of(finding) for finding in findings}
    made_up = {text: name for text, name in subject.made_up.items() if text in subject.text}
    for finding, witness in shown.items():
        words = (finding.message, _text_at(subject.text, finding.path)) if made_up else ()
        if finding.severity == "error" and any(text in told for text in made_up for told in words):
            continue  # it would blame somebody for a made-up value
        message, fix = naming(finding.message, made_up), naming(finding.fix, made_up)
        told = replace(finding, message=message, fix=fix)
        yield told, None if witness is None else witness.naming(made_up)


def _text_at(text: str, path: str) -> str:
    """What a path of a policy leads to, as text; empty for the whole policy."""
    place: Any = json.loads(text) if path else ""
    for step in steps(path):
        with suppress(KeyError, IndexError, TypeError):  # a single value stands for a list of one
            place = place[step]
    return str(place)


def _ignored(data: bytes) -> dict[int, frozenset[str]]:
    """Rules that a comment tells to pass over, by the lines that it is about: its own and the next."""
    if b"sts-emulator:" not in data:
        return {}
    ignored: dict[int, frozenset[str]] = {}
    for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), start=1):
        match = _IGNORED.search(line)
        if match:
            for about in (number, number + 1):
                ignored[about] = ignored.get(about, frozenset()) | frozenset(match[1].split(","))
    return ignored


# -- imports ---------------------------------------------------------------------------------------------------------


def _of_inventory(file: str, inventory: Inventory) -> Iterator[Subject]:
    for thing in inventory.things:
        for kind, member, text in thing.documents():
            tail = f", policy {member.partition('.')[2]}" if member.startswith("inline.") else ""

            def lines(path: str, thing: Any = thing, member: str = member) -> int:
                return int(thing.line_of(member, path))

            place = (thing.file or file, thing.line, lines, inventory.made_up)
            role = f"{thing.body.get('path', '/')}{thing.name}".lstrip("/") if kind == "trust" else ""
            yield Subject(kind, f"{thing.called}{tail}", thing.account, text, *place, role, thing.ignored)


def _known(inventory: Inventory) -> Known:
    """Who exists as a file tells it; no dump tells of providers."""
    accounts = {thing.account for thing in inventory.things} if inventory.complete else ()
    return Known(frozenset(_principals(inventory)), frozenset(accounts))


def _principals(inventory: Inventory) -> set[str]:
    from sts_emulator.importers.inventory import arn

    kinds = {"roles": "role", "users": "user"}
    return {
        arn(thing.account, kinds[thing.section], thing.name, thing.body.get("path", "/"))
        for thing in inventory.things
        if thing.section in kinds
    }


# -- scenarios -------------------------------------------------------------------------------------------------------


def _declared(scenario: Any, imported: Sequence[Imported]) -> Known:
    """Who there is; an import that tells of a part of its account only leaves open who else."""
    known = Known()
    for source in imported:
        known |= _known(source.inventory)
    arns: set[str] = set()
    for entry in scenario.entries:
        kind = {"roles": "role", "users": "user"}.get(entry.section.key)
        for name, holder in (entry.value or {}).items() if kind else ():
            path = holder.path if holder is not None else "/"
            arns.add(f"arn:aws:iam::{entry.account}:{kind}{path}{name}")
    if any(not source.inventory.complete for source in imported):
        return Known(known.arns | arns)
    accounts = frozenset(scenario.accounts)
    own = (
        Known(frozenset(arns), accounts)
        if imported
        else Known(frozenset(arns | _providers(scenario)), accounts, accounts)
    )
    return known | own


def _providers(scenario: Scenario) -> set[str]:
    """The ARNs of the identity providers of a scenario."""
    return {
        arn
        for entry in scenario.entries
        if entry.value
        for arn in entry.section.providers(scenario, entry.account, entry.value)
    }


def _of_scenario(root: Node, path: Path) -> Iterator[Subject]:
    reading = _Reading(path)
    for account, body in _members(_below(root, "accounts")):
        for name, role in _members(_below(body, "roles")):
            yield from reading.subject("trust", f"role {name}", account, _below(role, "trust"))
        for section in ("roles", "users", "groups"):
            for name, holder in _members(_below(body, section)):
                for policy, node in _members(_below(holder, "inline")):
                    yield from reading.subject("inline", f"{section[:-1]} {name}, policy {policy}", account, node)
        for name, policy_node in _members(_below(body, "policies")):
            document = _below(policy_node, "document") or policy_node
            yield from reading.subject("identity", f"policy {name}", account, document)
    organization = _below(root, "organization")
    for kind, key in (("scp", "service_control_policies"), ("rcp", "resource_control_policies")):
        for name, node in _members(_below(organization, key)):
            yield from reading.subject(kind, f"{kind} {name}", "", node)


class _Reading:
    """Policies of one scenario file, in the forms that the vocabulary allows."""

    def __init__(self, path: Path) -> None:
        from sts_emulator.scenario.shape import Reader

        self._file = str(path)
        self._reader = Reader(str(path), path.parent)

    def subject(self, kind: Any, label: str, account: str, node: Node | None) -> Iterator[Subject]:
        """One policy, unless there is none."""
        if node is None or node.value is None:
            return
        from sts_emulator.scenario.policies import Policy

        text = self._reader.read(Policy, node)
        if text is None:
            return
        file, lines = self._file, self._lines(node, text)
        if isinstance(node.value, dict) and set(node.value) == {"file"}:
            file = str(Path(self._file).parent / str(node.value["file"].value))
        role = label.partition(" ")[2] if kind == "trust" else ""
        yield Subject(kind, label, account, text, file, node.line, lines, role=role)

    def _lines(self, node: Node, text: str) -> Any:
        value = node.value
        if isinstance(value, str) or (isinstance(value, dict) and set(value) == {"file"}):
            first = node.line if isinstance(value, str) else 0
            return lambda path: _line_in_text(text, path, first)
        if isinstance(value, list):  # a bare list of statements
            return lambda path: node.line_at(steps(path)[1:])
        return lambda path: node.line_at(steps(path))


def _line_in_text(text: str, path: str, first: int) -> int:
    """The line of a place in JSON text; `first` is the line on which a text of several lines is opened."""
    if first and "\n" not in text.strip():
        return first
    try:
        source = JsonText(text.encode(), "")
        return first + source.line(source.find(source.start, steps(path)))
    except (BadInput, UnicodeEncodeError):
        return first or 1


def _below(node: Node | None, key: str) -> Node | None:
    return node.value.get(key) if node is not None and isinstance(node.value, dict) else None


def _members(node: Node | None) -> list[tuple[str, Node]]:
    return list(node.value.items()) if node is not None and isinstance(node.value, dict) else []
