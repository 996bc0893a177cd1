"""Searches requests: contexts built from the policies' own values, tried by whoever asks, and made as small as may be.

The search is not a proof of absence: it tries every combination where they are few, and where they are many, the
statements one by one with each key and each pair of keys varied. What it finds is always tried by the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import combinations, product
from math import prod
from typing import Final

from sts_emulator.analysis.callers import Caller, Context, presence
from sts_emulator.analysis.condition_values import ABSENT, Values, candidates, keys_of, neutral
from sts_emulator.core.clock import iso
from sts_emulator.policy.deciding.document import Document, Effect, Statement, parse
from sts_emulator.policy.deciding.engine import Request
from sts_emulator.policy.deciding.typed_values import read_date

EXHAUSTIVE: Final = 2_000
BUDGET: Final = 6_000
"""Contexts tried for one caller and action."""

BASE: Final[Context] = {
    "aws:currenttime": ("2026-11-23T12:00:00Z",),
    "aws:epochtime": ("1795435200",),
    "aws:securetransport": ("true",),
    "aws:requestedregion": ("us-east-1",),
    "aws:viaawsservice": ("false",),
    "sts:rolesessionname": ("session",),
}
"""What holds of every request unless a policy asks for something else."""


class Search:
    """Contexts for the conditions of some documents; with `now` (seconds since 1970) none of a time that is past."""

    def __init__(self, documents: Sequence[Document], now: float | None = None) -> None:
        self._documents = documents
        self._now = now
        self.clock: dict[str, Values] = {}
        if now is not None:
            self.clock = {"aws:currenttime": (iso(now),), "aws:epochtime": (str(int(now)),)}
        self._conditions, self.spelling = keys_of(documents)

    def keys(self, caller: Caller, action: str) -> dict[str, list[Values]]:
        """The keys that such a caller can choose, with the values to try."""
        values = {}
        for name, conditions in self._conditions.items():
            there = presence(name, caller, action)
            if there != "never":
                tried = candidates(name, conditions, {**BASE, **caller.context}, always=there == "always")
                values[name] = self._to_come(name, tried) if name in self.clock else tried
        return values

    def _to_come(self, name: str, listed: list[Values]) -> list[Values]:
        """Those moments that are not past, now first."""
        moments = [(values, read_date(values[0])) for values in listed if values]
        later = [values for values, moment in moments if moment is not None and moment >= (self._now or 0)]
        return [self.clock[name], *later]

    def contexts(self, caller: Caller, action: str, base: Context = BASE) -> Iterator[Context]:
        """Contexts to try, the plainest first."""
        fixed = {**base, **caller.context}
        keys = self.keys(caller, action)
        if prod(map(len, keys.values())) <= EXHAUSTIVE:
            for chosen in sorted(product(*keys.values()), key=_weight):
                yield {**fixed, **dict(zip(keys, chosen, strict=True))}
            return
        for count, context in enumerate(self._around_statements(keys, fixed)):
            if count >= BUDGET:
                return
            yield context

    def _around_statements(self, keys: dict[str, list[Values]], fixed: Context) -> Iterator[Context]:
        starts = [self._satisfying(place, keys, fixed) for place in self._statements()]
        yield from starts
        for start in starts:
            for name, values in keys.items():
                yield from ({**start, name: value} for value in values)
        for start in starts:
            for first, second in combinations(keys, 2):
                yield from ({**start, first: a, second: b} for a in keys[first] for b in keys[second])

    def best(self, index: int, caller: Caller, action: str) -> Context:
        """A context that fits a statement of the first document as far as such a caller can."""
        return self._satisfying((0, index), self.keys(caller, action), {**BASE, **caller.context})

    def _statements(self) -> list[tuple[int, int]]:
        return [
            (number, index)
            for number, document in enumerate(self._documents)
            for index in range(len(document.statements))
        ]

    def _satisfying(self, place: tuple[int, int], keys: dict[str, list[Values]], fixed: Context) -> Context:
        """A context in which as many conditions of a statement hold as can."""
        context = {**fixed, **{name: values[0] for name, values in keys.items()}}
        statement = self._documents[place[0]].statements[place[1]]
        for name in {condition.name for condition in statement.conditions} & keys.keys():
            tests = [condition for condition in statement.conditions if condition.name == name]
            for value in keys[name]:
                if all(test.check({**context, name: value}) for test in tests):
                    context[name] = value
                    break
        return context

    def smallest(self, context: Context, caller: Caller, action: str, holds: Callable[[Context], bool]) -> Context:
        """The context with everything taken away, or made a stranger's, that `holds` does not need."""
        keys = self.keys(caller, action)
        for name in keys:
            there = presence(name, caller, action)
            plainer = [ABSENT] if there == "free" else []
            plainer += [values for values in neutral(name, self._conditions[name]) if values in keys[name]]
            for values in plainer:
                if context.get(name, ABSENT) == values:
                    break
                if holds({**context, name: values}):
                    context = {**context, name: values}
                    break
        return context

    def kind_of(self, context: Context, caller: Caller, action: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """What tells contexts apart for people: which of the policies' values each chosen key fits."""
        return tuple((name, self._fitting(name, context)) for name in self.keys(caller, action) if context.get(name))

    def _fitting(self, name: str, context: Context) -> tuple[str, ...]:
        texts = context[name]
        return tuple(
            value.raw
            for condition in self._conditions[name]
            for value in condition.values
            if any(value.matches(text, context) for text in texts)
        )

    def chosen(self, context: Context, caller: Caller, action: str) -> dict[str, Values]:
        """The keys of a context that such a caller chose, as the policies spell them."""
        keys = self.keys(caller, action)
        return {self.spelling.get(name, name): context[name] for name in keys if context.get(name)}


def applying(document: Document | None, asked: Request, effect: Effect) -> Statement | None:
    """The first statement of that effect which applies to a request."""
    from sts_emulator.policy.explaining.traces import trace_statements

    traces = trace_statements(document, asked, bounded=False) if document is not None else ()
    return next((trace.statement for trace in traces if trace.applies and trace.statement.effect == effect), None)


@cache
def anything() -> Document:
    """The policy that allows everything."""
    return parse('{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}')


def request(caller: Caller, action: str, role_arn: str, context: Context) -> Request:
    """The request that a caller makes in a context."""
    return Request(action, role_arn, caller.principal, {name: values for name, values in context.items() if values})


def _weight(chosen: Sequence[Values]) -> int:
    return sum(map(len, chosen))
