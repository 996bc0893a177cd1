"""Writes what was imported as a scenario file, in the vocabulary's order and in YAML that people can edit."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from sts_emulator.importers.inventory import Inventory, Thing
from sts_emulator.policy.json_types import Json, JsonObject

_ORDER = (
    *("policies", "groups", "users", "roles", "instance_profiles", "oidc_providers", "saml_providers"),
    *("trust_anchors", "roles_anywhere_profiles"),
)
_DOCUMENTS = ("trust", "document", "session_policy")


def scenario_lines(inventories: Sequence[tuple[str, Inventory]], expect: Sequence[JsonObject] = ()) -> Iterator[str]:
    """The YAML of a scenario that declares everything of some imports, and what it expects, piece by piece."""
    yield _yaml({"description": _description(inventories)}, 0)
    yield "accounts:\n"
    things = [thing for _, inventory in inventories for thing in inventory.things]
    for account in dict.fromkeys(thing.account for thing in things):
        yield f'  "{account}":\n'
        for section in _ORDER:
            mine = [thing for thing in things if (thing.account, thing.section) == (account, section)]
            named = {thing.name.lower() if section != "oidc_providers" else id(thing): thing for thing in mine}
            if named:  # of two with one name the later
                yield f"    {section}:\n"
                yield from (_yaml(_entry(thing), 6) for thing in named.values())
    if expect:
        yield _yaml({"expect": [dict(entry) for entry in expect]}, 0)


def scenario_data(inventories: Sequence[tuple[str, Inventory]]) -> JsonObject:
    """The same as data: a scenario may be written as JSON too."""
    accounts: dict[str, Any] = {}
    for _, inventory in inventories:
        for thing in inventory.things:
            sections = accounts.setdefault(thing.account, {})
            entry = _entry(thing)
            if isinstance(entry, list):
                sections.setdefault(thing.section, []).extend(entry)
            else:
                sections.setdefault(thing.section, {}).update(entry)
    return {"description": _description(inventories), "accounts": accounts}


def _description(inventories: Sequence[tuple[str, Inventory]]) -> str:
    return f"imported from {', '.join(f'{name} ({inventory.kind})' for name, inventory in inventories)}"[:200]


def _yaml(value: object, indent: int) -> str:
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110)
    if not text.replace("\n", "").isprintable():  # such as text that is turned round
        text = yaml.dump(value, Dumper=dumper, sort_keys=False, width=110)
    return textwrap.indent(text, " " * indent)


def _entry(thing: Thing) -> object:
    """A thing as its section takes it: in a list, under its name, or as one text."""
    if thing.section == "instance_profiles":
        return {thing.name: thing.body["role"]}
    body = {name: _readable(name, value) for name, value in thing.body.items()}
    return [body] if thing.section == "oidc_providers" else {thing.name: body or None}


def _readable(name: str, value: Any) -> object:
    """Policies as mappings rather than as JSON text, where that says the same."""
    if name == "inline":
        return {policy: _document(text) for policy, text in value.items()}
    return _document(value) if name in _DOCUMENTS else value


def _document(text: str) -> Any:
    from sts_emulator.importers.json_text import BadInput, JsonText

    try:
        document = JsonText(text.encode(), "").plain()
    except (BadInput, UnicodeEncodeError):
        return text
    return _as_texts(document) if isinstance(document, dict) else text


def _as_texts(value: object) -> Json:
    """Every leaf as a text, because a scenario's values are texts."""
    if isinstance(value, dict):
        return {key: _as_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_texts(item) for item in value]
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
