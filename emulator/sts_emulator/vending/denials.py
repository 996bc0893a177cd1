"""What a denial leaves behind for whoever asks why: the authorization id, and AWS's encoded message."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sts_emulator.accounts import resources
from sts_emulator.core.world import World
from sts_emulator.policy.saving.validate import restore_principals
from sts_emulator.vending import credentials

if TYPE_CHECKING:
    from sts_emulator.policy.deciding.document import Document
    from sts_emulator.vending.context import Consulted

PURPOSE = "authorization-message"
_EFFECTS = {"Deny": "DENY", "Allow": "ALLOW"}
_MAX_MESSAGE = 1 << 20


def authorization_id(request_id: str) -> str:
    """The id that iam-toolbox knows a denied request by: its request id, without the hyphens."""
    return request_id.replace("-", "")


def request_id(authorization_id: str) -> str:
    """The request id behind an authorization id."""
    digits = authorization_id
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def policy_uri(layer: str, level: int, index: int) -> str:
    """The name under which iam-toolbox hands out a policy; `level` counts from the organization's root."""
    return f"{layer}[{level}][{index}]" if layer in ("scp", "rcp") else f"{layer}[{index}]"


def names(world: World, consulted: Consulted) -> dict[str, str]:
    """The ARNs behind the unique ids that the stored trust policy of a question holds."""
    trust = consulted.policies.trust
    return {} if trust is None else resources.names_in(world, trust)


def policies(consulted: Consulted, names: Mapping[str, str]) -> list[dict[str, str]]:
    """The documents that took part, as they were and as IAM shows them: `layer`, `uri` and `text` of each."""
    asked = consulted.policies
    levels: dict[str, Sequence[Sequence[Document]]] = {
        "scp": asked.scps,
        "rcp": asked.rcps,
        "trust": [[asked.trust] if asked.trust else []],
        "identity": [asked.identity],
        "boundary": [[asked.boundary] if asked.boundary else []],
        "session": [asked.session or ()],
    }
    return [
        {
            "layer": layer,
            "uri": policy_uri(layer, level, index),
            "text": restore_principals(document.text, names.get) if layer == "trust" else document.text,
        }
        for layer, documents_by_level in levels.items()
        for level, documents in enumerate(documents_by_level)
        for index, document in enumerate(documents)
    ]


def encode(world: World, consulted: Consulted) -> str:
    """The opaque message that DecodeAuthorizationMessage opens again, in this world only."""
    text = json.dumps(_message(world, consulted), separators=(",", ":"))
    return credentials.seal(world, PURPOSE, zlib.compress(text.encode()))


def decode(world: World, message: str) -> str | None:
    """The JSON text that `encode` sealed; None for anything else."""
    sealed = credentials.unseal(world, PURPOSE, message)
    return None if sealed is None else zlib.decompressobj().decompress(sealed, _MAX_MESSAGE).decode()


def _message(world: World, consulted: Consulted) -> dict[str, Any]:
    """The shape that AWS documents for a decoded message (docs/aws/sts.md, "DecodeAuthorizationMessage")."""
    from sts_emulator.policy.explaining.explain import explain

    request = consulted.request
    tree = explain(request, consulted.policies, names(world, consulted)).to_json()
    matched = [
        _statement(statement)
        for layer in tree["layers"]
        for policy in layer["policies"]
        for statement in policy["statements"]
        if statement["applies"]
    ]
    principal = {"id": request.principal.id, "arn": request.principal.value}
    if request.principal.type == "user":
        principal["name"] = request.principal.value.rsplit("/", 1)[-1]
    return {
        "allowed": consulted.decision.verdict == "allow",
        "explicitDeny": consulted.decision.verdict == "explicit_deny",
        "matchedStatements": {"items": matched},
        "failures": {"items": []},
        "context": {
            "principal": principal,
            "action": request.action,
            "resource": request.resource,
            "conditions": _items({"key": key, "values": _values(values)} for key, values in request.context.items()),
        },
    }


def _statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "statementId": statement["sid"] or "",
        "effect": _EFFECTS[statement["effect"]],
        "principals": _values([statement["principal"]["by"]] if statement["principal"] else []),
        "principalGroups": {"items": []},
        "actions": _values([statement["action"]["by"]]),
        "resources": _values([statement["resource"]["by"]] if statement["resource"] else []),
        "conditions": _items(
            {"key": condition["key"], "values": _values(value["raw"] for value in condition["policy_values"])}
            for condition in statement["conditions"]
        ),
    }


def _values(values: Any) -> dict[str, Any]:
    return _items({"value": value} for value in values)


def _items(items: Any) -> dict[str, Any]:
    return {"items": list(items)}
