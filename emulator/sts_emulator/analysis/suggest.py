"""Turns a witness into the expectation that would have noticed it, as lines of YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from sts_emulator.analysis.compare import Witness
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.engine import Request, needs_trust
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.scenario import evidence


def suggestion(witness: Witness, world: World) -> Iterator[str]:
    """The expectation; its first line is a comment where the caller is not one of the scenario's."""
    keys = {key.lower(): values for key, values in witness.chosen.items()}
    yield from expectation(world, witness.request, keys, "deny")


def expectation(
    world: World, request: Request, keys: Mapping[str, tuple[str, ...]], result: str, because: object = None
) -> Iterator[str]:
    """The expectation that makes a request with the keys that its caller brings. Raises LookupError: nobody such."""
    brought = dict(keys)
    asked = {"assume": request.resource} if needs_trust(request) else {"may": f"{request.action} on {request.resource}"}
    supposed = evidence.kind_for(request.principal).supposed(world, request.principal, brought)
    if supposed.told:
        yield f"# {supposed.told}"
    entry = {**asked, **supposed.members, **_rest(brought), "result": result}
    yield f"- {flow({**entry, 'because': because} if because else entry)}"


def _rest(brought: Mapping[str, tuple[str, ...]]) -> JsonObject:
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


def flow(value: object) -> str:
    """YAML's flow style: JSON, with plain keys."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    text = "~" if value is None else str(value)
    is_plain = text.replace("_", "a").isalnum() and not text.isdigit() and text.lower() != "null"
    return text if is_plain or value is None else json.dumps(value)


def _key(text: str) -> str:
    return text if text.replace("_", "a").isalnum() else json.dumps(text)
