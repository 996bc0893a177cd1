"""Writes what was imported as a scenario file, in the vocabulary's order and in YAML that people can edit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from emulator.importers.inventory import Inventory, Thing

_ORDER = (
    *("policies", "groups", "users", "roles", "instance_profiles", "oidc_providers", "saml_providers"),
    *("trust_anchors", "roles_anywhere_profiles"),
)
_DOCUMENTS = ("trust", "document", "session_policy")


def scenario_text(inventories: Sequence[tuple[str, Inventory]]) -> str:
    """The YAML of a scenario that declares everything of some imports, each with its file's name."""
    import yaml

    accounts: dict[str, dict[str, Any]] = {}
    for _, inventory in inventories:
        for thing in inventory.things:
            _add(accounts.setdefault(thing.account, {}), thing)
    ordered = {
        account: {section: body[section] for section in _ORDER if section in body} for account, body in accounts.items()
    }
    sources = ", ".join(f"{name} ({inventory.kind})" for name, inventory in inventories)
    head = f"imported from {sources}"
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    body = {"description": head[:200], "accounts": ordered}
    return yaml.dump(body, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110)


def _add(account: dict[str, Any], thing: Thing) -> None:
    body = {name: _readable(name, value) for name, value in thing.body.items()}
    if thing.section == "oidc_providers":
        account.setdefault(thing.section, []).append(body)
        return
    if thing.section == "instance_profiles":
        account.setdefault(thing.section, {})[thing.name] = thing.body["role"]
        return
    account.setdefault(thing.section, {})[thing.name] = body


def _readable(name: str, value: Any) -> Any:
    """Policies as mappings rather than as JSON text, where that says the same."""
    if name == "inline":
        return {policy: _document(text) for policy, text in value.items()}
    return _document(value) if name in _DOCUMENTS else value


def _document(text: str) -> Any:
    from emulator.importers.json_text import BadInput, JsonText

    try:
        document = JsonText(text.encode(), "").plain()
    except (BadInput, UnicodeEncodeError):
        return text
    return _as_texts(document) if isinstance(document, dict) else text


def _as_texts(value: Any) -> Any:
    """Every leaf as a text, because a scenario's values are texts."""
    if isinstance(value, dict):
        return {key: _as_texts(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_texts(each) for each in value]
    return json.dumps(value) if isinstance(value, bool) or value is None else str(value)
