"""Owns the condition operators: what each compares, how policy values are compiled.

Source: docs/aws/policy-evaluation.md, "Conditions" (UG reference_policies_elements_condition_operators). Text that is
not of the operator's type equals nothing; `conditions` tells what that means for a negated operator.
"""

from __future__ import annotations

from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any, Literal

from sts_emulator.policy.deciding.matching import ArnPattern, Glob, is_arn, is_arn_pattern
from sts_emulator.policy.deciding.typed_values import (
    is_bool,
    is_inside,
    read_address,
    read_bool,
    read_date,
    read_network,
    read_number,
)
from sts_emulator.policy.deciding.variables import Template, template
from sts_emulator.policy.keys import TYPES
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Family = Literal["string", "like", "ignore_case", "number", "date", "bool", "binary", "ip", "arn", "null", "unknown"]
Relation = Literal["equal", "less", "less_equal", "greater", "greater_equal"]
Quantifier = Literal["ForAllValues", "ForAnyValue"]

SET_PREFIXES: tuple[Quantifier, ...] = ("ForAllValues", "ForAnyValue")


@dataclass(frozen=True, slots=True)
class Operator:
    """One condition operator as a policy writes it, with its set prefix and `IfExists` suffix taken apart."""

    text: str
    base: str
    family: Family
    relation: Relation = "equal"
    negated: bool = False
    if_exists: bool = False
    quantifier: Quantifier | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """One policy value, compiled for its operator.

    `matches(request_value, context)` is the un-negated comparison; `resolved(context)` the text after variables, None
    when one of them has no value; `valid` is False when the text cannot be read as the operator's type.
    """

    raw: str
    matches: Callable[[str, Mapping[str, tuple[str, ...]]], bool]
    resolved: Callable[[Mapping[str, tuple[str, ...]]], str | None]
    valid: bool
    static: bool
    template: Template

    def is_broken_arn(self, context: Mapping[str, tuple[str, ...]]) -> bool:
        """Whether the text, its variables filled in, is no ARN pattern."""
        text = self.resolved(context)
        return text is not None and not is_arn_pattern(text)


def _declared() -> dict[str, Operator]:
    table: dict[str, Operator] = {}

    def declare(base: str, family: Family, relation: Relation = "equal", *, negated: bool = False) -> None:
        table[base] = Operator(base, base, family, relation, negated)

    declare("StringEquals", "string")
    declare("StringNotEquals", "string", negated=True)
    declare("StringEqualsIgnoreCase", "ignore_case")
    declare("StringNotEqualsIgnoreCase", "ignore_case", negated=True)
    declare("StringLike", "like")
    declare("StringNotLike", "like", negated=True)
    for prefix, family in (("Numeric", "number"), ("Date", "date")):
        typed: Family = "number" if family == "number" else "date"
        declare(f"{prefix}Equals", typed)
        declare(f"{prefix}NotEquals", typed, negated=True)
        declare(f"{prefix}LessThan", typed, "less")
        declare(f"{prefix}LessThanEquals", typed, "less_equal")
        declare(f"{prefix}GreaterThan", typed, "greater")
        declare(f"{prefix}GreaterThanEquals", typed, "greater_equal")
    declare("Bool", "bool")
    declare("BinaryEquals", "binary")
    declare("IpAddress", "ip")
    declare("NotIpAddress", "ip", negated=True)
    for base in ("ArnEquals", "ArnLike"):
        declare(base, "arn")
    for base in ("ArnNotEquals", "ArnNotLike"):
        declare(base, "arn", negated=True)
    declare("Null", "null")
    return table


OPERATORS: Mapping[str, Operator] = _declared()
TAKES_VARIABLES: frozenset[Family] = frozenset({"string", "like", "ignore_case", "arn"})


