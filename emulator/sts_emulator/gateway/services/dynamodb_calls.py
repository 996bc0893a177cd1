"""DynamoDB: tables and indexes, item by item in batches and transactions, leading keys, attributes, and PartiQL.

Source: docs/aws/s3-and-gateway.md, "Requests and errors".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import parameters as read
from sts_emulator.gateway import partiql
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.overlay import Overlay, Question, Rule
from sts_emulator.gateway.partiql_terms import Terms

_TRANSACTED: Final = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}
_SELECTING: Final = ("Query", "Scan", "GetItem", "BatchGetItem")
_PLAIN: Final = ("GetItem", "PutItem", "UpdateItem", "DeleteItem")

# Names in an expression: a word that is no value (`:v`), function or keyword; of a path the first step.
_STEP: Final = re.compile(r"(?<![\w:#.])(#?[A-Za-z_][\w-]*)(?![\w-])(?!\s*\()|(?<![\w:.])(#\w+)")
_LONGEST_EXPRESSION: Final = 4_096
"""Bytes of an expression that DynamoDB takes (Developer Guide, "Quotas")."""

_WORDS: Final = frozenset(("and", "or", "not", "between", "in", "set", "remove", "add", "delete"))
_EXPRESSIONS: Final = (
    *("ProjectionExpression", "UpdateExpression", "ConditionExpression", "FilterExpression"),
    "KeyConditionExpression",
)
# Whatever is no word before a name keeps the search from trying each of the name's letters.
_EQUAL: Final = re.compile(r"(?<![\w#-])(#?[A-Za-z_][\w-]*|#\w+)\s*=\s*(:[\w-]+)")
_REVERSED: Final = re.compile(r"(:[\w-]+)\s*=\s*(#?[A-Za-z_][\w-]*|#\w+)")


def _table(question: Question, table: str, index: str = "") -> str:
    """The ARN of a table, which calls may name by itself, or of an index of it."""
    arn = table if table.startswith("arn:") else question.arn("table", TableName=table or "*")
    return f"{arn}/index/{index}" if index else arn


def _item(question: Question) -> list[Need]:
    return [_need(question, question.call.operation, question.call.parameters)]


def _need(question: Question, action: str, item: Mapping[str, Any], *, inside: str = "") -> Need:
    """The need of one item's action, by the part of the request that is about it."""
    arn = _table(question, str(item.get("TableName", "")), str(item.get("IndexName", "")))
    need = question.need(action, arn, item)
    keys = {**need.keys, **_item_keys(question, arn, action, item)}
    if inside:
        keys["dynamodb:enclosingoperation"] = (inside,)
    return Need(need.action, arn, keys)


