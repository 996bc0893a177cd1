"""Owns the lint rules about time: what began or ended once, seen from now."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sts_emulator.policy.deciding.typed_values import read_date, read_number
from sts_emulator.policy.linting.examples import ROLE, admits, refuses
from sts_emulator.policy.linting.findings import EVERY_KIND, Hit, Rule, Subject, condition_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sts_emulator.policy.deciding.conditions import Condition
    from sts_emulator.policy.deciding.document import Statement

CLOCKS = frozenset({"aws:currenttime", "aws:epochtime"})
ENDS = ("LessThan", "LessThanEquals", "Equals")
BEGINS = ("GreaterThan", "GreaterThanEquals", "Equals")


class _Window(NamedTuple):
    """When a statement's conditions on the clock hold: from, until, and the condition that ends it."""

    begin: float
    end: float
    last: Condition | None


def _window(statement: Statement) -> _Window:
    window = _Window(float("-inf"), float("inf"), None)
    for condition in statement.conditions:
        op = condition.operator
        moments = [moment for value in condition.values if (moment := _moment(value.raw)) is not None]
        if condition.name not in CLOCKS or op.family not in ("date", "number") or op.negated or not moments:
            continue
        how = op.base.removeprefix("Date").removeprefix("Numeric")
        if how in ENDS and max(moments) < window.end:  # any of several values is enough
            window = window._replace(end=max(moments), last=condition)
        if how in BEGINS and min(moments) > window.begin:
            window = window._replace(begin=min(moments), last=window.last or condition)
    return window


def _moment(text: str) -> float | None:
    moment, number = read_date(text), read_number(text)
    return moment if moment is not None or number is None else float(number)


def _over(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        begin, end, last = _window(statement)
        if last is None:
            continue
        path, values = condition_path(statement, last), ", ".join(value.raw for value in last.values)
        if begin > end:
            yield path, "the time from which it holds is after the time until which it holds", "correct the times"
        elif subject.now is not None and end < subject.now:
            message = f"its time was over at {values}, so it allows nothing any more"
            yield path, message, "remove the statement, or write a later time"


def _deny_over(subject: Subject) -> Iterator[Hit]:
    for statement in subject.document.denies:
        _, end, last = _window(statement)
        if last is not None and subject.now is not None and end < subject.now:
            path, values = condition_path(statement, last), ", ".join(value.raw for value in last.values)
            message = f"its time was over at {values}, so it denies nothing any more"
            yield path, message, "remove it, or write a later time"


RULES = (
    Rule(
        "time-is-over",
        "A time that is over",
        "error",
        admits({"AWS": ROLE}, DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}),
        admits({"AWS": ROLE}, DateLessThan={"aws:CurrentTime": "2099-01-01T00:00:00Z"}),
        _over,
        EVERY_KIND,
    ),
    Rule(
        "denied-once",
        "A Deny whose time is over",
        "security",
        refuses({"AWS": "*"}, DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}),
        refuses({"AWS": "*"}, DateLessThan={"aws:CurrentTime": "2099-01-01T00:00:00Z"}),
        _deny_over,
        EVERY_KIND,
    ),
)
