"""What a trigger's answer may say: each member has its type, and anything else is refused."""

from __future__ import annotations

from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.json_types import JsonObject

UNRECOGNIZABLE: Final = "Unrecognizable lambda output"

_MOST: Final = 500
_LONGEST: Final = 20_000


def unusable(message: str = UNRECOGNIZABLE) -> AwsError:
    return AwsError("InvalidLambdaResponseException", message)


def flag(answer: JsonObject, member: str) -> bool:
    """A boolean, false where it is left out. Raises AwsError: InvalidLambdaResponseException."""
    value = answer.get(member)
    if value is not None and not isinstance(value, bool):
        raise unusable()
    return bool(value)


def text(answer: JsonObject, member: str) -> str:
    """A text, empty where it is left out. Raises as `flag`."""
    value = answer.get(member)
    if value is not None and (not isinstance(value, str) or len(value) > _LONGEST):
        raise unusable()
    return value or ""


def texts(answer: JsonObject, member: str) -> list[str]:
    """A list of texts. Raises as `flag`."""
    value = answer.get(member)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(item, str) for item in value):
        raise unusable()
    return value


def table(answer: JsonObject, member: str) -> JsonObject:
    """An object. Raises as `flag`."""
    value = answer.get(member)
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MOST:
        raise unusable()
    return value


def strings(answer: JsonObject, member: str) -> dict[str, str]:
    """An object of texts. Raises as `flag`."""
    texts = {name: value for name, value in table(answer, member).items() if isinstance(value, str)}
    if len(texts) < len(table(answer, member)):
        raise unusable()
    return texts
