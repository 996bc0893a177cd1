"""The types of a foreign service's parameters, and which have to be there: as its model says, in AWS's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire.foreign_routing import Meant
from sts_emulator.wire.models import Shape


def require(meant: Meant, content: Any, shape: Shape) -> None:
    """Refuse what lacks a required member. Raises AwsError."""
    for path in missing(content, shape, ""):
        raise _lacking(meant, path)


def is_of_type(value: Any, kind: str) -> bool:
    """Whether JSON's value is one of a model's scalars; bytes come as text, and dates as they like."""
    if kind in ("string", "blob"):
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool) or value in ("true", "false")
    if kind in ("integer", "long"):
        return isinstance(value, int | float) and not isinstance(value, bool) and value == value // 1
    if kind in ("float", "double"):
        return not isinstance(value, bool) and (isinstance(value, int | float) or value in _NO_NUMBERS)
    return kind == "timestamp" and isinstance(value, str | int | float)


_NO_NUMBERS: Final = ("NaN", "Infinity", "-Infinity")


def _said(value: Any) -> str:
    """What AWS's reader of JSON calls a value."""
    if value is None or isinstance(value, bool):
        return "NULL_VALUE" if value is None else "TRUE_VALUE" if value else "FALSE_VALUE"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE" if isinstance(value, int) else "DECIMAL_VALUE"


def mistyped(value: Any, kind: str) -> AwsError:
    """What is told of a value that is not of a scalar type."""
    article = "an" if kind[0] in "aeiou" else "a"
    told = f"{_said(value)} can not be converted to {article} {kind.capitalize()}"
    return AwsError("SerializationException", told, status=400)


def missing(value: Any, shape: Shape, path: str) -> Iterator[str]:
    """The paths of required members that are not there, as AWS writes them."""
    if not _requires(shape):
        return
    if shape.type == "structure" and isinstance(value, Mapping):
        for name, member in shape.members.items():
            place = f"{path}{name[:1].lower()}{name[1:]}"
            if name in value:
                yield from missing(value[name], member.shape, f"{place}.")
            elif name in shape.required:
                yield place
    elif shape.type == "list" and isinstance(value, list) and shape.member is not None:
        for number, item in enumerate(value, 1):
            yield from missing(item, shape.member.shape, f"{path}{number}.member.")
    elif shape.type == "map" and isinstance(value, Mapping) and shape.value is not None:
        for name, item in value.items():
            yield from missing(item, shape.value.shape, f"{path}{name}.member.")


@lru_cache(maxsize=4_096)
def _requires(shape: Shape) -> bool:
    """Whether anything within a shape is required."""
    return any(part.required for part in within(shape))


def within(shape: Shape) -> list[Shape]:
    """A shape and all that it is made of, each once."""
    parts, known = [shape], {id(shape)}
    for part in parts:
        inner = (member.shape for member in (*part.members.values(), part.member, part.value) if member is not None)
        for item in inner:
            if id(item) not in known:
                known.add(id(item))
                parts.append(item)
    return parts


def _lacking(meant: Meant, path: str) -> AwsError:
    if meant.service.name == "sqs":  # its API Reference, "Common errors"
        return AwsError(
            "MissingParameter", f"The request must contain the parameter {path[:1].upper()}{path[1:]}.", status=400
        )
    told = f"1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    return AwsError("ValidationException", told, status=400)
