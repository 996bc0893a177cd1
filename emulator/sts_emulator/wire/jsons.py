"""The json and rest-json protocols: JSON bodies in and out, with what rest-json keeps in path, query and headers."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import timestamps
from sts_emulator.wire.http import Request, Response, pairs, unquote
from sts_emulator.wire.models import Member, Operation, Shape, UnsupportedModelError

Convert = Callable[[Any], Any]

MAX_DEPTH: Final = 64
"""Nesting of a JSON body; no model needs ten levels, and a document is someone else's recursion later."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_RANGES = {"integer": 31, "long": 63}
_TOKENS = {
    str: "STRING_VALUE",
    bool: "BOOLEAN_VALUE",
    int: "NUMBER_VALUE",
    float: "NUMBER_VALUE",
    list: "START_ARRAY",
    dict: "START_OBJECT",
    type(None): "VALUE_NULL",
}


def _no_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


# Parameters in ----------------------------------------------------------------------------------------------------


def parse(operation: Operation, request: Request) -> dict[str, Any]:
    """Parameters of a json or rest-json request; unknown members are dropped, nulls are absent.

    Raises:
        AwsError: `SerializationException` for a body that is not JSON, nested too deeply, or of other types.
    """
    compiled = operation.compiled.get("parse")
    if compiled is None:
        shape = operation.input or Shape("", "structure")
        rest = operation.service.protocol == "rest-json"
        compiled = operation.compiled["parse"] = _rest_parser(operation, shape) if rest else _json_parser(shape)
    result: dict[str, Any] = compiled(request)
    return result


def _json_parser(shape: Shape) -> Callable[[Request], Any]:
    convert = _reader(shape)
    return lambda request: convert(load(request.body))


def _rest_parser(operation: Operation, shape: Shape) -> Callable[[Request], Any]:
    labels = _labels(operation, shape)
    located = {m.name: _located_reader(operation, m) for m in shape.members.values() if m.location not in ("", "uri")}
    body = _body_reader(shape)
    uses_body = body is not None or any(m.location == "queryOrBody" for m in shape.members.values())

    def parse_rest(request: Request) -> dict[str, Any]:
        content = load(request.body) if uses_body else {}
        result: dict[str, Any] = body(content) if body else {}
        if labels:
            segments = request.raw_path[1:].split("/")
            result.update({name: unquote(segments[place]) for place, name in labels})
        if located:
            query = pairs(request.query)
            for name, read in located.items():
                value = read(request, query, content)
                if value is not None:
                    result[name] = value
        return result

    return parse_rest


def _labels(operation: Operation, shape: Shape) -> list[tuple[int, str]]:
    """(segment of the path, member) of each label in the URI template."""
    names = {m.location_name or m.name: m for m in shape.members.values() if m.location == "uri"}
    labels = []
    for place, segment in enumerate(operation.uri.partition("?")[0][1:].split("/")):
        if segment.startswith("{"):
            member = names.get(segment[1:-1])
            if member is None or member.shape.type != "string":
                raise UnsupportedModelError(f"{operation.service.name}: label `{segment}` of {operation.name}")
            labels.append((place, member.name))
    return labels


def _body_reader(shape: Shape) -> Convert | None:
    if shape.payload:
        read = _reader(shape.members[shape.payload].shape)
        return lambda content: {shape.payload: read(content)}
    inside = {name: member for name, member in shape.members.items() if not member.location}
    return _structure_reader(inside) if inside else None


def _located_reader(operation: Operation, member: Member) -> Callable[[Request, list[tuple[str, str]], Any], Any]:
    name = member.location_name or member.name
    if member.location == "header" and member.shape.type == "string":
        header = name.lower()
        return lambda request, _query, _content: request.headers.get(header)
    if member.location == "queryOrBody" and member.shape.type == "string":  # an overlay's own location
        return lambda _request, query, content: next((v for k, v in query if k == name), _string_or_none(content, name))
    if member.location == "querystring" and member.shape.type == "list" and member.shape.member is not None:
        item = _text_reader(operation, member.shape.member.shape)
        return lambda _request, query, _content: [item(v) for k, v in query if k == name] or None
    if member.location == "querystring":
        convert = _text_reader(operation, member.shape)
        return lambda _request, query, _content: next((convert(v) for k, v in query if k == name), None)
    raise UnsupportedModelError(f"{operation.service.name}: {member.location} `{member.name}` of {operation.name}")


