"""Results of the query and ec2 protocols as XML, laid out as the services lay it out (docs/aws/wire.md, "Results")."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import timestamps
from sts_emulator.wire.http import Response
from sts_emulator.wire.models import Member, Operation, Shape

Write = Callable[[Any], str]

_SPECIAL: Final = "[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"  # a text: few answers need it compiled
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_TO_LOOK_AT: Final = bytes(code not in range(0x20, 0x7F) or chr(code) in _ENTITIES for code in range(256))
"""Of each byte whether a text that has it is looked at for what is special."""


def render_query(operation: Operation, result: Mapping[str, Any], request_id: str) -> Response:
    """A result in the query envelope; an operation without output has no result element.

    Source: docs/aws/iam.md, "Service constants".
    """
    compiled = operation.compiled.get("render")
    if compiled is None:
        compiled = operation.compiled["render"] = _envelope(operation)
    write, end = compiled
    body = f"{write(result)}{request_id}{end}".encode("utf-8", "replace")
    return Response(operation.status, [("x-amzn-RequestId", request_id), ("content-type", "text/xml")], body)


def _envelope(operation: Operation) -> tuple[Write, str]:
    """The writer of all that is before the request id, and what follows it."""
    head = f'<{operation.name}Response xmlns="{operation.service.xmlns}">\n'
    tail = "  <ResponseMetadata>\n    <RequestId>"
    end = f"</RequestId>\n  </ResponseMetadata>\n</{operation.name}Response>\n"
    if operation.output is None:
        return lambda _result: head + tail, end
    name = operation.result_wrapper or f"{operation.name}Result"
    around = f"{head}  <{name}>\n", f"  </{name}>\n{tail}", f"{head}  <{name}/>\n{tail}"
    return _content(operation.output, 2, _QUERY_STYLE, *around), end


def render_ec2(operation: Operation, result: Mapping[str, Any], request_id: str) -> Response:
    """A result as EC2 writes it: members beside the request id, `return` for an operation without output."""
    compiled = operation.compiled.get("render")
    if compiled is None:
        compiled = operation.compiled["render"] = _content(operation.output or _RETURN, 1, _EC2_STYLE)
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation.name}Response xmlns="{operation.service.xmlns}/">\n'
        f"    <requestId>{request_id}</requestId>\n"
        f"{compiled(result if operation.output else {'return': True})}"
        f"</{operation.name}Response>\n"
    )
    return Response(
        operation.status,
        [("x-amzn-RequestId", request_id), ("content-type", "text/xml;charset=UTF-8")],
        text.encode("utf-8", "replace"),
    )


@dataclass(frozen=True, slots=True)
class _Style:
    """How a protocol lays its XML out: indentation, the name of list items where the model has none, timestamps."""

    indent: str
    item: str
    time: Callable[[Any], str]


_QUERY_STYLE = _Style("  ", "member", timestamps.iso_as_given)
_EC2_STYLE = _Style("    ", "item", timestamps.iso_milliseconds)
_RETURN = Shape("", "structure", members={"return": Member("return", Shape("", "boolean"))})  # EC2's void result


def _element(name: str, shape: Shape, depth: int, style: _Style) -> Write:
    """A writer of one element of that name at that depth, on lines of its own."""
    pad = style.indent * depth
    if shape.type not in ("structure", "list", "map"):
        start, end = f"{pad}<{name}>", f"</{name}>\n"
        if shape.type == "string":
            return _text_between(start, end)
        text = _scalar(shape, style)
        return lambda value: f"{start}{text(value)}{end}"
    return _content(shape, depth + 1, style, f"{pad}<{name}>\n", f"{pad}</{name}>\n", f"{pad}<{name}/>\n")


def _content(shape: Shape, depth: int, style: _Style, start: str = "", end: str = "", empty: str = "") -> Write:
    """A writer of what is in a structure, list or map, between a start and an end; `empty` stands for nothing."""
    if shape.type == "list":
        assert shape.member is not None
        item = _element(shape.member.location_name or style.item, shape.member.shape, depth, style)
        return lambda values: f"{start}{''.join(map(item, values))}{end}" if values else empty
    if shape.type == "map":
        entries = _entries(shape, depth, style)
        return lambda values: f"{start}{entries(values)}{end}" if values else empty
    writers: dict[str, Write] = {}

    def write_members(values: Mapping[str, Any]) -> str:
        if not values:
            return empty
        if not writers:  # compiled when first needed: shapes may contain themselves
            writers.update(_elements(shape, depth, style))  # at once: other threads may write by them
        text = start
        for name, value in values.items():
            if value is not None:
                text += writers[name](value)
        return text + end

    return write_members


def _elements(shape: Shape, depth: int, style: _Style) -> dict[str, Write]:
    return {
        name: _element(member.location_name or name, member.shape, depth, style)
        for name, member in shape.members.items()
    }


def _entries(shape: Shape, depth: int, style: _Style) -> Write:
    assert shape.key is not None
    assert shape.value is not None
    pad = style.indent * depth
    key = _element(shape.key.location_name or "key", shape.key.shape, depth + 1, style)
    content = _element(shape.value.location_name or "value", shape.value.shape, depth + 1, style)

    def write_map(values: Mapping[str, Any]) -> str:
        return "".join([f"{pad}<entry>\n{key(k)}{content(v)}{pad}</entry>\n" for k, v in values.items()])

    return write_map


def _scalar(shape: Shape, style: _Style) -> Callable[[Any], str]:
    if shape.type == "timestamp":
        return style.time
    if shape.type == "boolean":
        return lambda value: "true" if value else "false"
    if shape.type == "blob":
        return lambda value: base64.b64encode(value).decode()
    return repr


def _text_between(start: str, end: str) -> Callable[[str], str]:
    def write(text: str) -> str:
        if not text.isascii() or 1 in text.encode().translate(_TO_LOOK_AT):  # as few are, which is soon found out
            text = re.sub(_SPECIAL, _escaped, text)
        return f"{start}{text}{end}"

    return write


def _escaped(special: re.Match[str]) -> str:
    return _ENTITIES.get(special[0], "\ufffd")


escape = _text_between("", "")
"""Character data: markup escaped, a carriage return kept, and what XML 1.0 cannot hold replaced by U+FFFD."""
