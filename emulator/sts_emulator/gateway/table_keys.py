"""What DynamoDB's tables call their partition keys: asked for at the upstream, as the map wants to know it."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from sts_emulator.gateway import large_bodies
from sts_emulator.gateway import map as actions
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import ResourcePolicies
from sts_emulator.policy.arns import parse_arn

_MOST: Final = 100  # tables of one call: the largest transaction has as many items


class TableKeys:
    """The names that are known of a call's tables, and the ARNs of those that were asked for in vain."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._missing: list[str] = []

    def __call__(self, arn: str) -> str:
        """The partition key of a table, or of an index; empty where nobody knows it yet."""
        if arn not in self._names and arn not in self._missing:
            self._missing.append(arn)
        return self._names.get(arn, "")

    async def find(self, passage: Passage, known: ResourcePolicies) -> bool:
        """Ask the upstream for what was missing; whether there was anything."""
        missing, self._missing = self._missing[:_MOST], []
        for arn in missing:
            self._names[arn] = await _partition_key(passage, known, arn)
        return bool(missing)


async def _partition_key(passage: Passage, known: ResourcePolicies, arn: str) -> str:
    named = parse_arn(arn)
    table, _, index = named.resource.removeprefix("table/").partition("/index/") if named is not None else ("", "", "")
    if named is None or not table or "*" in table:
        return ""
    described = await known.table(passage.account, named.region or passage.ctx.region, table)
    if not index:
        return _hash(described.get("KeySchema"))
    indexes = [
        *(described.get("GlobalSecondaryIndexes") or ()),
        *(described.get("LocalSecondaryIndexes") or ()),
    ]
    return next((_hash(entry.get("KeySchema")) for entry in indexes if entry.get("IndexName") == index), "")


def _hash(schema: Any) -> str:
    parts = schema if isinstance(schema, list) else ()
    return next((str(part.get("AttributeName", "")) for part in parts if part.get("KeyType") == "HASH"), "")


async def required(passage: Passage, known: ResourcePolicies, call: Call) -> tuple[Need, ...]:
    """What the map says that a call needs, once it knows what only the upstream does. Raises Unmapped."""
    body, keys = passage.request.body, TableKeys()
    ask = partial(actions.required, call, keys)
    needs = await large_bodies.worked(body, ask)
    return await large_bodies.worked(body, ask) if await keys.find(passage, known) else needs