def _string_or_none(content: Any, name: str) -> str | None:
    value = content.get(name) if isinstance(content, dict) else None
    return None if value is None else _string(value)


def _text_reader(operation: Operation, shape: Shape) -> Callable[[str], Any]:
    if shape.type == "string":
        return str
    if shape.type == "boolean":
        return lambda text: _choose({"true": True, "false": False}, text, "Boolean")
    if shape.type in _RANGES:
        return _integer_text
    raise UnsupportedModelError(f"{operation.service.name}: `{shape.type}` in the query of {operation.name}")


def _choose(known: Mapping[str, Any], text: str, wanted: str) -> Any:
    if text not in known:
        raise _unreadable("STRING_VALUE", wanted)
    return known[text]


def _integer_text(text: str) -> int:
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and -(2**31) <= int(text) < 2**31):  # noqa: PLR2004  # int32
        raise _unreadable("STRING_VALUE", "Integer")
    return int(text)


def load(body: bytes) -> Any:
    """A JSON body as Python, an empty one as `{}`.

    Raises:
        AwsError: `SerializationException` for anything that is not JSON, too deep, or not valid Unicode.
    """
    if not body or body.isspace():
        return {}
    try:
        content = _DECODER.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):  # UnicodeDecodeError and over-long integers are ValueErrors
        raise AwsError("SerializationException") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth_exceeds(content, MAX_DEPTH):
        raise AwsError("SerializationException")
    if _SURROGATE.search(body) and _has_lone_surrogate(content):
        raise AwsError("SerializationException")
    return content


def _depth_exceeds(content: Any, limit: int) -> bool:
    level = [content]
    for _ in range(limit + 1):
        containers = [item for item in level if isinstance(item, dict | list)]
        if not containers:
            return False
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
    return True


def _has_lone_surrogate(content: Any) -> bool:
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _reader(shape: Shape) -> Convert:
    """How a value of this shape is read from decoded JSON."""
    if shape.document:
        return _as_is
    if shape.type == "structure":
        return _structure_reader(shape.members)
    if shape.type == "list":
        return _list_reader(shape)
    if shape.type == "map":
        return _map_reader(shape)
    if shape.type in _RANGES:
        return _integer_reader(_RANGES[shape.type])
    readers = {"string": _string, "boolean": _boolean, "float": _float, "double": _float, "blob": _blob}
    return _time_reader(shape) if shape.type == "timestamp" else readers[shape.type]


