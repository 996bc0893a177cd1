"""Policy documents with marks: which statement and which condition decided, at the very place where it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sts_emulator.policy.light_dataclass import dataclass

LONGEST: Final = 1_500
"""Characters of a line; lists of actions can be much longer."""

YES, NO, NONE = "yes", "no", ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document; `mark` says whether what it tests matched, `hint` why not."""

    text: str
    mark: str = NONE
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Marked:
    """A statement; `state` is what it did: `allows`, `denies`, or nothing."""

    anchor: str
    state: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class MarkedPolicy:
    """A document; `decision` is what it says of the request."""

    title: str
    decision: str
    statements: tuple[Marked, ...]


def marked(title: str, anchor: str, text: str, policy: Mapping[str, Any]) -> MarkedPolicy:
    """A policy's text with the marks of its trace (`policies` of an explanation)."""
    document = json.loads(text)
    listed = document.get("Statement", [])
    listed = listed if isinstance(listed, list) else [listed]
    statements = tuple(
        _statement(f"{anchor}-{trace['index']}", source, trace)
        for source, trace in zip(listed, policy["statements"], strict=False)
    )
    return MarkedPolicy(title, policy["decision"], statements)


def _statement(anchor: str, source: Mapping[str, object], trace: Mapping[str, object]) -> Marked:
    state = NONE
    if trace["applies"]:
        state = "allows" if trace["effect"] == "Allow" else "denies"
    return Marked(anchor, state, tuple(_lines(source, trace)))


def _lines(source: Mapping[str, Any], trace: Mapping[str, Any]) -> Iterator[Line]:
    yield Line("{")
    for name, value in source.items():
        if name == "Condition" and isinstance(value, dict):
            yield Line('  "Condition": {')
            yield from _conditions(value, trace["conditions"])
            yield Line("  }")
            continue
        element = trace.get(name.lower().removeprefix("not"))
        told = element if isinstance(element, dict) else None
        yield Line(
            f'  "{name}": {_short(value)}',
            NONE if told is None else YES if told["match"] else NO,
            told["hint"] if told and not told["match"] else "",
        )
    yield Line("}")


def _conditions(blocks: Mapping[str, Any], traces: list[Mapping[str, Any]]) -> Iterator[Line]:
    by_place = {(trace["operator"], trace["key"]): trace for trace in traces}
    for operator, block in blocks.items():
        yield Line(f"    {json.dumps(operator)}: {{")
        for key, values in block.items() if isinstance(block, dict) else ():
            trace = by_place.get((operator, key))
            text = f"      {json.dumps(key, ensure_ascii=False)}: {_short(values)}"
            yield Line(text) if trace is None else Line(text, YES if trace["result"] else NO, _why(trace))
        yield Line("    }")


def _why(trace: Mapping[str, Any]) -> str:
    if trace["result"]:
        return ""
    values = trace["request_values"]
    asked = f"the request has {', '.join(values)}" if values else "the request has no such key"
    return f"{asked}: {trace['hint']}" if trace["hint"] else asked


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
