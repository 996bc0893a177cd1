"""The policies that a world holds on behalf of files: where each is written, and how it is read and replaced."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import key_of, role_by_arn, user_by_arn
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.saving.validate import restore_principals, rewrite_principals

if TYPE_CHECKING:
    from sts_emulator.scenario.model import Scenario

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
        text = rewrite_principals(shown, lambda arn: id_of(world, arn)) if self.kind == "trust" else shown
        self.put(world, text)

    def put(self, world: World, text: str) -> None:
        """Put a text back as `text` gave it."""
        *way, last = self.place[2]

        def change(body: JsonObject) -> JsonObject:
            copy = json.loads(json.dumps(body))
            inner = copy
            for step in way:
                inner = inner[step]
            inner[last] = text
            return dict(copy)

        world.update(self.place[0], self.place[1], change)


def held(world: World, scenario: Scenario) -> Iterator[Held]:
    """The policies that a scenario, and what it imports, declare: each section tells of its own."""
    for entry in scenario.entries:
        if entry.value:
            yield from entry.section.policies(world, scenario.file, entry.account, entry.value)


def trust(account: str, name: str, file: str, line: Callable[[str], int], world: World) -> Held:
    key = key_of(account, name)
    role = world.get(documents.ROLE, key)
    return Held("trust", f"role {name}", file, line, (documents.ROLE, key, ("trust",)), role["arn"] if role else "")


def inline(world: World, file: str, holder: tuple[Kind[Any], str, str], declared: Any) -> Iterator[Held]:
    """The inline policies of a role, user or group."""
    kind, account, name = holder
    key = key_of(account, name)
    for policy in declared.inline if declared is not None and world.get(kind, key) else ():
        line = fixed(declared.where.at("inline").line)
        yield Held("inline", f"{kind} {name}, policy {policy}", file, line, (kind, key, ("inline", policy)))


def managed(world: World, account: str, name: str, file: str, line: Callable[[str], int]) -> Iterator[Held]:
    key = key_of(account, name)
    stored = world.get(documents.POLICY, key)
    if stored is not None:
        way = ("versions", stored["default"], "text")
        yield Held("identity", f"policy {name}", file, line, (documents.POLICY, key, way))


def fixed(line: int) -> Callable[[str], int]:
    """One line, wherever in the policy."""
    return lambda _path: line


def _arn_of(world: World, identifier: str) -> str | None:
    if not identifier.startswith(("AROA", "AIDA")):
        return None
    principal = world.find(documents.ROLE, identifier) or world.find(documents.USER, identifier)
    return None if principal is None else str(principal["arn"])


def id_of(world: World, arn: str) -> str | None:
    """The unique id of a user or role; None where there is none of that ARN."""
    principal = role_by_arn(world, arn) or user_by_arn(world, arn)
    return None if principal is None else str(principal["id"])