def _structure_reader(members: Mapping[str, Member]) -> Convert:
    named = [(member.location_name or member.name, member) for member in members.values()]
    readers: dict[str, tuple[str, Convert]] = {}

    def read(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected(value, "structure or map")
        if not readers:  # compiled when first needed: shapes may contain themselves
            readers.update({key: (member.name, _reader(member.shape)) for key, member in named})
        result = {}
        for key, item in value.items():
            known = readers.get(key)
            if known is not None and item is not None:
                result[known[0]] = known[1](item)
        return result

    return read


def _list_reader(shape: Shape) -> Convert:
    assert shape.member is not None
    read = _reader(shape.member.shape)

    def read_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise _unexpected(value, "list")
        return [None if item is None else read(item) for item in value]

    return read_list


def _map_reader(shape: Shape) -> Convert:
    assert shape.value is not None
    read = _reader(shape.value.shape)

    def read_map(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _unexpected(value, "structure or map")
        return {key: read(item) for key, item in value.items() if item is not None}

    return read_map


def _integer_reader(bits: int) -> Convert:
    wanted = "Integer" if bits == _RANGES["integer"] else "Long"

    def read(value: Any) -> int:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not -1 << bits <= value < 1 << bits:
            raise _unreadable(_token(value), wanted)
        return value

    return read


def _time_reader(shape: Shape) -> Convert:
    def read(value: Any) -> float:
        try:
            if shape.timestamp_format == "iso8601" and isinstance(value, str):
                return timestamps.parse_iso(value)
            if type(value) in (int, float):
                return timestamps.parse_epoch(value)
        except ValueError:
            pass
        raise _unreadable(_token(value), "Date")

    return read


def _as_is(value: Any) -> Any:
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _unreadable(_token(value), "String")
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _unreadable(_token(value), "Boolean")
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float) or not -1.8e308 < value < 1.8e308:  # noqa: PLR2004  # neither infinite nor an int beyond floats
        raise _unreadable(_token(value), "Double")
    return float(value)


def _blob(value: Any) -> bytes:
    try:
        return binascii.a2b_base64(_string(value).encode("ascii"), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError are ValueErrors
        raise _unreadable("STRING_VALUE", "Blob") from None


def _token(value: Any) -> str:
    return _TOKENS[type(value)]


def _unreadable(token: str, wanted: str) -> AwsError:
    return AwsError("SerializationException", f"{token} can not be converted to a {wanted}")


def _unexpected(value: Any, wanted: str) -> AwsError:
    if isinstance(value, dict | list):
        start = "list" if isinstance(value, list) else "structure or map"
        return AwsError("SerializationException", f"Start of {start} found where not expected.")
    return AwsError("SerializationException", f"Unexpected {_token(value)} where a {wanted} was expected")


# Results out ------------------------------------------------------------------------------------------------------


def render(operation: Operation, result: Mapping[str, Any], request_id: str) -> Response:
    """A result as a JSON body with the operation's success status; nothing for an operation without output."""
    service = operation.service
    rest = service.protocol == "rest-json"
    kind = "application/json" if rest else f"application/x-amz-json-{service.json_version}"
    headers = [("x-amzn-RequestId", request_id), ("content-type", kind)]
    if operation.output is None:
        return Response(operation.status, headers, b"")
    compiled = operation.compiled.get("render")
    if compiled is None:
        payload = operation.output.payload
        content = _writer(operation.output.members[payload].shape if payload else operation.output)
        compiled = operation.compiled["render"] = (payload, content)
    payload, write = compiled
    return Response(operation.status, headers, dump(write(result[payload] if payload else result)))


def dump(content: Any) -> bytes:
    """Compact JSON in ASCII, so that no string can be ill-formed UTF-8."""
    return json.dumps(content, separators=(",", ":")).encode()


def _writer(shape: Shape) -> Convert:
    """How a value of this shape becomes what the JSON encoder takes."""
    if shape.document or shape.type in ("string", "boolean", "integer", "long", "float", "double"):
        return _as_is
    if shape.type == "structure":
        return _structure_writer(shape)
    if shape.type == "list":
        assert shape.member is not None
        write = _writer(shape.member.shape)
        return lambda values: [write(value) for value in values]
    if shape.type == "map":
        assert shape.value is not None
        write = _writer(shape.value.shape)
        return lambda values: {name: write(value) for name, value in values.items()}
    if shape.type == "blob":
        return lambda value: base64.b64encode(value).decode()
    return timestamps.iso if shape.timestamp_format == "iso8601" else timestamps.seconds


def _structure_writer(shape: Shape) -> Convert:
    writers: dict[str, tuple[str, Convert]] = {}

    def write(values: Mapping[str, Any]) -> dict[str, Any]:
        if not writers:  # compiled when first needed: shapes may contain themselves
            writers.update({m.name: (m.location_name or m.name, _writer(m.shape)) for m in shape.members.values()})
        result = {}
        for name, value in values.items():
            if value is not None:
                key, convert = writers[name]
                result[key] = convert(value)
        return result

    return write
