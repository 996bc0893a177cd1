"""Constraints of the model, checked as AWS checks them and refused in its words.

Source: docs/aws/wire.md, "Validation by STS", "Validation by IAM".

A request is first judged by compiled predicates; only one that fails is walked again for the text. All violations are
reported in one message: members in the model's order, for each member its pattern before its lengths.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import patterns
from sts_emulator.wire.models import Operation, Shape, UnsupportedModelError
from sts_emulator.wire.pattern_syntax import PatternError

Check = Callable[[Any], bool]

# IAM has left the value and the enum's members out since 2025 (docs/aws/wire.md, "Validation by IAM")
_TERSE: Final = frozenset(("iam",))
_OWN_WORDS: Final[Mapping[str, str]] = {  # of a bad name or path alone IAM speaks in words of its own, by shape
    **dict.fromkeys(
        (
            *("userNameType", "existingUserNameType", "groupNameType", "roleNameType", "policyNameType"),
            "instanceProfileNameType",
        ),
        "It must contain only alphanumeric characters and/or the following: +=,.@_-",
    ),
    "pathType": "It must begin and end with / and contain only alphanumeric characters and/or / characters.",
    "pathPrefixType": (
        "It must begin with the / character and contain only alphanumeric characters and/or / characters."
    ),
}
_CODES: Final = ("ValidationException", "InvalidParameterException", "InvalidRequestException")
_NUMBERS = frozenset(("integer", "long", "float", "double"))


def validate(operation: Operation, params: Mapping[str, Any]) -> None:
    """Check parsed parameters against the operation's input shape.

    Raises:
        AwsError: `ValidationError` (query), `MissingParameter` (ec2), or the one of `ValidationException`,
            `InvalidParameterException` and `InvalidRequestException` that the operation declares (JSON).
    """
    check = operation.compiled.get("validate")
    if check is None:
        check = operation.compiled["validate"] = _top(operation)
    if not check(params):
        raise _refusal(operation, params)


def _refusal(operation: Operation, params: Mapping[str, Any]) -> AwsError:
    assert operation.input is not None
    if operation.service.protocol == "ec2":
        return _ec2_refusal(operation.input, params)
    terse = operation.service.name in _TERSE
    problems = list(_structure_problems(operation.input, params, "", terse=terse))
    own = list(_own_words(operation.input, params)) if terse else []
    if own and len(own) == len(problems):
        return AwsError("ValidationError", own[0], status=400)
    plural = "s" if len(problems) > 1 else ""
    message = f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}"
    code = "ValidationError"
    if operation.service.protocol != "query":
        code = next((code for code in _CODES if code in operation.errors), _CODES[0])
    return AwsError(code, message, status=400)


def _ec2_refusal(shape: Shape, params: Mapping[str, Any]) -> AwsError:
    """EC2 checks its parameters by hand; of the model's constraints only presence is taken over."""
    missing = next(name for name in shape.members if name in shape.required and params.get(name) is None)
    return AwsError("MissingParameter", f"The request must contain the parameter {missing}", status=400)


# Judging ----------------------------------------------------------------------------------------------------------


def _top(operation: Operation) -> Check:
    if operation.input is None:
        return lambda _params: True
    if operation.service.protocol == "ec2":
        required = operation.input.required
        return lambda params: params.keys() >= required
    try:
        return _structure_check(operation.input) or (lambda _params: True)
    except PatternError as error:
        raise UnsupportedModelError(f"{operation.service.name}: {operation.name}: {error}") from error


def _check(shape: Shape) -> Check | None:
    """A predicate for the values of this shape, None where any value will do."""
    if shape.type == "structure":
        return _structure_check(shape)
    if shape.type == "list":
        return _list_check(shape)
    if shape.type == "map":
        return _map_check(shape)
    return _string_check(shape) if shape.type == "string" else _size_check(shape)


