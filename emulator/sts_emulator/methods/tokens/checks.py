"""What proven claims say of whom a token is for and when it is good; what to make of it is each reader's business."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_FAR: Final = 10**18
_INTEGER = re.compile(r"-?[0-9]{1,18}")


class Lifetime(NamedTuple):
    """The times of a token, in seconds since the epoch; None for those that it does not say."""

    issued: int | None
    starts: int | None
    expires: int | None


def audiences(claims: Mapping[str, object]) -> tuple[Any, ...]:
    """Whom a token is for: `aud` is one or a list of them, of whatever type."""
    value = claims.get("aud")
    return tuple(value) if isinstance(value, list) else (value,)


def lifetime(claims: Mapping[str, object]) -> Lifetime:
    """When a token is good. Raises ValueError for a time that is no whole number (a string may hold one, as on AWS)."""
    return Lifetime(_time(claims, "iat"), _time(claims, "nbf"), _time(claims, "exp"))


def claim_text(value: object) -> str | None:
    """A claim's value as text; None for what is neither text, number nor truth value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value) if isinstance(value, int) else None


def _time(claims: Mapping[str, object], name: str) -> int | None:
    value = claims.get(name)
    if type(value) is int and 0 <= value < _FAR:
        return value
    if name not in claims:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise ValueError("not a time")
    return int(value)
