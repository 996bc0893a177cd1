"""Where the statements of a policy stand in its text, by line and column, as IAM's simulator counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sts_emulator.policy.json_types import Json

_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"

Span = tuple[int, int]


def statements(text: str) -> list[dict[str, Json]]:
    """`StartPosition` and `EndPosition` of every statement of a document that parses.

    The first statement begins behind the bracket or colon before it, every other where the one before it ends; all end
    behind their closing brace, and lines and columns count from one (recorded, tests/iam/cases/simulation.json).
    """
    return [
        {"StartPosition": _position(text, start), "EndPosition": _position(text, end)} for start, end in _spans(text)
    ]


def _position(text: str, offset: int) -> dict[str, int]:
    line_start = text.rfind("\n", 0, offset) + 1
    return {"Line": text.count("\n", 0, offset) + 1, "Column": offset - line_start + 1}


def _spans(text: str) -> list[Span]:
    for name, start in _members(text):
        if name == "Statement":
            value = _skip(text, start)
            return list(_elements(text, value)) if text[value] == "[" else [(start, _end(text, value))]
    return []


def _members(text: str) -> Iterator[tuple[str, int]]:
    """Name and start of the value (behind the colon) of each member of the document."""
    place = _skip(text, _skip(text, 0) + 1)
    while text[place] == '"':
        name, place = _DECODER.raw_decode(text, place)
        start = _skip(text, place) + 1
        yield name, start
        place = _skip(text, _end(text, _skip(text, start)))
        if text[place] == ",":
            place = _skip(text, place + 1)


def _elements(text: str, bracket: int) -> Iterator[Span]:
    start = bracket + 1
    place = _skip(text, start)
    while text[place] != "]":
        end = _end(text, place)
        yield start, end
        start, place = end, _skip(text, end)
        if text[place] == ",":
            place = _skip(text, place + 1)


def _end(text: str, start: int) -> int:
    return int(_DECODER.raw_decode(text, start)[1])


def _skip(text: str, place: int) -> int:
    while text[place] in _SPACE:
        place += 1
    return place