def operator(text: str) -> Operator:
    """Read an operator's name; one that IAM does not have gets the family `unknown` (IAM refuses it on save)."""
    prefix, colon, rest = text.partition(":")
    quantifier = next((known for known in SET_PREFIXES if colon and known == prefix), None)
    name = rest if quantifier else text
    base = name.removesuffix("IfExists")
    declared = OPERATORS.get(base)
    modified = bool(quantifier) or base != name
    if declared is None or (modified and declared.family == "null"):
        return Operator(text, text, "unknown")
    return Operator(text, base, declared.family, declared.relation, declared.negated, base != name, quantifier)


def value(op: Operator, raw: str, version: str, *, key: str = "") -> Value:
    """Compile one policy value for `op` in the given language version; `key` is the lower-cased key it is tested on."""
    if op.family in TAKES_VARIABLES:
        return _text_value(op, raw, version)
    matches = _typed(op, raw, key)
    valid = matches is not None if op.family not in ("bool", "null") else is_bool(raw)
    return Value(raw, matches or _never, lambda _: raw, valid, static=True, template=Template(((raw, False),)))


def _text_value(op: Operator, raw: str, version: str) -> Value:
    source = template(raw, version)
    build = _TEXT[op.family]

    def resolved(context: Mapping[str, tuple[str, ...]]) -> str | None:
        pieces = source.pieces(context)
        return None if pieces is None else "".join(text for text, _ in pieces)

    pieces = source.static()
    if pieces is not None:
        compiled = build(pieces)
        valid = op.family != "arn" or is_arn_pattern("".join(text for text, _ in pieces))
        return Value(raw, lambda text, _: compiled(text), resolved, valid, static=True, template=source)

    def matches(text: str, context: Mapping[str, tuple[str, ...]]) -> bool:
        pieces = source.pieces(context)
        return pieces is not None and build(pieces)(text)

    return Value(raw, matches, resolved, valid=True, static=False, template=source)


def _build_equal(pieces: tuple[tuple[str, bool], ...]) -> Callable[[str], bool]:
    return "".join(text for text, _ in pieces).__eq__


def _build_ignoring_case(pieces: tuple[tuple[str, bool], ...]) -> Callable[[str], bool]:
    wanted = lower("".join(text for text, _ in pieces))
    return lambda text: lower(text) == wanted


def lower(text: str) -> str:
    """The text in lower case as AWS compares it: characters outside the basic plane keep their case."""
    lowered = text.lower()
    if text.isascii() or max(text, default="") <= "\uffff":
        return lowered
    kept = iter([character for character in text if character > "\uffff"])
    return "".join(next(kept) if character > "\uffff" else character for character in lowered)


_TEXT: Mapping[Family, Callable[[tuple[tuple[str, bool], ...]], Callable[[str], bool]]] = {
    "string": _build_equal,
    "ignore_case": _build_ignoring_case,
    "like": lambda pieces: Glob(pieces).matches,
    "arn": lambda pieces: ArnPattern(pieces).matches,
}


def _never(_text: str, _context: Mapping[str, tuple[str, ...]]) -> bool:
    return False


def _typed(op: Operator, raw: str, key: str) -> Callable[[str, Mapping[str, tuple[str, ...]]], bool] | None:
    """The comparison with one typed policy value, or None when its text is not of the type."""
    if op.family == "ip":
        network = read_network(raw, host_bits=TYPES.get(key) == "ip")
        return None if network is None else lambda text, _: is_inside(text, network)
    read = READERS.get(op.family)
    if read is None:
        return lambda text, _: text == raw
    wanted = read(raw)
    compare = _RELATIONS[op.relation]
    if wanted is None:
        return None
    return lambda text, _: (given := read(text)) is not None and compare(given, wanted)


_RELATIONS: Mapping[Relation, Callable[[Any, Any], bool]] = {
    "equal": eq,
    "less": lt,
    "less_equal": le,
    "greater": gt,
    "greater_equal": ge,
}


READERS: Mapping[Family, Callable[[str], Any]] = {"bool": read_bool, "number": read_number, "date": read_date}

READABLE: Mapping[Family, Callable[[str], bool]] = {"ip": lambda text: read_address(text) is not None, "arn": is_arn}
"""The types of which a request value that cannot be read satisfies not even a negated operator."""
