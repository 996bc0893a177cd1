"""Owns the condition operators: what each compares, how policy values are compiled and how typed text is read.

Source: docs/aws/policy-evaluation.md, "Conditions" (UG reference_policies_elements_condition_operators). Text that is
not of the operator's type matches nothing, so a negated operator is true for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Literal

from sts_emulator.policy.deciding.matching import ARN_PARTS, ArnPattern, Glob
from sts_emulator.policy.deciding.variables import Template, template

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Family = Literal["string", "like", "ignore_case", "number", "date", "bool", "binary", "ip", "arn", "null", "unknown"]
Relation = Literal["equal", "less", "less_equal", "greater", "greater_equal"]
Quantifier = Literal["ForAllValues", "ForAnyValue"]

LONGEST_NUMBER = 64
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


def value(op: Operator, raw: str, version: str) -> Value:
    """Compile one policy value for `op` in the given language version."""
    if op.family in TAKES_VARIABLES:
        return _text_value(op, raw, version)
    matches = _typed(op, raw)
    valid = matches is not None
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
        valid = op.family != "arn" or bool(ArnPattern(pieces))
        return Value(raw, lambda text, _: compiled(text), resolved, valid, static=True, template=source)

    def matches(text: str, context: Mapping[str, tuple[str, ...]]) -> bool:
        pieces = source.pieces(context)
        return pieces is not None and build(pieces)(text)

    valid = op.family != "arn" or raw.count(":") >= ARN_PARTS - 1
    return Value(raw, matches, resolved, valid, static=False, template=source)


def _build_equal(pieces: tuple[tuple[str, bool], ...]) -> Callable[[str], bool]:
    return "".join(text for text, _ in pieces).__eq__


def _build_ignoring_case(pieces: tuple[tuple[str, bool], ...]) -> Callable[[str], bool]:
    wanted = "".join(text for text, _ in pieces).lower()
    return lambda text: text.lower() == wanted


_TEXT: Mapping[Family, Callable[[tuple[tuple[str, bool], ...]], Callable[[str], bool]]] = {
    "string": _build_equal,
    "ignore_case": _build_ignoring_case,
    "like": lambda pieces: Glob(pieces).matches,
    "arn": lambda pieces: ArnPattern(pieces).matches,
}


def _never(_text: str, _context: Mapping[str, tuple[str, ...]]) -> bool:
    return False


def _typed(op: Operator, raw: str) -> Callable[[str, Mapping[str, tuple[str, ...]]], bool] | None:
    """The comparison with one typed policy value, or None when its text is not of the type."""
    if op.family == "ip":
        network = read_network(raw)
        return None if network is None else lambda text, _: _ip_inside(text, network)
    read = _READERS.get(op.family)
    if read is None:
        return lambda text, _: text == raw
    wanted = read(raw)
    compare = _RELATIONS[op.relation]
    if wanted is None:
        return None
    return lambda text, _: (found := read(text)) is not None and compare(found, wanted)


_RELATIONS: Mapping[Relation, Callable[[float, float], bool]] = {
    "equal": eq,
    "less": lt,
    "less_equal": le,
    "greater": gt,
    "greater_equal": ge,
}


def read_bool(text: str) -> bool | None:
    """`true` or `false` in any case, else None."""
    return {"true": True, "false": False}.get(text.lower())


def read_number(text: str) -> float | None:
    """A decimal number, else None; whole numbers stay exact."""
    body = text[1:] if text[:1] in ("+", "-") else text
    whole, point, fraction = body.partition(".")
    if len(text) > LONGEST_NUMBER or not (whole + fraction).isdecimal() or not body.isascii():
        return None
    return float(text) if point else int(text)


def read_date(text: str) -> float | None:
    """A W3C profile of ISO 8601 (`2026[-11[-23[T12:00[:30[.5]](Z|±hh:mm)]]]`) or epoch seconds, else None.

    Returns seconds since 1970. Four digits are a year.
    """
    if len(text) > LONGEST_NUMBER or not text.isascii():
        return None
    text = text.upper()
    if text.isdecimal() and len(text) != len("2026"):
        return int(text)
    day, separator, clock = text.partition("T")
    days = _days(day.split("-"))
    if days is None:
        return None
    if not separator:
        return days * 86_400
    seconds = _clock(clock) if day.count("-") == len(("month", "day")) else None
    return None if seconds is None else days * 86_400 + seconds


def _days(parts: list[str]) -> int | None:
    """Days since 1970 of a year, year-month or year-month-day (proleptic Gregorian calendar)."""
    widths = tuple(map(len, parts))
    if widths not in ((4,), (4, 2), (4, 2, 2)) or not all(part.isdecimal() for part in parts):
        return None
    year, month, day = (*map(int, parts), 1, 1)[:3]
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= len(lengths) or not 1 <= day <= lengths[month - 1]:
        return None
    before = year - 1
    return before * 365 + before // 4 - before // 100 + before // 400 + sum(lengths[: month - 1]) + day - 719_163


def _clock(text: str) -> float | None:
    """Seconds of the day in UTC; a missing zone is UTC."""
    zone = 0.0
    if text.endswith("Z"):
        text = text[:-1]
    elif text[-6:-5] in ("+", "-"):
        shift = _hours_minutes(text[-5:].split(":"))
        if shift is None:
            return None
        zone = shift if text[-6] == "+" else -shift
        text = text[:-6]
    time = _hours_minutes(text.split(":"))
    return None if time is None else time - zone


def _hours_minutes(parts: list[str]) -> float | None:
    if len(parts) not in (2, 3):
        return None
    hours, minutes, *rest = parts
    whole, point, fraction = (rest[0] if rest else "00").partition(".")
    if any(len(part) != len("00") or not part.isdecimal() for part in (hours, minutes, whole)):
        return None
    if point and not fraction.isdecimal():
        return None
    if int(hours) > 23 or int(minutes) > 59 or int(whole) > 60:  # noqa: PLR2004 # hours, minutes, a leap second
        return None
    return int(hours) * 3600 + int(minutes) * 60 + int(whole) + (float(f"0.{fraction}") if point else 0)


def read_network(text: str) -> tuple[int, int, int] | None:
    """(IP version, network, host bits) of a CIDR block; host bits are ignored and a bare address is one host."""
    address, slash, prefix = text.partition("/")
    found = read_address(address)
    if found is None or (slash and not (prefix.isascii() and prefix.isdecimal() and len(prefix) <= len("128"))):
        return None
    version, number = found
    width = 32 if version == 4 else 128  # noqa: PLR2004 # IPv4
    length = int(prefix) if slash else width
    return (version, number >> (width - length), width - length) if length <= width else None


def read_address(text: str) -> tuple[int, int] | None:
    """(IP version, number) of an address, else None."""
    from ipaddress import ip_address

    try:
        address = ip_address(text)
    except ValueError:
        return None
    return address.version, int(address)


def _ip_inside(text: str, network: tuple[int, int, int]) -> bool:
    version, prefix, shift = network
    found = read_address(text)
    return found is not None and found[0] == version and found[1] >> shift == prefix


_READERS: Mapping[Family, Callable[[str], float | None]] = {
    "bool": read_bool,
    "null": read_bool,
    "number": read_number,
    "date": read_date,
}
