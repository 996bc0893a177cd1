"""Results of the query and ec2 protocols as XML, laid out as the services lay it out (docs/aws/wire.md, "Results")."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sts_emulator.policy.values import dataclass
from sts_emulator.wire import timestamps
from sts_emulator.wire.http import Response
from sts_emulator.wire.models import Member, Operation, Shape

Write = Callable[[Any], str]

_SPECIAL: Final = "[&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"  # a text: few answers need it compiled
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;"}
_PLAIN: Final = bytes(code for code in range(0x20, 0x7F) if chr(code) not in _ENTITIES)


def render_query(operation: Operation, result: Mapping[str, Any], request_id: str) -> Response:
    """A result in the query envelope; an operation without output has no result element.

    Source: docs/aws/iam.md, "Service constants".
    """
    compiled = operation.compiled.get("render")
    if compiled is None:
        compiled = operation.compiled["render"] = _envelope(operation)
    head, write, tail, end = compiled
    text = f"{head}{write(result) if write else ''}{tail}{request_id}{end}"
    return Response(
        operation.status,
        [("x-amzn-RequestId", request_id), ("content-type", "text/xml")],
        text.encode("utf-8", "replace"),
    )


def _envelope(operation: Operation) -> tuple[str, Write | None, str, str]:
    head = f'<{operation.name}Response xmlns="{operation.service.xmlns}">\n'
    tail = "  <ResponseMetadata>\n    <RequestId>"
    end = f"</RequestId>\n  </ResponseMetadata>\n</{operation.name}Response>\n"
    if operation.output is None:
        return head, None, tail, end
    wrapper = operation.result_wrapper or f"{operation.name}Result"
    return head, _element(wrapper, operation.output, 1, _QUERY_STYLE), tail, end


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
    content: Write | None = None
    start, end, empty = f"{pad}<{name}>\n", f"{pad}</{name}>\n", f"{pad}<{name}/>\n"

    def write(value: Any) -> str:
        nonlocal content
        if not value:
            return empty
        if content is None:  # compiled when first needed: shapes may contain themselves
            content = _content(shape, depth + 1, style)
        return f"{start}{content(value)}{end}"

    return write


def _content(shape: Shape, depth: int, style: _Style) -> Write:
    if shape.type == "list":
        assert shape.member is not None
        item = _element(shape.member.location_name or style.item, shape.member.shape, depth, style)
        return lambda values: "".join(map(item, values))
    if shape.type == "map":
        return _entries(shape, depth, style)
    writers = {
        member.name: _element(member.location_name or member.name, member.shape, depth, style)
        for member in shape.members.values()
    }

    def write_members(values: Mapping[str, Any]) -> str:
        text = ""
        for name, value in values.items():
            if value is not None:
                text += writers[name](value)
        return text

    return write_members


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
        is_plain = text.isascii() and not text.encode().translate(None, _PLAIN)  # as nearly all are, soon found out
        return f"{start}{text if is_plain else re.sub(_SPECIAL, _escaped, text)}{end}"

    return write


def _escaped(special: re.Match[str]) -> str:
    return _ENTITIES.get(special[0], "\ufffd")


escape = _text_between("", "")
"""Character data: markup escaped, a carriage return kept, and what XML 1.0 cannot hold replaced by U+FFFD."""
