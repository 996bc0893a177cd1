"""The policies that a world holds on behalf of files: where each is written, and how it is read and replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import key_of, role_by_arn, user_by_arn
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.importers.inventory import Thing
from sts_emulator.policy.saving.validate import restore_principals, rewrite_principals
from sts_emulator.scenario import Scenario
from sts_emulator.scenario.imports import Imported

HeldKind = Literal["trust", "identity", "inline", "scp", "rcp"]


@dataclass(frozen=True, eq=False)
class Held:
    """One policy: `label` is what to call it, `line` finds a JSON path of it in `file`.

    `place` is the document of the world that holds it (kind, key) and the way to the text in it.
    """

    kind: HeldKind
    label: str
    file: str
    line: Callable[[str], int]
    place: tuple[Kind[Any], str, tuple[str, ...]]
    role_arn: str = ""

    def text(self, world: World) -> str | None:
        """The text that decisions are made with, or None when it is not there."""
        value: Any = world.get(self.place[0], self.place[1])
        for step in self.place[2]:
            value = value.get(step) if isinstance(value, Mapping) else None
        return value if isinstance(value, str) else None

    def shown(self, world: World) -> str | None:
        """The text as people write it: principals by their ARNs."""
        text = self.text(world)
        if text is None or self.kind != "trust":
            return text
        return restore_principals(text, lambda identifier: _arn_of(world, identifier))

    def replace(self, world: World, shown: str) -> None:
        """Put another text in its place, whatever IAM thinks of it."""
        text = rewrite_principals(shown, lambda arn: _id_of(world, arn)) if self.kind == "trust" else shown
        self.put(world, text)

    def put(self, world: World, text: str) -> None:
        """Put a text back as `text` gave it."""
        *way, last = self.place[2]

        def change(body: dict[str, Any]) -> dict[str, Any]:
            copy = json.loads(json.dumps(body))
            inner = copy
            for step in way:
                inner = inner[step]
            inner[last] = text
            return dict(copy)

        world.update(self.place[0], self.place[1], change)


_HOLDERS: Mapping[str, Kind[Any]] = {"roles": documents.ROLE, "users": documents.USER, "groups": documents.GROUP}


def held(world: World, scenario: Scenario) -> Iterator[Held]:
    """The policies that a scenario, and what it imports, declare."""
    for entry in scenario.entries:
        read = _SECTIONS.get(entry.section.key)
        if read is not None and entry.value:
            yield from read(world, scenario.file, entry.account, entry.value)


def _roles(world: World, file: str, account: str, declared: Any) -> Iterator[Held]:
    for name, role in declared.items():
        yield _trust(account, name, file, _fixed(role.where.at("trust").line), world)
        yield from _inline(world, file, (documents.ROLE, account, name), role)


def _users(world: World, file: str, account: str, declared: Any) -> Iterator[Held]:
    for name, user in declared.items():
        yield from _inline(world, file, (documents.USER, account, name), user)


def _groups(world: World, file: str, account: str, declared: Any) -> Iterator[Held]:
    for name, group in declared.items():
        yield from _inline(world, file, (documents.GROUP, account, name), group)


def _policies(world: World, file: str, account: str, declared: Any) -> Iterator[Held]:
    for name, policy in declared.items():
        yield from _managed(world, account, name, file, _fixed(policy.where.line))


def _imports(world: World, _file: str, _account: str, declared: tuple[Imported, ...]) -> Iterator[Held]:
    for source in declared:
        for thing in source.inventory.things:
            yield from _thing(world, thing.file or source.file, thing)


def _thing(world: World, file: str, thing: Thing) -> Iterator[Held]:
    if thing.section == "roles":
        yield _trust(thing.account, thing.name, file, partial(thing.line_of, "trust"), world)
    if thing.section in _HOLDERS:
        kind = _HOLDERS[thing.section]
        for name in thing.body.get("inline", ()):
            place = (kind, key_of(thing.account, thing.name), ("inline", name))
            label = f"{kind} {thing.name}, policy {name}"
            yield Held("inline", label, file, partial(thing.line_of, f"inline.{name}"), place)
    if thing.section == "policies":
        yield from _managed(world, thing.account, thing.name, file, partial(thing.line_of, "document"))


def _trust(account: str, name: str, file: str, line: Callable[[str], int], world: World) -> Held:
    key = key_of(account, name)
    role = world.get(documents.ROLE, key)
    return Held("trust", f"role {name}", file, line, (documents.ROLE, key, ("trust",)), role["arn"] if role else "")


def _inline(world: World, file: str, holder: tuple[Kind[Any], str, str], declared: Any) -> Iterator[Held]:
    kind, account, name = holder
    key = key_of(account, name)
    for policy in declared.inline if declared is not None and world.get(kind, key) else ():
        line = _fixed(declared.where.at("inline").line)
        yield Held("inline", f"{kind} {name}, policy {policy}", file, line, (kind, key, ("inline", policy)))


def _managed(world: World, account: str, name: str, file: str, line: Callable[[str], int]) -> Iterator[Held]:
    key = key_of(account, name)
    stored = world.get(documents.POLICY, key)
    if stored is not None:
        way = ("versions", stored["default"], "text")
        yield Held("identity", f"policy {name}", file, line, (documents.POLICY, key, way))


def _organization(world: World, file: str, _account: str, declared: Any) -> Iterator[Held]:
    stored = world.get(documents.ORGANIZATION, "organization")
    for identifier, policy in stored["policies"].items() if stored else ():
        kind: HeldKind = "scp" if policy["type"].startswith("SERVICE") else "rcp"
        key = "service_control_policies" if kind == "scp" else "resource_control_policies"
        listed = getattr(declared, key)
        if policy["name"] in listed:
            place = (documents.ORGANIZATION, "organization", ("policies", identifier, "text"))
            yield Held(kind, f"{kind} {policy['name']}", file, _fixed(declared.where.at(key).line), place)


_SECTIONS: Mapping[str, Callable[[World, str, str, Any], Iterator[Held]]] = {
    "import": _imports,
    "roles": _roles,
    "users": _users,
    "groups": _groups,
    "policies": _policies,
    "organization": _organization,
}


def _fixed(line: int) -> Callable[[str], int]:
    return lambda _path: line


def _arn_of(world: World, identifier: str) -> str | None:
    if not identifier.startswith(("AROA", "AIDA")):
        return None
    principal = world.find(documents.ROLE, identifier) or world.find(documents.USER, identifier)
    return None if principal is None else str(principal["arn"])


def _id_of(world: World, arn: str) -> str | None:
    principal = role_by_arn(world, arn) or user_by_arn(world, arn)
    return None if principal is None else str(principal["id"])
