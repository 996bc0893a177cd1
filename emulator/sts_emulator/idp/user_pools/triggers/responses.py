"""What a trigger's answer may say: each member has its type, and anything else is refused."""

from __future__ import annotations

from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.json_types import JsonObject

UNRECOGNIZABLE: Final = "Unrecognizable lambda output"

_MOST: Final = 500
_LONGEST: Final = 20_000


def unusable(message: str = UNRECOGNIZABLE) -> AwsError:
    return AwsError("InvalidLambdaResponseException", message)


def _typed(answer: JsonObject, member: str, kind: type, most: int) -> Any:
    """A member of that type, or what is empty of it where it is left out."""
    value = answer.get(member)
    if value is None:
        return kind()
    if not isinstance(value, kind) or (isinstance(value, str | list | dict) and len(value) > most):
        raise unusable()
    return value


def flag(answer: JsonObject, member: str) -> bool:
    """A boolean, false where it is left out. Raises AwsError: InvalidLambdaResponseException, as all of these."""
    return bool(_typed(answer, member, bool, 0))


def text(answer: JsonObject, member: str) -> str:
    return str(_typed(answer, member, str, _LONGEST))


def texts(answer: JsonObject, member: str) -> list[str]:
    value: list[str] = _typed(answer, member, list, _MOST)
    if not all(isinstance(item, str) for item in value):
        raise unusable()
    return value


def table(answer: JsonObject, member: str) -> JsonObject:
    """An object."""
    value: JsonObject = _typed(answer, member, dict, _MOST)
    return value


def strings(answer: JsonObject, member: str) -> dict[str, str]:
    """An object of texts."""
    texts = {name: value for name, value in table(answer, member).items() if isinstance(value, str)}
    if len(texts) < len(table(answer, member)):
        raise unusable()
    return texts
