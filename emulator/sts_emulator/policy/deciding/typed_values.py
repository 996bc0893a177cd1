"""Owns how typed text is read: booleans, numbers, dates, addresses and networks, in a policy and in a request.

Source: tests/policy/cases/live-cases.jsonl, recorded on AWS, whose readers are lenient in unexpected places.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal

_FIRST_DAY = date(1970, 1, 1).toordinal()
LONGEST_TEXT = 256  # a tag's value, the longest text that anybody can choose for a key
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_EPOCH = re.compile(r"[+-]?[0-9]+")
_OCTETS = re.compile(r"([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})")
_GROUP = re.compile(r"[0-9A-Fa-f]{1,4}")
_PREFIX = re.compile(r"\+?[0-9]{1,3}")
_GROUPS = 8
_MAPPED = 0xFFFF  # what stands before the 32 bits of an IPv4 address that is written as an IPv6 one


def is_bool(text: str) -> bool:
    """Whether the text is meant as a boolean."""
    return text.lower() in ("true", "false")


def read_bool(text: str) -> bool:
    """`true` in any case; everything else, `1` and the empty text too, is false."""
    return text.lower() == "true"


def read_number(text: str) -> int | Decimal | None:
    """A decimal number, perhaps with an exponent, else None; nothing is rounded."""
    if len(text) > LONGEST_TEXT:
        return None
    if text.isascii() and text.isdecimal():
        return int(text)
    if not _DECIMAL.fullmatch(text):
        return None
    from decimal import Decimal

    return Decimal(text)


def read_date(text: str) -> float | None:
    """A W3C profile of ISO 8601 (`2026[-11[-23[T12:00[:30[.5]](Z|±hh:mm)]]]`) or epoch seconds, else None.

    Returns seconds since 1970, to the millisecond. Four digits are a year.
    """
    if len(text) > LONGEST_TEXT or not text.isascii():
        return None
    text = text.upper()
    if len(text) != len("2026") and _EPOCH.fullmatch(text):
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
    """Days since 1970 of a year, year-month or year-month-day; None where the calendar has no such day."""
    widths = tuple(map(len, parts))
    if widths not in ((4,), (4, 2), (4, 2, 2)) or not all(part.isdecimal() for part in parts):
        return None
    try:
        return date(*(*map(int, parts), 1, 1)[:3]).toordinal() - _FIRST_DAY
    except ValueError:
        return None


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
    return int(hours) * 3600 + int(minutes) * 60 + int(whole) + int(fraction[:3].ljust(3, "0")) / 1000


def read_network(text: str, *, host_bits: bool = True) -> tuple[int, int, int] | None:
    """(IP version, network, host bits) of a CIDR block, else None; a bare address is one host.

    Bits below the prefix are ignored in IPv4. An IPv6 block that has any matches nothing on AWS, not even its own
    address; that was recorded for request tags, so `host_bits` leaves the keys that hold addresses as they are.
    An IPv4 address inside an IPv6 block is refused.
    """
    address, slash, prefix = text.partition("/")
    number = _read_v6(address) if ":" in address else _read_v4(address)
    if number is None or (slash and not _PREFIX.fullmatch(prefix)) or (":" in address and "." in address):
        return None
    version, width = (6, 128) if ":" in address else (4, 32)
    shift = width - (int(prefix) if slash else width)
    strict = version == 6 and not host_bits  # noqa: PLR2004 # IPv6
    if shift < 0 or (strict and number & ((1 << shift) - 1)):
        return None
    return version, number >> shift, shift


def read_address(text: str) -> tuple[int, int] | None:
    """(IP version, number) of an address, else None; an IPv4 address written as an IPv6 one is the IPv4 address."""
    if ":" not in text:
        number = _read_v4(text)
        return None if number is None else (4, number)
    number = _read_v6(text)
    if number is None:
        return None
    if number >> 32 == _MAPPED:
        return 4, number & 0xFFFF_FFFF
    return None if "." in text else (6, number)


def _read_v4(text: str) -> int | None:
    """Four decimal octets; leading zeros are let pass."""
    octets = _OCTETS.fullmatch(text)
    numbers = [int(octet) for octet in octets.groups()] if octets else []
    return int.from_bytes(numbers, "big") if numbers and max(numbers) <= 255 else None  # noqa: PLR2004 # one octet


def _read_v6(text: str) -> int | None:
    """Hexadecimal groups with one `::`; a colon too many after that, or at the end, is let pass as AWS does."""
    head, gap, tail = text.partition("::")
    left, right = head.split(":") if head else [], _with_octets(tail.removesuffix(":").split(":"))
    if not gap:
        left, right = _with_octets(head.removesuffix(":").split(":")), []
    elif right and not right[0]:
        right = right[1:]
    missing = _GROUPS - len(left) - len(right)
    if missing < 0 or bool(missing) != bool(gap) or not all(map(_GROUP.fullmatch, (*left, *right))):
        return None
    return int("".join(group.zfill(4) for group in (*left, *["0"] * missing, *right)), 16)


def _with_octets(groups: list[str]) -> list[str]:
    """The groups, the last of which may be an IPv4 address in place of two."""
    number = _read_v4(groups[-1])
    return groups if number is None else [*groups[:-1], f"{number >> 16:x}", f"{number & 0xFFFF:x}"]


def is_inside(text: str, network: tuple[int, int, int]) -> bool:
    """Whether the text is an address of the network."""
    version, prefix, shift = network
    address = read_address(text)
    return address is not None and address[0] == version and address[1] >> shift == prefix
