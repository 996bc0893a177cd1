"""What an import found: things in the words of the scenario vocabulary, each with its place, and what was left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, Literal

from sts_emulator.importers.parts import mappings
from sts_emulator.policy.light_dataclass import dataclass

DEFAULT_ACCOUNT = "123456789012"
"""The account of what does not say in which it lives; AWS's documentation uses it for "your" account."""

PolicyKind = Literal["trust", "identity", "inline", "session"]
Locate = Callable[[str, str], int]
"""From a member of a thing (`trust`, `inline.NAME`, `document`) and a JSON path inside it to the line."""


@dataclass(slots=True)
class Thing:
    """One declared thing: `section` and `body` are the vocabulary's, policies in it are JSON texts.

    `label` is what its source calls it (a Terraform address, a logical id), `id` its unique id where that is known.
    `locate` finds lines inside its documents. `file` is set where it is not the inventory's own (a nested stack's).
    `ignored` are the rules of lint that its source tells to pass over.
    """

    section: str
    account: str
    name: str
    body: dict[str, Any]
    line: int = 1
    label: str = ""
    locate: Locate | None = None
    id: str = ""
    file: str = ""
    ignored: frozenset[str] = frozenset()

    @property
    def called(self) -> str:
        """How messages call it."""
        return self.label or f"{WORDS.get(self.section, self.section)} `{self.name}`"

    def documents(self) -> Iterator[tuple[PolicyKind, str, str]]:
        """Its policies: kind, the member that holds it, the text."""
        if self.section == "roles":
            yield "trust", "trust", self.body["trust"]
        if self.section == "policies":
            yield "identity", "document", self.body["document"]
        for name, text in self.body.get("inline", {}).items():
            yield "inline", f"inline.{name}", text

    def line_of(self, member: str, path: str = "") -> int:
        """The line of a place in one of its documents."""
        return self.line if self.locate is None else self.locate(member, path)


WORDS: Mapping[str, str] = {
    "users": "user",
    "groups": "group",
    "roles": "role",
    "policies": "policy",
    "instance_profiles": "instance profile",
    "oidc_providers": "OIDC provider",
    "saml_providers": "SAML provider",
    "trust_anchors": "trust anchor",
    "roles_anywhere_profiles": "profile",
}


@dataclass(slots=True)
class Note:
    """Something that was not taken over as it stands, and why."""

    line: int
    message: str
    file: str = ""

    def told(self, file: str) -> str:
        """For people; `file` is the inventory's own."""
        return f"{self.file or file}:{self.line}: {self.message}"


@dataclass(slots=True)
class Inventory:
    """Everything of one file.

    `kind` says what the file is, in words. `exists`: it describes what AWS holds already, so that nothing in it is
    refused; otherwise it is yet to be saved. `complete`: principals of its accounts that are not in it do not exist.
    `made_up`: values that the file does not tell, with what they stand for. `merged`: other files that it took in.
    """

    kind: str
    exists: bool = False
    complete: bool = False
    made_up: dict[str, str] = field(default_factory=dict)
    merged: list[str] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def add(self, thing: Thing) -> Thing:
        self.things.append(thing)
        return thing

    def note(self, line: int, message: str) -> None:
        """Say that something was not taken over."""
        self.notes.append(Note(line, message))

    def take_in(self, other: Inventory, file: str, label: str) -> None:
        """Add what another file declares; `label` goes before the labels of its things."""
        for thing in other.things:
            thing.file, thing.label = thing.file or file, f"{label}{thing.label}"
            self.things.append(thing)
        self.notes += [Note(note.line, note.message, note.file or file) for note in other.notes]
        self.made_up |= other.made_up
        self.merged += [name for name in (file, *other.merged) if name]

    def of(self, section: str) -> Iterator[Thing]:
        return (thing for thing in self.things if thing.section == section)


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
"""One for all: `json.dumps` makes another for each of an account's thousands of policies."""


def compact(document: object) -> str:
    """A policy document as IAM takes it."""
    return _ENCODER.encode(document)


def arn(account: str, kind: str, name: str, path: str = "/") -> str:
    """The ARN of a thing of IAM."""
    return f"arn:aws:iam::{account}:{kind}{path or '/'}{name}"


def provider_host(url: str) -> str:
    """A provider's URL as its ARN has it: without scheme and the slash at the end."""
    return url.partition("://")[2] or url


def oidc_provider(
    url: str, client_ids: list[str], thumbprints: list[str], listed: object
) -> tuple[str, dict[str, Any]]:
    """The name and the body of an OIDC provider, whose URL may lack its scheme; `listed` are its tags."""
    whole = url if "://" in url else f"https://{url}"
    return provider_host(url), kept(url=whole, client_ids=client_ids, thumbprints=thumbprints, tags=tags(listed))


def session_duration(given: object) -> str:
    """A role's longest session in seconds, empty where it is the hour that all have."""
    text = str(given or "")
    return "" if text == "3600" else text


def tags(listed: object) -> dict[str, str]:
    """Tags as AWS lists them (`Key` and `Value`) or as a mapping; anything else is none."""
    if isinstance(listed, Mapping):
        return {str(key): str(value) for key, value in listed.items() if value is not None}
    return {
        str(pair.get("Key", pair.get("key"))): str(pair.get("Value", pair.get("value", "")))
        for pair in mappings(listed)
        if pair.get("Key", pair.get("key"))
    }


def kept(**members: Any) -> dict[str, Any]:
    """A body without what is empty, and without a path that is the default one."""
    return {name: value for name, value in members.items() if value not in (None, "", {}, [], ()) and value != "/"}
