"""Owns the `Condition` block: one compiled test per operator and key, with set operators, `IfExists` and missing keys.

Source: docs/aws/policy-evaluation.md, "Conditions", and tests/policy/cases/live-cases.jsonl, recorded on AWS. A plain
operator never holds for a key that has several values, or could have (`aws:TagKeys`, even with one), negated or not.
Contested, and decided here: `ForAnyValue:…IfExists` on an absent key is false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.deciding.operators import READABLE, Operator, Value, operator, value
from sts_emulator.policy.deciding.typed_values import read_bool
from sts_emulator.policy.keys import MULTIVALUED
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Context = Mapping[str, tuple[str, ...]]
    Check = Callable[[Context], bool]
    Match = Callable[[str, Context], bool]


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator; `check(context)` is the whole test and `name` the lower-cased key."""

    operator: Operator
    key: str
    name: str
    values: tuple[Value, ...]
    check: Check


def compile_condition(text: str, key: str, texts: Sequence[str], *, version: str, deny: bool) -> Condition:
    """Compile one key of an operator block.

    An operator that does not exist can never be satisfied in an Allow and always is in a Deny: both fail closed.
    """
    op = operator(text)
    name = key.lower()
    values = tuple(value(op, raw, version, key=name) for raw in texts)
    return Condition(op, key, name, values, _check(op, name, values, deny=deny))


def _check(op: Operator, name: str, values: tuple[Value, ...], *, deny: bool) -> Check:
    if op.family == "unknown":
        return lambda _: deny
    if op.family == "null":
        wanted = {read_bool(value.raw) for value in values}
        return lambda context: (not context.get(name)) in wanted
    if op.quantifier:
        check = _quantified(op, name, _holds(op, values))
    elif name in MULTIVALUED:
        check = _absent(op, name)
    elif op.family == "string" and not op.negated and all(value.static for value in values):
        return _plain_equality(op, name, values)
    else:
        check = _plain(op, name, _holds(op, values))
    if op.family == "arn" and not all(value.static and value.valid for value in values):
        return _failing_closed(check, name, values, deny=deny)
    return check


def _holds(op: Operator, values: tuple[Value, ...]) -> Match:
    """Whether one request value satisfies the operator, its negation included.

    An address or ARN that cannot be read satisfies neither the operator nor its negation (recorded live); a number or
    a date that cannot be read satisfies the negation.
    """
    match = _matcher(op, values)
    if not op.negated:
        return match
    readable = READABLE.get(op.family)
    if readable is None:
        return lambda text, context: not match(text, context)
    return lambda text, context: readable(text) and not match(text, context)


def _matcher(op: Operator, values: tuple[Value, ...]) -> Match:
    """Whether one request value matches any policy value; the common cases without a loop."""
    if len(values) == 1:
        return values[0].matches
    if op.family == "string" and all(value.static for value in values):
        wanted = frozenset(value.resolved({}) for value in values)
        return lambda text, _: text in wanted
    matchers = tuple(value.matches for value in values)
    return lambda text, context: any(match(text, context) for match in matchers)


def _plain_equality(op: Operator, name: str, values: tuple[Value, ...]) -> Check:
    wanted = frozenset(value.resolved({}) for value in values)
    when_absent = op.if_exists

    def check(context: Context) -> bool:
        texts = context.get(name)
        return (len(texts) == 1 and texts[0] in wanted) if texts else when_absent

    return check


def _plain(op: Operator, name: str, holds: Match) -> Check:
    when_absent = op.negated or op.if_exists

    def check(context: Context) -> bool:
        texts = context.get(name)
        if not texts:
            return when_absent
        return len(texts) == 1 and holds(texts[0], context)

    return check


def _absent(op: Operator, name: str) -> Check:
    """A multivalued key without a set operator: nothing is ever compared, so only its absence can satisfy."""
    when_absent = op.negated or op.if_exists
    return lambda context: when_absent and not context.get(name)


def _quantified(op: Operator, name: str, holds: Match) -> Check:
    if op.quantifier == "ForAllValues":
        return lambda context: all(holds(text, context) for text in context.get(name) or ())
    return lambda context: any(holds(text, context) for text in context.get(name) or ())


def _failing_closed(check: Check, name: str, values: tuple[Value, ...], *, deny: bool) -> Check:
    """A pattern that is no ARN, among others or brought in by a variable, refuses under Allow and Deny alike."""

    def checked(context: Context) -> bool:
        if context.get(name) and any(value.is_broken_arn(context) for value in values):
            return deny
        return check(context)

    return checked
