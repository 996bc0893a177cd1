"""Turns a witness into the expectation that would have noticed it, as lines of YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sts_emulator.analysis.compare import Witness
from sts_emulator.core.world import World
from sts_emulator.scenario import evidence


def suggestion(witness: Witness, world: World) -> Iterator[str]:
    """The expectation; its first line is a comment where the caller is not one of the scenario's."""
    entry: dict[str, Any] = {"assume": witness.request.resource}
    principal = witness.request.principal
    keys = {key.lower(): values for key, values in witness.chosen.items()}
    supposed = evidence.kind_for(principal).supposed(world, principal, keys)
    if supposed.told:
        yield f"# {supposed.told}"
    entry |= {**supposed.members, **_rest(keys), "result": "deny"}
    yield f"- {_flow(entry)}"


def _rest(brought: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What is left, in the words of expectations where there are any."""
    entry: dict[str, Any] = {}
    words = {"sts:externalid": "external_id", "aws:sourceip": "source_ip", "sts:sourceidentity": "source_identity"}
    for key, values in brought.items():
        if key in words:
            entry[words[key]] = values[0]
        elif key == "sts:rolesessionname":
            entry["session_name"] = values[0]
        elif key.startswith("aws:requesttag/"):
            entry.setdefault("tags", {})[key.partition("/")[2]] = values[0]
        else:
            entry.setdefault("keys", {})[key] = list(values)
    return entry


def _flow(value: Any) -> str:
    """YAML's flow style: JSON, with plain keys."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_flow(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value) if str(value).replace("_", "a").isalnum() and not str(value).isdigit() else json.dumps(value)


def _key(text: str) -> str:
    return text if text.replace("_", "a").isalnum() else json.dumps(text)
