"""Owns the `Condition` block: one compiled test per operator and key, with set operators, `IfExists` and missing keys.

Source: docs/aws/policy-evaluation.md, "Conditions". Contested there, and decided here: a plain negated operator on
several request values is true when none of them matches; `ForAnyValue:…IfExists` on an absent key is false.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sts_emulator.policy.deciding.operators import Operator, Value, operator, read_bool, value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Condition:
    """One key under one operator; `check(context)` is the whole test and `name` the lower-cased key."""

    operator: Operator
    key: str
    name: str
    values: tuple[Value, ...]
    check: Callable[[Mapping[str, tuple[str, ...]]], bool]

    def matches_any(self, text: str, context: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether one request value equals any policy value, before negation."""
        return any(value.matches(text, context) for value in self.values)


def compile_condition(text: str, key: str, texts: Sequence[str], *, version: str, deny: bool) -> Condition:
    """Compile one key of an operator block.

    An operator that does not exist can never be satisfied in an Allow and always is in a Deny: both fail closed.
    """
    op = operator(text)
    values = tuple(value(op, raw, version) for raw in texts)
    name = key.lower()
    return Condition(op, key, name, values, _check(op, name, values, deny=deny))


def _check(
    op: Operator, name: str, values: tuple[Value, ...], *, deny: bool
) -> Callable[[Mapping[str, tuple[str, ...]]], bool]:
    if op.family == "unknown":
        return lambda _: deny
    if op.family == "null":
        wanted = {read_bool(value.raw) for value in values}
        return lambda context: (not context.get(name)) in wanted
    match = _matcher(op, values)
    if op.quantifier:
        return _quantified(op, name, match)
    if op.family == "string" and not op.negated and all(value.static for value in values):
        return _plain_equality(op, name, values)
    return _plain(op, name, match)


def _matcher(op: Operator, values: tuple[Value, ...]) -> Callable[[str, Mapping[str, tuple[str, ...]]], bool]:
    """Whether one request value matches any policy value; the common cases without a loop."""
    if len(values) == 1:
        return values[0].matches
    if op.family == "string" and all(value.static for value in values):
        wanted = frozenset(value.resolved({}) for value in values)
        return lambda text, _: text in wanted
    matchers = tuple(value.matches for value in values)
    return lambda text, context: any(match(text, context) for match in matchers)


def _plain_equality(
    op: Operator, name: str, values: tuple[Value, ...]
) -> Callable[[Mapping[str, tuple[str, ...]]], bool]:
    wanted = frozenset(value.resolved({}) for value in values)
    when_absent = op.if_exists

    def check(context: Mapping[str, tuple[str, ...]]) -> bool:
        found = context.get(name)
        return (len(found) == 1 and found[0] in wanted) if found else when_absent

    return check


def _plain(
    op: Operator, name: str, match: Callable[[str, Mapping[str, tuple[str, ...]]], bool]
) -> Callable[[Mapping[str, tuple[str, ...]]], bool]:
    negated, when_absent = op.negated, op.negated or op.if_exists

    def check(context: Mapping[str, tuple[str, ...]]) -> bool:
        found = context.get(name)
        if not found:
            return when_absent
        if len(found) > 1:
            return negated and not any(match(text, context) for text in found)
        return match(found[0], context) is not negated

    return check


def _quantified(
    op: Operator, name: str, match: Callable[[str, Mapping[str, tuple[str, ...]]], bool]
) -> Callable[[Mapping[str, tuple[str, ...]]], bool]:
    negated = op.negated
    if op.quantifier == "ForAllValues":
        return lambda context: all(match(text, context) is not negated for text in context.get(name) or ())
    return lambda context: any(match(text, context) is not negated for text in context.get(name) or ())
