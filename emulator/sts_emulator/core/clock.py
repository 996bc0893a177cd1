"""The only reader of time: real seconds, and the ISO forms that AWS writes."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

real = time.time
"""Seconds since the epoch by the machine's clock. SigV4 dates are judged by this one."""


monotonic = time.monotonic
"""Seconds for measuring how long something took; unaffected by clock changes."""

busy = time.thread_time
"""Seconds that this thread has computed, for measuring what something costs."""


def iso(epoch: float) -> str:
    """`2026-11-23T20:00:00Z`: whole seconds, as AWS writes expirations."""
    return _iso(int(epoch // 1))


@lru_cache(maxsize=64)  # a busy server writes the same few seconds over and over
def _iso(epoch: int) -> str:
    year, month, day, hour, minute, second, *_ = time.gmtime(epoch)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def http_date(epoch: float) -> str:
    """`Wed, 25 Nov 2026 04:34:52 GMT`, as HTTP's Date header has it (RFC 9110 §5.6.7)."""
    return _http_date(int(epoch // 1))


@lru_cache(maxsize=4)
def _http_date(epoch: int) -> str:
    year, month, day, hour, minute, second, weekday, *_ = time.gmtime(epoch)
    return f"{_DAYS[weekday]}, {day:02} {_MONTHS[month - 1]} {year:04} {hour:02}:{minute:02}:{second:02} GMT"


_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def parse_iso(text: str) -> float:
    """Seconds since the epoch of an ISO-8601 instant; a missing zone means UTC.

    Raises:
        ValueError: the text is not an ISO-8601 instant.
    """
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
