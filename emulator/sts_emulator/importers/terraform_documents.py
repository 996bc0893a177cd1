"""Policies that a plan does not know yet, put together from `aws_iam_policy_document` as far as it is known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.importers.inventory import compact
from sts_emulator.importers.parts import listed, mapping, mappings
from sts_emulator.importers.terraform_references import Configuration, Instances, Key
from sts_emulator.policy.json_types import Json, JsonObject

DATA = "data.aws_iam_policy_document."
MOST_STATEMENTS = 1_000


class _Unknown(Exception):  # noqa: N818 - never leaves this module
    """A gap that cannot be filled."""


class Documents:
    """Makes policies from data sources: `data` holds their values, `arns` those of all resources."""

    def __init__(self, data: Instances[Mapping[str, Any]], arns: Instances[str], known: Configuration) -> None:
        self._data = data
        self._arns = arns
        self._configuration = known
        self._asking: tuple[str, ...] = ()
        self._making: set[Key] = set()

    def made(self, block: Key, instance: tuple[str, ...], member: str) -> tuple[str | None, str]:
        """A member's policy for an instance of a block, and what to say: why there is none, or what was assumed."""
        references = list(self._configuration.targets(block[0], self._configuration.expression(block, member)))
        sources = [key for key in references if key[1].startswith(DATA)]
        if len(sources) != 1 or sources[0] not in self._data:
            needs = ", ".join(key[1] for key in references)
            return None, f": it needs {needs}" if needs else ""
        self._asking = instance
        values = self._data.of(sources[0], instance)
        if values is None:
            return None, f": which of the instances of {sources[0][1]} is meant is not known"
        known = values.get("json")
        if isinstance(known, str) and known:
            return known, ""
        try:
            return compact(self._document(sources[0], values)), f"put together from {sources[0][1]}"
        except _Unknown as gap:
            return None, f": {sources[0][1]} has {gap}"

    def _document(self, key: Key, values: JsonObject) -> Mapping[str, object]:
        statements = values.get("statement") or []
        if not isinstance(statements, list) or len(statements) > MOST_STATEMENTS:
            raise _Unknown("no statements yet")
        blocks = listed(self._configuration.expression(key, "statement"))
        made = [
            self._statement(key[0], statement, blocks[number] if len(blocks) == len(statements) else {})
            for number, statement in enumerate(statements)
            if isinstance(statement, Mapping)
        ]
        whole = _merged([*self._sources(key, values, "source"), *made], self._sources(key, values, "override"))
        if not whole:
            raise _Unknown("no statements yet")
        version = values.get("version")
        return {"Version": version if isinstance(version, str) else "2012-10-17", "Statement": whole}

    def _sources(self, key: Key, values: Mapping[str, Any], kind: str) -> list[Json]:
        """The statements of the documents that one builds on, in order."""
        member = f"{kind}_policy_documents"
        given = values.get(member) or []
        if not isinstance(given, list):
            raise _Unknown(f"{member} that are no list")
        listed = [*given, values[f"{kind}_json"]] if values.get(f"{kind}_json") else list(given)
        if not listed or None in listed:
            listed = self._referred(key, member, listed)
        sources: list[Any] = []
        for document in listed:
            try:
                source = json.loads(document) if isinstance(document, str) else document
            except (ValueError, RecursionError):
                raise _Unknown(f"{member} of which one is not JSON") from None
            statements = source.get("Statement") if isinstance(source, Mapping) else None
            sources += statements if isinstance(statements, list) else [statements] if statements else []
        return sources

    def _referred(self, key: Key, member: str, listed: Sequence[Json]) -> list[Any]:
        """Documents that are not known before apply, made from the data sources that are named in their place."""
        targets = list(self._configuration.targets(key[0], self._configuration.expression(key, member)))
        if not targets and not listed:
            return []
        documents = []
        for target in targets:
            values = self._data.of(target, self._asking)
            if values is None or target in self._making:
                raise _Unknown(f"{member} that are not known before apply: it needs {target[1]}")
            self._making.add(target)
            known = values.get("json")
            documents.append(known if isinstance(known, str) and known else self._document(target, values))
            self._making.discard(target)
        if len(documents) < len(listed):
            raise _Unknown(f"{member} that are not known before apply")
        return documents

    def _statement(self, module: tuple[str, ...], values: JsonObject, written: object) -> JsonObject:
        block = mapping(written)
        statement: dict[str, Any] = {"Sid": values["sid"]} if values.get("sid") else {}
        statement["Effect"] = values.get("effect") or "Allow"
        for member, element in (
            ("actions", "Action"),
            ("not_actions", "NotAction"),
            ("resources", "Resource"),
            ("not_resources", "NotResource"),
        ):
            if values.get(member):
                statement[element] = self._filled(module, values[member], block.get(member))
        for member, element in (("principals", "Principal"), ("not_principals", "NotPrincipal")):
            if values.get(member):
                statement[element] = self._principals(module, _nested(values, member), block.get(member))
        conditions = self._conditions(module, _nested(values, "condition"), block.get("condition"))
        return {**statement, "Condition": conditions} if conditions else statement

    def _principals(self, module: tuple[str, ...], listed: list[JsonObject], blocks: Any) -> Json:
        named: dict[str, list[str]] = {}
        for item in listed:
            kind = str(item.get("type"))
            written = _block(blocks, item, "type")
            named.setdefault(kind, []).extend(
                self._filled(module, item.get("identifiers") or [], written.get("identifiers"))
            )
        return "*" if named == {"*": ["*"]} else named

    def _conditions(self, module: tuple[str, ...], listed: list[JsonObject], blocks: Any) -> JsonObject:
        conditions: dict[str, dict[str, list[str]]] = {}
        for item in listed:
            written = _block(blocks, item, "test", "variable")
            test, variable = item.get("test"), item.get("variable")
            if not isinstance(test, str) or not isinstance(variable, str):
                raise _Unknown("a condition whose test or variable is not known")
            values = self._filled(module, item.get("values") or [], written.get("values"))
            conditions.setdefault(test, {}).setdefault(variable, []).extend(values)
        return conditions

    def _filled(self, module: tuple[str, ...], listed: object, expression: object) -> list[str]:
        """The values with their gaps filled by the ARNs that the expression refers to, in order."""
        values = list(listed) if isinstance(listed, list) else [listed]
        gaps = sum(value is None for value in values)
        if not gaps:
            return [str(value) for value in values]
        targets = list(self._configuration.targets(module, expression))
        arns = [arn for key in targets if (arn := self._arns.of(key, self._asking)) is not None]
        if len(arns) != gaps:
            needs = ", ".join(key[1] for key in targets) or "something"
            raise _Unknown(f"a value that is not known before apply: it needs {needs}")
        filling = iter(arns)
        return [next(filling) if value is None else str(value) for value in values]


def _merged(statements: list[Any], overriding: list[Any]) -> list[Any]:
    """Statements in order; one that overrides stands in the place of that with its Sid, as Terraform has it."""
    merged = list(statements)
    for other in overriding:
        sid = other.get("Sid") if isinstance(other, Mapping) else None
        places = [number for number, statement in enumerate(merged) if sid and mapping(statement).get("Sid") == sid]
        if places:
            merged[places[0]] = other
        else:
            merged.append(other)
    return merged


def _nested(values: JsonObject, member: str) -> list[JsonObject]:
    """The nested blocks of a statement: one that is left out could make it wider. Raises _Unknown."""
    blocks = values.get(member) or []
    if not isinstance(blocks, list) or len(mappings(blocks)) != len(blocks):
        raise _Unknown(f"a {member} of unknown form")
    return mappings(blocks)


def _block(blocks: Json, values: Mapping[str, object], *members: str) -> JsonObject:
    """The nested block that is written with these members; sets have another order in values than as written."""
    fitting = [
        block
        for block in mappings(blocks)
        if all(mapping(block, name).get("constant_value") == values.get(name) for name in members)
    ]
    return fitting[0] if len(fitting) == 1 else {}