def _size_check(shape: Shape) -> Check | None:
    """Limits of a number, or of a blob's length."""
    if shape.min is None and shape.max is None:
        return None
    low, high = _bounds(shape)
    if shape.type in _NUMBERS:
        return lambda value: low <= value <= high
    return lambda value: low <= len(value) <= high


def _structure_check(shape: Shape) -> Check | None:
    checks = {name: _check(member.shape) for name, member in shape.members.items()}
    required = shape.required
    if not any(checks.values()):
        return (lambda values: values.keys() >= required) if required else None
    known = {name: check or _anything for name, check in checks.items()}

    def check_structure(values: Mapping[str, Any]) -> bool:
        for name, value in values.items():
            if not known[name](value):
                return False
        return values.keys() >= required

    return check_structure


def _anything(_value: Any) -> bool:
    return True


def _list_check(shape: Shape) -> Check:
    assert shape.member is not None
    inner = _check(shape.member.shape)
    low, high = _bounds(shape)

    def check_list(values: list[Any]) -> bool:
        if not low <= len(values) <= high or None in values:
            return False
        return inner is None or all(map(inner, values))

    return check_list


def _map_check(shape: Shape) -> Check | None:
    assert shape.key is not None
    assert shape.value is not None
    key_check, value_check = _check(shape.key.shape), _check(shape.value.shape)
    low, high = _bounds(shape)

    def check_map(values: Mapping[str, Any]) -> bool:
        if not low <= len(values) <= high:
            return False
        if key_check is not None and not all(map(key_check, values)):
            return False
        return value_check is None or all(map(value_check, values.values()))

    return check_map


def _string_check(shape: Shape) -> Check | None:
    if shape.enum:
        return frozenset(shape.enum).__contains__
    if shape.pattern:
        longest = sys.maxsize if shape.max is None else int(shape.max)
        return patterns.matcher(shape.pattern, int(shape.min or 0), longest)
    if shape.min is None and shape.max is None:
        return None
    low, high = _bounds(shape)
    return lambda value: low <= (len(value) if value.isascii() else patterns.length(value)) <= high


def _bounds(shape: Shape) -> tuple[float, float]:
    low = float("-inf") if shape.min is None else shape.min
    return low, float("inf") if shape.max is None else shape.max


# Wording ----------------------------------------------------------------------------------------------------------


def _own_words(shape: Shape, values: Mapping[str, Any]) -> Iterator[str]:
    """IAM's sentences about names and paths that break their pattern (recorded, tests/iam/cases/names.json)."""
    for name, member in shape.members.items():
        words = _OWN_WORDS.get(member.shape.name)
        if words and name in values and not patterns.matcher(member.shape.pattern)(values[name]):
            yield f"The specified value for {name[:1].lower()}{name[1:]} is invalid. {words}"


def _structure_problems(shape: Shape, values: Mapping[str, Any], prefix: str, *, terse: bool) -> Iterator[str]:
    for name, member in shape.members.items():
        path = f"{prefix}{name[:1].lower()}{name[1:]}"
        value = values.get(name)
        if value is not None:
            yield from _problems(member.shape, value, path, terse=terse)
        elif name in shape.required:
            yield _null(path, terse=terse)


def _problems(shape: Shape, value: Any, path: str, *, terse: bool) -> Iterator[str]:
    if shape.type == "structure":
        yield from _structure_problems(shape, value, f"{path}.", terse=terse)
        return
    shown = "Value" if terse or shape.sensitive else f"Value '{_shown(value)}'"
    for constraint in _violated(shape, value, terse=terse):
        yield f"{shown} at '{path}' failed to satisfy constraint: {constraint}"
    if shape.type == "list":
        yield from _item_problems(shape, value, path, shown, terse=terse)
    elif shape.type == "map":
        yield from _entry_problems(shape, value, path, shown, terse=terse)


