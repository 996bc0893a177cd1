"""What a trigger's answer may say: each member has its type, and anything else is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError

UNRECOGNIZABLE: Final = "Unrecognizable lambda output"

_MOST: Final = 500
_LONGEST: Final = 20_000


def unusable(message: str = UNRECOGNIZABLE) -> AwsError:
    return AwsError("InvalidLambdaResponseException", message)


def flag(answer: Mapping[str, Any], member: str) -> bool:
    """A boolean, false where it is left out. Raises AwsError: InvalidLambdaResponseException."""
    value = answer.get(member)
    if value is not None and not isinstance(value, bool):
        raise unusable()
    return bool(value)


def text(answer: Mapping[str, Any], member: str) -> str:
    """A text, empty where it is left out. Raises as `flag`."""
    value = answer.get(member)
    if value is not None and (not isinstance(value, str) or len(value) > _LONGEST):
        raise unusable()
    return value or ""


def texts(answer: Mapping[str, Any], member: str) -> list[str]:
    """A list of texts. Raises as `flag`."""
    value = answer.get(member)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(item, str) for item in value):
        raise unusable()
    return value


def table(answer: Mapping[str, Any], member: str) -> dict[str, Any]:
    """An object. Raises as `flag`."""
    value = answer.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MOST:
        raise unusable()
    return value


def strings(answer: Mapping[str, Any], member: str) -> dict[str, str]:
    """An object of texts. Raises as `flag`."""
    value = table(answer, member)
    if not all(isinstance(item, str) for item in value.values()):
        raise unusable()
    return value
