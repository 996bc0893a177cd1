"""Timestamps on the wire, in the formats that the models name; in Python they are seconds since the epoch, UTC.

Parsing gives an int, or a float where the text has a fraction; rendering takes either, or an aware datetime.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Final

from sts_emulator.core import clock

_DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1).toordinal()
_EARLIEST: Final = -62_135_596_800  # 0001-01-01, where the proleptic Gregorian calendar of datetime begins
_LATEST: Final = 253_402_300_799  # 9999-12-31T23:59:59Z
_BASIC_LENGTH: Final = len("20201231T235959Z")


def seconds(value: float | datetime) -> float:
    """Seconds since the epoch of what an operation returned."""
    return value.timestamp() if isinstance(value, datetime) else value


def iso(value: float | datetime) -> str:
    """`2026-11-23T20:00:00Z`: whole seconds, as STS and IAM give them (docs/aws/wire.md, "Results")."""
    return clock.iso(int(seconds(value)))


def iso_milliseconds(value: float | datetime) -> str:
    """`2026-11-23T20:00:00.000Z`, as EC2 gives it."""
    whole, fraction = divmod(round(seconds(value) * 1000), 1000)
    return f"{iso(whole)[:-1]}.{fraction:03}Z"


def iso_as_given(value: float | datetime) -> str:
    """Whole seconds of a number; a datetime keeps its milliseconds, as GetWebIdentityToken's expiration does."""
    return iso_milliseconds(value) if isinstance(value, datetime) else clock.iso(value)


def basic(value: float) -> str:
    """`20200706T195306Z`, the ISO 8601 basic format of SigV4; see parse_basic."""
    return clock.iso(value).replace("-", "").replace(":", "")


def parse_iso(text: str) -> float:
    """Seconds of an ISO 8601 timestamp; one without an offset is UTC. Raises ValueError."""
    return _number(clock.parse_iso(text))


def parse_epoch(value: float) -> float:
    """Check a number of seconds and make it an int where it is whole. Raises ValueError outside the calendar."""
    if not _EARLIEST <= value <= _LATEST:
        raise ValueError("timestamp outside the years 1 to 9999")
    return _number(value)


def parse_basic(text: str) -> int:
    """Seconds of `20200706T195306Z`, the ISO 8601 basic format of SigV4, without strptime. Raises ValueError."""
    if len(text) != _BASIC_LENGTH or text[8] != "T" or text[15] != "Z":
        raise ValueError("not in ISO 8601 basic format")
    clock = text[9:15]
    if not (clock.isascii() and clock.isdigit()):
        raise ValueError("not in ISO 8601 basic format")
    hour, minute, second = int(clock[:2]), int(clock[2:4]), int(clock[4:])
    if hour > 23 or minute > 59 or second > 60:  # noqa: PLR2004  # the clock face, leap second included
        raise ValueError("no such time of day")
    return midnight(text[:8]) + hour * 3600 + minute * 60 + second


@lru_cache(maxsize=64)
def midnight(day: str) -> int:
    """Seconds at the start of the day `20200706`. Raises ValueError."""
    if len(day) != 8 or not (day.isascii() and day.isdigit()):  # noqa: PLR2004  # YYYYMMDD
        raise ValueError("not a date in ISO 8601 basic format")
    return (date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() - _EPOCH) * _DAY


def _number(value: float) -> float:
    return int(value) if value == int(value) else value