def _item_problems(shape: Shape, values: list[Any], path: str, shown: str, *, terse: bool) -> Iterator[str]:
    """Structures are named one by one; of scalars the whole list is shown once, with all that an item must satisfy.

    Both as AWS services write it: `'tags.6.member.value'` (IAM), `Member must satisfy constraint: [...]` (Lambda, ACM).
    """
    assert shape.member is not None
    item = shape.member.shape
    if item.type in ("structure", "list", "map"):
        for number, value in enumerate(values, 1):
            place = f"{path}.{number}.member"
            yield from [_null(place, terse=terse)] if value is None else _problems(item, value, place, terse=terse)
        return
    check = _check(item)
    if None in values or (check is not None and not all(map(check, values))):
        every = ", ".join(_every_constraint(item, terse=terse))
        yield f"{shown} at '{path}' failed to satisfy constraint: Member must satisfy constraint: [{every}]"


def _entry_problems(shape: Shape, values: Mapping[str, Any], path: str, shown: str, *, terse: bool) -> Iterator[str]:
    assert shape.key is not None
    assert shape.value is not None
    key_check, item = _check(shape.key.shape), shape.value.shape
    if key_check is not None and not all(map(key_check, values)):
        every = ", ".join(_every_constraint(shape.key.shape, terse=terse))
        yield f"{shown} at '{path}' failed to satisfy constraint: Map keys must satisfy constraint: [{every}]"
    if item.type in ("structure", "list", "map"):
        for name, value in values.items():
            yield from _problems(item, value, f"{path}.{name}.member", terse=terse)
        return
    value_check = _check(item)
    if value_check is not None and not all(map(value_check, values.values())):
        every = ", ".join(_every_constraint(item, terse=terse))
        yield f"{shown} at '{path}' failed to satisfy constraint: Map value must satisfy constraint: [{every}]"


def _null(path: str, *, terse: bool) -> str:
    return f"Value{'' if terse else ' null'} at '{path}' failed to satisfy constraint: Member must not be null"


def _violated(shape: Shape, value: Any, *, terse: bool) -> Iterator[str]:
    """The constraints that a value itself violates: enum, pattern, then its limits."""
    if shape.type == "string":
        if shape.enum and value not in shape.enum:
            yield _enum(shape, terse=terse)
        if shape.pattern and not patterns.matcher(shape.pattern)(value):
            yield f"Member must satisfy regular expression pattern: {shape.pattern}"
    if shape.min is None and shape.max is None:
        return
    measured = value if shape.type in _NUMBERS else patterns.length(value) if shape.type == "string" else len(value)
    low, high = _bounds(shape)
    if measured > high:
        yield _limit(shape, "less", shape.max)
    if measured < low:
        yield _limit(shape, "greater", shape.min)


def _every_constraint(shape: Shape, *, terse: bool) -> Iterator[str]:
    if shape.max is not None:
        yield _limit(shape, "less", shape.max)
    if shape.min is not None:
        yield _limit(shape, "greater", shape.min)
    if shape.pattern:
        yield f"Member must satisfy regular expression pattern: {shape.pattern}"
    if shape.enum:
        yield _enum(shape, terse=terse)
    if terse:  # IAM names it among the rest (recorded 2026-09)
        yield "Member must not be null"


def _enum(shape: Shape, *, terse: bool) -> str:
    return "Member must satisfy enum value set" + ("" if terse else f": [{', '.join(shape.enum)}]")


def _limit(shape: Shape, side: str, limit: float | None) -> str:
    what = "value" if shape.type in _NUMBERS else "length"
    return f"Member must have {what} {side} than or equal to {limit}"


def _shown(value: Any) -> str:
    """A value as Java prints it; structures print as an object's identity there, which nobody can rely on."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join('null' if item is None else _shown(item) for item in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}={_shown(item)}' for name, item in value.items())}}}"
    return "java.nio.HeapByteBuffer" if isinstance(value, bytes) else str(value)
