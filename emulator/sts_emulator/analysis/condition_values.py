"""What a condition key could be in a request: the policies' own values, what lies at their edges, and others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sts_emulator.policy.deciding.conditions import Condition
from sts_emulator.policy.deciding.document import Document
from sts_emulator.policy.deciding.operators import Value
from sts_emulator.policy.deciding.typed_values import read_date, read_network, read_number
from sts_emulator.policy.keys import is_multivalued

Values = tuple[str, ...]
Context = Mapping[str, Values]
ABSENT: Final[Values] = ()
STRANGER: Final = "something-else"
MOST: Final = 60
"""Values of one key that are tried."""

_OTHERS = {
    "ip": ("198.51.100.99", "2001:db8::99"),
    "bool": ("true", "false"),
    "date": ("2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
    "number": ("0", "1000000"),
    "arn": ("arn:aws:sns:us-east-1:999999999999:something-else",),
}
_NEUTRAL = {"aws:securetransport": ("true",), "aws:sourceip": ("198.51.100.99",), "sts:rolesessionname": ("session",)}


def keys_of(documents: Iterable[Document]) -> tuple[dict[str, list[Condition]], dict[str, str]]:
    """All conditions by lower-cased key, those of variables too, and how the policies write each key."""
    conditions: dict[str, list[Condition]] = {}
    spelling: dict[str, str] = {}
    for condition in (
        test for document in documents for statement in document.statements for test in statement.conditions
    ):
        conditions.setdefault(condition.name, []).append(condition)
        spelling[condition.name] = condition.key
        for variable in (variable for value in condition.values for variable in value.template.variables):
            conditions.setdefault(variable.name, [])
            spelling[variable.name] = variable.key
    return conditions, spelling


def candidates(name: str, conditions: Sequence[Condition], fixed: Context, *, always: bool) -> list[Values]:
    """Values of a key worth trying, the plainest first: absent, others than those named, then the named ones.

    Variables in policy values stand for what `fixed` holds.
    """
    options: dict[Values, None] = {} if always else {ABSENT: None}
    options.update((values, None) for values in neutral(name, conditions))
    singles: dict[str, None] = {}
    for condition in conditions:
        for value in condition.values:
            for text in _near(condition, value, fixed):
                singles[text] = None
    options.update(((text,), None) for text in singles)
    several = is_multivalued(name) or any(condition.operator.quantifier for condition in conditions)
    if several and is_multivalued(name) is not False:
        options.update(((text, STRANGER), None) for text in singles if text != STRANGER)
        if len(singles) > 1:
            options[tuple(singles)] = None
    return list(options)[:MOST]


def neutral(name: str, conditions: Sequence[Condition]) -> list[Values]:
    """Values that no condition names: what a stranger would bring."""
    if name in _NEUTRAL:
        return [_NEUTRAL[name]]
    families = {condition.operator.family for condition in conditions}
    for family, others in _OTHERS.items():
        if family in families:
            return [(other,) for other in others]
    return [(STRANGER,)]


def _near(condition: Condition, value: Value, fixed: Context) -> list[str]:  # noqa: PLR0911 - one for each family
    """Texts on both sides of what one policy value draws the line at."""
    op, raw = condition.operator, _resolved(value, fixed)
    if op.family in ("null", "unknown"):
        return [STRANGER]
    if op.family == "bool":
        return ["true", "false"]
    if op.family == "number":
        number = read_number(raw)
        return [] if number is None else [str(number), str(int(number) - 1), str(int(number) + 1)]
    if op.family == "date":
        moment = read_date(raw)
        return [] if moment is None else [str(int(moment)), str(int(moment) - 1), str(int(moment) + 1)]
    if op.family == "ip":
        network = read_network(raw)
        return [] if network is None else [raw.partition("/")[0]]
    if op.family == "ignore_case":
        return [raw, raw.swapcase()]
    return filled(raw) if op.family in ("like", "arn") else [raw]


def _resolved(value: Value, fixed: Context) -> str:
    text = value.resolved(fixed)
    if text is not None:
        return text
    raw = value.raw
    for variable in value.template.variables:
        raw = raw.replace(variable.text, STRANGER)
    return raw


def filled(pattern: str) -> list[str]:
    """Texts that fit a pattern: wildcards filled with what people would find there, and with nothing."""
    if "*" not in pattern and "?" not in pattern:
        return [pattern]
    owner, slash, rest = pattern.removeprefix("repo:").partition("/")
    if pattern.startswith("repo:") and "*" in owner and not slash:
        return [f"repo:{owner.replace('*', '-evil')}/x:ref:refs/heads/main", *_plainly(pattern)]
    if pattern.startswith("repo:") and rest == "*":
        return [f"repo:{owner.replace('*', '-evil')}/any-repository:ref:refs/heads/main", *_plainly(pattern)]
    if pattern.startswith("repo:") and rest.endswith(":*") and "*" not in rest[:-1]:
        return [f"{pattern[:-1]}pull_request", f"{pattern[:-1]}ref:refs/heads/any-branch"]
    return _plainly(pattern)


def _plainly(pattern: str) -> list[str]:
    some, none = pattern.replace("?", "x"), pattern.replace("?", "x").replace("*", "")
    return list(dict.fromkeys([some.replace("*", "x"), none]))
