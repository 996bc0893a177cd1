"""Owns sample values: what a condition key could be in a request so that a condition becomes true, or false."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.caller_keys import can_send
from sts_emulator.policy.deciding.typed_values import read_bool, read_date, read_number
from sts_emulator.policy.deciding.variables import value_of
from sts_emulator.policy.keys import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sts_emulator.policy.deciding.engine import Principal, Request
    from sts_emulator.policy.deciding.operators import Value
    from sts_emulator.policy.deciding.variables import Variable
    from sts_emulator.policy.explaining.traces import ConditionTrace
    from sts_emulator.policy.keys import KeyType

FILLER = "x"
SAMPLES: Mapping[KeyType, str] = {
    "string": "example",
    "arn": "arn:aws:iam::999999999999:role/example",
    "bool": "true",
    "date": "2026-01-01T00:00:00Z",
    "number": "1",
    "ip": "192.0.2.1",
}
"""Some value of a key, where any will do."""
OPTIONAL_KEYS = frozenset({"sts:externalid", "sts:sourceidentity", "aws:tagkeys", "sts:transitivetagkeys"})
OPTIONAL_PREFIXES = ("aws:requesttag/",)


def satisfying(trace: ConditionTrace, request: Request) -> tuple[str, ...] | None:
    """Values that would make a false condition true; empty: the key must be absent; None: this caller has no choice."""
    return _choosable(trace, request.principal, lambda: _satisfying(trace, request.context))


def falsifying(trace: ConditionTrace, request: Request) -> tuple[str, ...] | None:
    """Values that would make a true condition false, read likewise."""
    return _choosable(trace, request.principal, lambda: _falsifying(trace))


def _choosable(
    trace: ConditionTrace, caller: Principal, turning: Callable[[], tuple[str, ...] | None]
) -> tuple[str, ...] | None:
    """Leave out what the caller cannot do: have a key that it never has, or not send what is always sent."""
    name, family = trace.condition.name, trace.condition.operator.family
    if family == "unknown" or not can_send(name, caller):
        return None
    values = turning() if family != "null" else () if trace.requested else (_some(trace),)
    optional = name in OPTIONAL_KEYS or name.startswith(OPTIONAL_PREFIXES)
    return None if values == () and not optional else values


def _some(trace: ConditionTrace) -> str:
    return SAMPLES[TYPES.get(trace.condition.name, "string")]


def _satisfying(trace: ConditionTrace, context: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    op = trace.condition.operator
    if op.negated:
        return () if op.quantifier != "ForAnyValue" else (_some(trace),)
    sample = _sample(trace, context)
    if sample is None:
        return None
    return (*trace.requested, sample) if op.quantifier == "ForAnyValue" else (sample,)


def completing(trace: ConditionTrace, context: Mapping[str, tuple[str, ...]]) -> tuple[Variable, str] | None:
    """The one variable without a value in a policy value, and the text that would make it equal the request's."""
    for value in trace.condition.values:
        unknown = [variable for variable in value.template.variables if value_of(variable, context) is None]
        if len(unknown) != 1:
            continue
        start, end = value.raw.split(unknown[0].text, 1)
        for text in trace.requested:
            middle = text.removeprefix(start).removesuffix(end)
            if start + middle + end == text and middle:
                return unknown[0], middle
    return None


def _falsifying(trace: ConditionTrace) -> tuple[str, ...] | None:
    op = trace.condition.operator
    if op.negated:
        sample = _sample(trace, {})
        return None if sample is None else (sample,)
    if op.family == "bool":
        wanted = {read_bool(value.raw) for value in trace.condition.values}
        return None if len(wanted) > 1 else (str(True not in wanted).lower(),)
    absent_is_true = op.if_exists or op.quantifier == "ForAllValues"
    return (_some(trace),) if absent_is_true else ()


def _sample(trace: ConditionTrace, context: Mapping[str, tuple[str, ...]]) -> str | None:
    """A request value that equals (or orders as asked to) the first usable policy value."""
    for value in trace.condition.values:
        text = _filled(trace, value, context) if value.valid else None
        if text is not None:
            return _ordered(trace, text)
    return None


def _filled(trace: ConditionTrace, value: Value, context: Mapping[str, tuple[str, ...]]) -> str | None:
    """The policy value with its wildcards, where its operator has any, filled in."""
    pieces = value.template.pieces(context)
    if pieces is None:
        return None
    wildcards = trace.condition.operator.family in ("like", "arn")
    filled = ((text.replace("*", FILLER).replace("?", FILLER) if wild and wildcards else text) for text, wild in pieces)
    return "".join(filled)


def _ordered(trace: ConditionTrace, text: str) -> str:
    op = trace.condition.operator
    if op.family == "ip":
        return text.partition("/")[0]
    if op.family not in ("number", "date") or op.relation in ("equal", "less_equal", "greater_equal"):
        return text
    number = read_number(text) if op.family == "number" else read_date(text)
    step = -1 if op.relation == "less" else 1
    return str(int(number or 0) + step)