def _item_keys(question: Question, arn: str, action: str, item: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    for name in _EXPRESSIONS:
        if len(str(item.get(name) or "")) > _LONGEST_EXPRESSION:
            told = f"Invalid {name}: Expression size has exceeded the maximum allowed size"
            raise AwsError("ValidationException", told, status=400)
    keys = {
        "dynamodb:leadingkeys": _leading(item, question.partition_key(arn)),
        "dynamodb:attributes": tuple(dict.fromkeys(_attributes(item))),
    }
    if action in _SELECTING:
        keys["dynamodb:select"] = (_select(item),)
    return {key: values for key, values in keys.items() if values}


def _select(item: Mapping[str, Any]) -> str:
    """What is read: as the request says, or by DynamoDB's default."""
    if isinstance(item.get("Select"), str):
        return str(item["Select"])
    narrowed = item.get("ProjectionExpression") or item.get("AttributesToGet")
    return "SPECIFIC_ATTRIBUTES" if narrowed else "ALL_ATTRIBUTES"


def _leading(item: Mapping[str, Any], partition_key: str) -> tuple[str, ...]:
    """The values of the partition key. Where its name is not known, every value that could be it: the strict reading.

    A `ForAllValues` condition then asks all of them, and a statement that denies meets all of them.
    """
    candidates = {**_written(item), **_compared(item)}
    if partition_key:
        return candidates.get(partition_key, ())
    return tuple(dict.fromkeys(value for values in candidates.values() for value in values))


def _written(item: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Values by attribute of the keys and items that a request holds (all attributes of an item: one is the key)."""
    values: dict[str, tuple[str, ...]] = {}
    for structure in (*read.structures(item, "Key"), *read.structures(item, "Keys"), *read.structures(item, "Item")):
        for name, value in structure.items():
            values[name] = (*values.get(name, ()), *_scalar(value))
    return values


def _compared(item: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Values by attribute that a query's key condition asks to be equal."""
    names, given = _names(item), item.get("ExpressionAttributeValues") or {}
    text = str(item.get("KeyConditionExpression") or "")
    pairs = [*_EQUAL.findall(text), *((name, value) for value, name in _REVERSED.findall(text))]
    values = {names.get(name, name): _scalar(given.get(value)) for name, value in pairs}
    for name, condition in (item.get("KeyConditions") or {}).items():
        if isinstance(condition, Mapping) and condition.get("ComparisonOperator") == "EQ":
            values[name] = tuple(text for value in condition.get("AttributeValueList", ()) for text in _scalar(value))
    return values


def _scalar(value: Any) -> tuple[str, ...]:
    """The text of a string, number or binary attribute value."""
    if not isinstance(value, Mapping):
        return ()
    return tuple(str(value[kind]) for kind in ("S", "N", "B") if isinstance(value.get(kind), str))


def _names(item: Mapping[str, Any]) -> Mapping[str, str]:
    names = item.get("ExpressionAttributeNames")
    return names if isinstance(names, Mapping) else {}


def _attributes(item: Mapping[str, Any]) -> Iterator[str]:
    """The top-level attributes that a request names, wherever it names them."""
    yield from _written(item)
    yield from read.at(item, "AttributesToGet")
    for member in ("Expected", "AttributeUpdates", "KeyConditions", "QueryFilter", "ScanFilter"):
        if isinstance(item.get(member), Mapping):
            yield from item[member]
    names = _names(item)
    for expression in _EXPRESSIONS:
        for plain, placeholder in _STEP.findall(str(item.get(expression) or "")):
            step = plain or placeholder
            if step.lower() not in _WORDS:
                yield names.get(step, step)


def _batch_read(question: Question) -> Iterable[Need]:
    tables = question.call.parameters.get("RequestItems")
    for table, asked in tables.items() if isinstance(tables, Mapping) else ():
        yield _need(question, "BatchGetItem", {**(asked or {}), "TableName": table})


def _batch_written(question: Question) -> Iterable[Need]:
    tables = question.call.parameters.get("RequestItems")
    for table, writes in tables.items() if isinstance(tables, Mapping) else ():
        for write in writes or ():
            parts: list[Any] = [*(write or {}).values()] or [{}]
            for part in parts:  # one, or two: an upstream may do the one or the other
                yield _need(question, "BatchWriteItem", {**(part or {}), "TableName": table})


def _transacted(question: Question) -> Iterable[Need]:
    for item in read.structures(question.call.parameters, "TransactItems"):
        for kind, part in item.items():
            if kind in _TRANSACTED and isinstance(part, Mapping):
                yield _need(question, _TRANSACTED[kind], part, inside=question.call.operation)


def _some(rule: Rule, action: str) -> Rule:
    """A request of no item asks for the action on any table, so that nobody passes by naming nothing."""

    def needs(question: Question) -> list[Need]:
        return list(rule(question)) or [question.need(action, question.arn("table"))]

    return needs


def _stated(question: Question) -> Iterable[Need]:
    call = question.call
    several = [part for name in ("Statements", "TransactStatements") for part in read.structures(call.parameters, name)]
    enclosing = {"dynamodb:enclosingoperation": (call.operation,)} if call.operation != "ExecuteStatement" else {}
    for given in several or [call.parameters]:
        parameters = [next(iter(_scalar(value)), "") for value in given.get("Parameters") or ()]
        statement = partiql.read(str(given.get("Statement") or ""), parameters)
        arn = _table(question, statement.table, statement.index)
        keys = _keys_of_terms(statement.terms, question.partition_key(arn))
        for action in statement.actions:
            need, known = question.need(action, arn), question.known.actions[action].keys
            told = {key: values for key, values in keys.items() if values and key in known}
            yield Need(need.action, arn, {**need.keys, **told, **enclosing})


def _keys_of_terms(terms: Terms, partition_key: str) -> dict[str, tuple[str, ...]]:
    """Values of the partition key as `_leading` has them; what is not narrowed by that key reads the whole table."""
    leading = [value for name, value in terms.equal if partition_key in ("", name)]
    return {
        "dynamodb:leadingkeys": tuple(dict.fromkeys(leading)),
        "dynamodb:attributes": terms.attributes,
        "dynamodb:fulltablescan": ("false" if partition_key in terms.narrowed_by else "true",),
        "dynamodb:select": ("ALL_ATTRIBUTES" if terms.selects_all else "SPECIFIC_ATTRIBUTES",),
    }


def _copied_table(question: Question) -> Iterable[Need]:
    """A restored table is made from another, of which the request may tell the name or the ARN."""
    for source in read.at(question.call.parameters, "SourceTableArn|SourceTableName") or ("",):
        yield question.need(question.call.operation, _table(question, source))
    yield from _restored(question)


def _from_backup(question: Question) -> Iterable[Need]:
    yield question.need("RestoreTableFromBackup", question.first("BackupArn") or question.arn("backup"))
    yield from _restored(question)


def _restored(question: Question) -> Iterable[Need]:
    """The table that is made is filled, for which the caller needs what that takes, as the dataset says."""
    target = _table(question, question.first("TargetTableName"))
    yield question.need(question.call.operation, target)
    for action in ("PutItem", "UpdateItem", "DeleteItem", "GetItem", "Query", "Scan", "BatchWriteItem"):
        yield question.need(action, target)


def _changed(question: Question) -> Iterable[Need]:
    """A replica that goes its own way needs more (API Reference, "UpdateTable")."""
    yield from question.needs("UpdateTable")
    if any("Disassociate" in update for update in read.structures(question.call.parameters, "ReplicaUpdates")):
        yield from question.needs("DisassociateTableReplica")


_READ_CAPACITY: Final = "ProvisionedReadCapacityAutoScalingSettingsUpdate"
_SCALED: Final = {  # where global tables name the role that scales them
    "UpdateGlobalTableSettings": (
        "GlobalTableProvisionedWriteCapacityAutoScalingSettingsUpdate",
        "GlobalTableGlobalSecondaryIndexSettingsUpdate.ProvisionedWriteCapacityAutoScalingSettingsUpdate",
        "ReplicaSettingsUpdate.ReplicaProvisionedReadCapacityAutoScalingSettingsUpdate",
        f"ReplicaSettingsUpdate.ReplicaGlobalSecondaryIndexSettingsUpdate.{_READ_CAPACITY}",
    ),
    "UpdateTableReplicaAutoScaling": (
        "ProvisionedWriteCapacityAutoScalingUpdate",
        "GlobalSecondaryIndexUpdates.ProvisionedWriteCapacityAutoScalingUpdate",
        "ReplicaUpdates.ReplicaProvisionedReadCapacityAutoScalingUpdate",
        "ReplicaUpdates.ReplicaGlobalSecondaryIndexUpdates.ProvisionedReadCapacityAutoScalingUpdate",
    ),
}

OVERLAY = Overlay(
    members={
        "TableName": "TableName|TableArn|TableCreationParameters.TableName",
        "BackupName": "BackupArn",
        "ExportName": "ExportArn",
        "ImportName": "ImportArn",
    },
    on=dict.fromkeys(("CreateGlobalTable", "UpdateGlobalTable", "UpdateGlobalTableSettings"), ("global-table",)),
    keys={
        "dynamodb:returnvalues": "ReturnValues",
        "dynamodb:returnconsumedcapacity": "ReturnConsumedCapacity",
    },
    tags_with={"CreateTable": "TagResource"},
    passes={
        operation: ("|".join(f"{path}.AutoScalingRoleArn" for path in paths), "application-autoscaling.amazonaws.com")
        for operation, paths in _SCALED.items()
    },
    rules={
        **dict.fromkeys((*_PLAIN, "Query", "Scan"), _item),
        "BatchGetItem": _some(_batch_read, "BatchGetItem"),
        "BatchWriteItem": _some(_batch_written, "BatchWriteItem"),
        "TransactGetItems": _some(_transacted, "GetItem"),
        "TransactWriteItems": _some(_transacted, "PutItem"),
        **dict.fromkeys(("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"), _stated),
        "RestoreTableToPointInTime": _copied_table,
        "UpdateTable": _changed,
        "RestoreTableFromBackup": _from_backup,
    },
)
