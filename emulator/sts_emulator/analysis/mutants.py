"""Weakened copies of a policy: each allows more than the original by one element, and says in words what was done."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from typing import Any, Final

from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import MalformedPolicy, as_list, load, texts
from sts_emulator.policy.deciding.matching import is_account
from sts_emulator.policy.deciding.operators import operator
from sts_emulator.policy.deciding.typed_values import read_network
from sts_emulator.policy.explaining.condition_edits import Change, dropped, renamed, revalued
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass

MOST: Final = 300
"""Mutants of one policy."""
_BITS: Final = 8
Statement = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One weakening: where, in words, and the whole policy with it."""

    path: str
    words: str
    text: str


def mutants(text: str) -> list[Mutant]:
    """The weakenings of a policy text, in its order; none for what cannot be read."""
    try:
        source = load(text)
        listed = as_list(source["Statement"])
    except (MalformedPolicy, KeyError, TypeError):
        return []
    weakenings = (
        Mutant(f"Statement[{index}]{below}", words, _with(source, index, changed))
        for index, statement in enumerate(listed)
        if isinstance(statement, dict)
        for below, words, changed in (_of_deny if statement.get("Effect") == "Deny" else _of_allow)(statement)
    )
    return list(islice(weakenings, MOST))


def _with(source: JsonObject, index: int, changed: Statement | None) -> str:
    listed = as_list(source["Statement"])
    kept = [statement if number != index else changed for number, statement in enumerate(listed)]
    edited = {**source, "Statement": [statement for statement in kept if statement is not None]}
    return json.dumps(edited, separators=(",", ":"), ensure_ascii=False)


Weakening = tuple[str, str, Statement | None]
"""Where below the statement, what was done, and the statement afterwards (None: without it)."""


def _of_allow(statement: Statement) -> Iterator[Weakening]:
    for name, block in statement.get("Condition", {}).items():
        for key, values in block.items():
            path = f".Condition.{name}.{key}"
            yield path, f"drop the condition {name} on {key}", _edited(statement, dropped(name, key))
            yield from _loosened(statement, path, name, key)
            for value in texts(values):
                yield from _widened_value(statement, path, (name, key), value)
    yield from _widened_principals(statement)
    yield from _widened_resources(statement)


def _of_deny(statement: Statement) -> Iterator[Weakening]:
    yield "", "remove the Deny", None
    for name, block in statement.get("Condition", {}).items():
        for key, values in block.items():
            path = f".Condition.{name}.{key}"
            if "IfExists" in name:
                plain = name.replace("IfExists", "")
                yield path, f"test {key} with {plain} instead of {name}", _edited(statement, renamed(name, key, plain))
            listed = texts(values)
            if len(set(listed)) > 1 and not operator(name).negated:
                for value in listed:
                    yield path, f"no longer deny {key} `{value}`", _edited(statement, _without(name, key, value))
    for element in ("Action", "Resource"):
        listed = texts(statement.get(element, []))
        for value in listed if len(listed) > 1 else ():
            kept = [other for other in listed if other != value]
            yield f".{element}", f"no longer deny {value}", {**statement, element: kept}


def _loosened(statement: Statement, path: str, name: str, key: str) -> Iterator[Weakening]:
    op = operator(name)
    if op.quantifier == "ForAnyValue":
        other = name.replace("ForAnyValue", "ForAllValues")
        yield path, f"test {key} with {other} instead of {name}", _edited(statement, renamed(name, key, other))
    elif not op.if_exists and not op.negated and op.family not in ("null", "unknown") and op.quantifier is None:
        other = f"{name}IfExists"
        yield path, f"test {key} with {other} instead of {name}", _edited(statement, renamed(name, key, other))


def _widened_value(statement: Statement, path: str, place: tuple[str, str], value: str) -> Iterator[Weakening]:
    name, key = place
    op = operator(name)
    if op.negated:
        if len(set(texts(statement["Condition"][name][key]))) > 1:
            yield path, f"no longer exclude {key} `{value}`", _edited(statement, _without(name, key, value))
        return
    if op.family == "ip":
        wider = _wider_network(value)
        if wider:
            yield path, f"widen {key} `{value}` to `{wider}`", _edited(statement, _swap(name, key, value, wider))
    if op.family not in ("string", "like", "arn"):
        return
    like = name.replace("StringEquals", "StringLike") if op.family == "string" else name
    for wider in wider_patterns(value) if op.family != "arn" else _wider_arns(value):
        if like == name or key not in statement["Condition"].get(like, {}):
            edited = _edited(statement, _swap(name, key, value, wider), renamed(name, key, like))
            yield path, f"widen {key} `{value}` to `{wider}`", edited


def wider_patterns(value: str) -> list[str]:
    """Patterns that admit a value's neighbours: the last part of it cut off, then the part before."""
    body = value.rstrip("*")
    if value.startswith("repo:"):
        owner, slash, rest = body.removeprefix("repo:").partition("/")
        repository, _, subject = rest.partition(":")
        patterns = [f"repo:{owner}/{repository}:*"] if subject else []
        patterns += [f"repo:{owner}/*"] if repository else []
        return [*patterns, f"repo:{owner}*"] if slash else []
    for separator in (":", "/"):
        head, found_one, _ = body.rstrip(":/").rpartition(separator)
        if found_one and head:
            return [f"{head}{separator}*"]
    return []


def _wider_arns(value: str) -> list[str]:
    arn = parse_arn(value)
    head, slash, last = arn.resource.rpartition("/") if arn else ("", "", "")
    return [str(arn._replace(resource=f"{head}/*"))] if arn and slash and last not in ("*", "") else []


def _wider_network(value: str) -> str:
    network = read_network(value)
    if network is None:
        return ""
    address, _, _ = value.partition("/")
    width = 32 if network[0] == 4 else 128  # noqa: PLR2004 - IPv4
    length = width - network[2]
    return f"{address}/{length - _BITS}" if length >= _BITS else ""


def _widened_principals(statement: Statement) -> Iterator[Weakening]:
    principal = statement.get("Principal")
    if not isinstance(principal, dict):
        return
    for text in texts(principal.get("AWS", [])):
        wider = _wider_principal(text)
        if wider:
            kept = [wider if other == text else other for other in texts(principal["AWS"])]
            told = f"name {'every AWS account' if wider == '*' else 'its whole account'} instead of {text}"
            yield ".Principal.AWS", told, {**statement, "Principal": {**principal, "AWS": kept}}


def _wider_principal(text: str) -> str:
    if text == "*":
        return ""
    if is_account(text):
        return "*"
    arn = parse_arn(text)
    return f"arn:{arn.partition}:iam::{arn.account}:root" if arn else ""


def _widened_resources(statement: Statement) -> Iterator[Weakening]:
    listed = texts(statement.get("Resource", []))
    for value in listed:
        if value != "*":
            kept = ["*" if element == value else element for element in listed]
            yield ".Resource", f"widen the resource {value} to *", {**statement, "Resource": kept}


def _edited(statement: Statement, *changes: Change) -> Statement:
    copy = deepcopy(statement)
    for change in changes:
        change(copy)
    conditions = {name: block for name, block in copy.get("Condition", {}).items() if block}
    copy.pop("Condition", None)
    return {**copy, "Condition": conditions} if conditions else copy


def _without(name: str, key: str, value: str) -> Change:
    return revalued(name, key, lambda values: [text for text in values if text != value])


def _swap(name: str, key: str, value: str, other: str) -> Change:
    return revalued(name, key, lambda values: [other if text == value else text for text in values])
