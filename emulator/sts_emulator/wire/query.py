"""The query and ec2 protocols: flat form parameters in, XML out (or JSON, where a query service is asked for it)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import timestamps
from sts_emulator.wire.http import Request, Response, parameters
from sts_emulator.wire.models import Member, Operation, Shape

Parse = Callable[[dict[str, str]], Any]

_INDEX_DIGITS: Final = 10
_MOST_SKIPPED: Final = 10
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_FLOAT = re.compile(r"[+-]?[0-9]{1,308}(\.[0-9]{1,308})?([eE][+-]?[0-9]{1,3})?")
_BOOLEANS: Final = {"true": True, "false": False, "1": True, "0": False}  # docs/aws/wire.md, "Lists and scalars"
_RANGES = {"integer": 31, "long": 63}


# Parameters in ----------------------------------------------------------------------------------------------------


def parse(operation: Operation, request: Request) -> dict[str, Any]:
    """Parameters of a query request; those that the model does not know are dropped (docs/aws/wire.md, "Routing")."""
    compiled = operation.compiled.get("parse")
    if compiled is None:
        shape = operation.input or Shape("", "structure")
        compiled = operation.compiled["parse"] = _structure_parser(shape, ec2=operation.service.protocol == "ec2")
    pairs = parameters(request).copy()
    pairs.pop("Action", None)  # of each request, and members of none
    pairs.pop("Version", None)
    result: dict[str, Any] = compiled(pairs)
    return result


def _parser(shape: Shape, *, ec2: bool) -> Parse:
    """A parser of pairs whose names are what follows the member's own name and a dot; "" is the member's own value."""
    if shape.type == "structure":
        return _structure_parser(shape, ec2=ec2)
    if shape.type == "list":
        return _list_parser(shape, ec2=ec2)
    if shape.type == "map":
        return _map_parser(shape, ec2=ec2)
    convert = scalar_parser(shape)
    return lambda pairs: convert(pairs.get("", ""))


def _structure_parser(shape: Shape, *, ec2: bool) -> Parse:
    scalars: dict[str, tuple[str, Callable[[str], Any]]] = {}
    nested: dict[str, tuple[str, Parse]] = {}
    for member in shape.members.values():
        name = _query_name(member, ec2=ec2)
        if member.shape.type in ("structure", "list", "map"):
            nested[name] = member.name, _parser(member.shape, ec2=ec2)
        else:
            scalars[name] = member.name, scalar_parser(member.shape)
    texts = frozenset(name for name, (of, convert) in scalars.items() if convert is str and of == name)

    def parse_structure(pairs: dict[str, str]) -> dict[str, Any]:
        if texts.issuperset(pairs):  # as nearly always
            return pairs
        result: dict[str, Any] = {}
        deeper: dict[str, dict[str, str]] = {}
        for key, value in pairs.items():
            scalar = scalars.get(key)
            if scalar is not None:
                result[scalar[0]] = scalar[1](value)
            elif nested:
                head, _, rest = key.partition(".")
                if head in nested:
                    deeper.setdefault(head, {})[rest] = value
        for head, group in deeper.items():
            name, parse_member = nested[head]
            result[name] = parse_member(group)
        return result

    return parse_structure


def _list_parser(shape: Shape, *, ec2: bool) -> Parse:
    assert shape.member is not None
    parse_item = _parser(shape.member.shape, ec2=ec2)
    if ec2:
        return lambda pairs: [parse_item(group) for _, group in sorted(_indexed(pairs, "").items())]
    marker = shape.member.location_name or "member"
    return lambda pairs: [None if group is None else parse_item(group) for group in _items(pairs, marker)]


def _map_parser(shape: Shape, *, ec2: bool) -> Parse:
    assert shape.key is not None
    assert shape.value is not None
    key_name, value_name = shape.key.location_name or "key", shape.value.location_name or "value"
    parse_key, parse_value = scalar_parser(shape.key.shape), _parser(shape.value.shape, ec2=ec2)

    def parse_map(pairs: dict[str, str]) -> dict[str, Any]:
        result = {}
        for _, entry in sorted(_indexed(pairs, "entry").items()):
            inner: dict[str, str] = {}
            for name, value in entry.items():
                head, _, rest = name.partition(".")
                if head == value_name:
                    inner[rest] = value
            result[parse_key(entry.get(key_name, ""))] = parse_value(inner)
        return result

    return parse_map


def _items(pairs: dict[str, str], marker: str) -> list[dict[str, str] | None]:
    """What stands at each place of a list, None for one that is left out (docs/aws/wire.md, "Lists and scalars").

    Whether AWS counts a gap in the order sent is not recorded: here one that is filled later is none.
    """
    groups: dict[int, dict[str, str]] = {}
    for key, value in pairs.items():
        head, _, rest = key.partition(".")
        if head == marker:
            index, _, inner = rest.partition(".")
            groups.setdefault(_place(index), {})[inner] = value
    items: list[dict[str, str] | None] = []
    for place, group in sorted(groups.items()):
        skipped = place - 1 - len(items)
        if skipped > _MOST_SKIPPED:
            raise AwsError("MalformedInput", f"Excessively sparse input would skip {skipped} list elements")
        items += [None] * skipped
        items.append(group)
    return items


def _place(index: str) -> int:
    if index.startswith("-"):
        raise AwsError("MalformedInput", f"Key {index} may not have a leading '-'")
    if not (index.isascii() and index.isdigit() and len(index) <= _INDEX_DIGITS):
        raise AwsError("MalformedInput", "Start of list found where not expected")
    if not int(index):
        raise AwsError("MalformedInput", f"{index} is not a valid index")
    return int(index)


def _indexed(pairs: dict[str, str], marker: str) -> dict[int, dict[str, str]]:
    """Group `member.<n>.<rest>` (or `<n>.<rest>` without a marker) by n; n only orders, so a huge one costs nothing."""
    groups: dict[int, dict[str, str]] = {}
    for key, value in pairs.items():
        head, _, rest = key.partition(".") if marker else ("", "", key)
        if head != marker:
            continue
        index, _, inner = rest.partition(".")
        if index.isascii() and index.isdigit() and len(index) <= _INDEX_DIGITS:
            groups.setdefault(int(index), {})[inner] = value
    return groups


def _query_name(member: Member, *, ec2: bool) -> str:
    if not ec2:
        return member.location_name or member.name
    return member.query_name or member.location_name[:1].upper() + member.location_name[1:] or member.name


def scalar_parser(shape: Shape) -> Callable[[str], Any]:
    """How a scalar is read from text; what cannot be read is `MalformedInput`.

    Source: docs/aws/sts.md, "Errors of durations".
    """
    if shape.type in _RANGES:
        return _integer_parser(_RANGES[shape.type])
    return _SCALARS[shape.type]


def _integer_parser(bits: int) -> Callable[[str], int]:
    def parse_integer(text: str) -> int:
        if not text:
            raise AwsError("MalformedInput", "missing value for decimal type")
        if not _INTEGER.fullmatch(text):
            raise AwsError("MalformedInput")
        value = int(text)
        if not -1 << bits <= value < 1 << bits:
            raise AwsError("MalformedInput")
        return value

    return parse_integer


def _boolean(text: str) -> bool:
    value = _BOOLEANS.get(text)
    if value is None:
        raise AwsError("MalformedInput")
    return value


def _float(text: str) -> float:
    if not _FLOAT.fullmatch(text) or not isfinite(float(text)):
        raise AwsError("MalformedInput")
    return float(text)


def _time(text: str) -> float:
    try:
        return timestamps.parse_iso(text)
    except ValueError:
        raise AwsError("MalformedInput") from None


def _blob(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text.encode("ascii", "replace"))
    except binascii.Error:
        raise AwsError("MalformedInput") from None


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "boolean": _boolean,
    "float": _float,
    "double": _float,
    "timestamp": _time,
    "blob": _blob,
}


# Results out ------------------------------------------------------------------------------------------------------


def render_json(operation: Operation, result: Mapping[str, Any], request_id: str) -> Response:
    """A result as JSON, where a query service was asked for it (docs/aws/wire.md, "Errors")."""
    body = ""
    if operation.output is not None:
        body = f'"{operation.result_wrapper}":{_json(operation.output, result)},'
    text = f'{{"{operation.name}Response":{{{body}"ResponseMetadata":{{"RequestId":"{request_id}"}}}}}}'
    headers = [("x-amzn-RequestId", request_id), ("content-type", "application/json")]
    return Response(operation.status, headers, text.encode())


def _json(shape: Shape, value: Any) -> str:
    if shape.type == "structure":
        given = ((shape.members[name], item) for name, item in value.items() if item is not None)
        return "{" + ",".join(f'"{m.location_name or m.name}":{_json(m.shape, item)}' for m, item in given) + "}"
    if shape.type == "list":
        assert shape.member is not None
        item_shape = shape.member.shape
        return "[" + ",".join(_json(item_shape, item) for item in value) + "]"
    if shape.type == "map":
        assert shape.value is not None
        value_shape = shape.value.shape
        entries = (f"{encode_basestring_ascii(name)}:{_json(value_shape, item)}" for name, item in value.items())
        return "{" + ",".join(entries) + "}"
    return _json_scalar(shape, value)


def _json_scalar(shape: Shape, value: Any) -> str:
    if shape.type == "timestamp":
        return _java_double(timestamps.seconds(value))
    if shape.type == "blob":
        return f'"{base64.b64encode(value).decode()}"'
    if shape.type == "boolean":
        return "true" if value else "false"
    return encode_basestring_ascii(value) if shape.type == "string" else repr(value)


def _java_double(value: float) -> str:
    """Seconds as the service writes them, `1.514869445E9` (docs/aws/wire.md, "Errors")."""
    return f"{value / 1e9!r}E9" if value >= 1e9 else repr(value)  # noqa: PLR2004  # from 2001 on
