"""What can be an answer of a service: a page of HTML, as servers write it when they fail inside, is none."""

from __future__ import annotations

from typing import Final

from sts_emulator.wire.foreign_routing import Meant

_JSON: Final = frozenset({"json", "rest-json"})
_XML: Final = frozenset({"rest-xml", "query", "ec2"})
_HTML: Final = (b"<!doctype html", b"<html")
_ERROR: Final = 400
_LOOKED_AT: Final = 64


def is_one(meant: Meant | None, status: int, body: bytes) -> bool:
    """Whether a body may be of the service: an error has its protocol's form, anything else is no page of HTML."""
    start = body[:_LOOKED_AT].lstrip().lower()
    if meant is None or not start:
        return True
    if status < _ERROR:
        return _is_data(meant) or not start.startswith(_HTML)
    if meant.protocol in _JSON:
        return start.startswith(b"{")
    return not start.startswith(_HTML) and (start.startswith(b"<") or meant.protocol not in _XML)


def _is_data(meant: Meant) -> bool:
    """Whether the answer is bytes or text of a caller's own."""
    output = meant.operation.output
    payload = output.members.get(output.payload) if output is not None else None
    return payload is not None and payload.shape.type in ("blob", "string")
