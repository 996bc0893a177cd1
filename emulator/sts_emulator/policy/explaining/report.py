"""Owns how an explanation reads: its JSON turned into a few indented lines that a newcomer understands at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.layers import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

YES, NO, IDLE = "✓", "✗", "·"
VERDICTS: Mapping[str, str] = {
    "allow": "ALLOWED",
    "explicit_deny": "DENIED by an explicit Deny",
    "implicit_deny": "DENIED because nothing allows it",
}
SAYS: Mapping[str, str] = {"allow": "allows", "explicit_deny": "denies", "implicit_deny": "says nothing"}
GRANTS: Mapping[str, str] = {"direct": "named itself", "role": "named by its role", "account": "named by its account"}


def text_of(explanation: Mapping[str, object]) -> str:
    """An explanation (the JSON of `Explanation.to_json`) as text, ending without a line break."""
    return "\n".join(lines_of(explanation))


def lines_of(explanation: Mapping[str, Any]) -> list[str]:
    """The same line by line; what others sent is in them as it came, perhaps with line breaks of its own."""
    return [
        *_head(explanation),
        *(line for layer in explanation["layers"] for line in _layer(layer, explanation["request"]["action"])),
        *_tail(explanation),
    ]


def refused_before(evidence: JsonObject) -> list[str]:
    """What an event's evidence tells of a proof that was refused before any policy was asked."""
    lines = ["no policy was asked: the request was decided before that"]
    if "refused" in evidence:
        lines = [f"no policy was asked: {evidence['refused']}"]
    for name, told in evidence.items():
        if name in BLOCKS:
            lines += [f"  {BLOCKS[name]}", *(f"    | {line}" for line in str(told).split("\n"))]
        elif name != "refused" and told not in (None, "", [], {}):
            lines.append(f"  {name:<14} {_plain(told)}")
    return lines


BLOCKS: Mapping[str, str] = {
    "canonicalRequest": "the canonical request, as it arrived:",
    "stringToSign": "the string to sign of it:",
}


def _plain(told: object) -> str:
    if isinstance(told, dict):
        return ", ".join(f"{name} {_plain(member)}" for name, member in told.items())
    return ", ".join(map(_plain, told)) if isinstance(told, list | tuple) else str(told)


def _head(explanation: Mapping[str, Any]) -> Iterator[str]:
    asked, caller = explanation["request"], explanation["request"]["principal"]
    decided = "".join(f" ({words(layer, asked['action']).all})" for layer in explanation["decided_by"])
    mark = YES if explanation["decision"] == "allow" else NO
    yield f"{mark} {asked['action']} {VERDICTS[explanation['decision']]}{decided}"
    yield f"  on      {asked['resource']}"
    yield f"  caller  {caller['value']} ({caller['type']})"
    if "origin" in asked:
        yield f"  origin  {asked['origin']}"
    yield ""


def _layer(layer: Mapping[str, Any], action: str) -> Iterator[str]:
    name = words(layer["layer"], action).all
    if layer["layer"] in ("scp", "rcp"):
        name += f", level {layer['level']}"
    if not layer["consulted"]:
        yield f"  {IDLE} {name}: not consulted, {layer['why']}"
        return
    verdict = layer["decision"]
    blocks = verdict == "explicit_deny" or (layer["required"] and verdict != "allow")
    mark = YES if verdict == "allow" else NO if blocks else IDLE
    if not layer["policies"]:
        yield f"  {mark} {name}: there is none; {layer['why']}"
        return
    yield f"  {mark} {name}: {SAYS[verdict]}; {layer['why']}"
    several = len(layer["policies"]) > 1
    for policy in layer["policies"]:
        for statement in policy["statements"]:
            yield from _statement(statement, f"{policy['ref']}." if several else "")


def _statement(statement: Mapping[str, Any], prefix: str) -> Iterator[str]:
    sid = f' "{statement["sid"]}"' if statement["sid"] else ""
    outcome = "applies" if statement["applies"] else "does not apply"
    mark = YES if statement["applies"] is (statement["effect"] == "Allow") else NO
    yield f"      {mark} {prefix}Statement[{statement['index']}]{sid} {statement['effect']}: {outcome}"
    for name in ("action", "principal", "resource"):
        if statement[name] is not None:
            yield from _element(statement[name])
    for condition in statement["conditions"]:
        yield from _condition(condition)


def _element(element: Mapping[str, Any]) -> Iterator[str]:
    name, by = element["element"], element["by"]
    told = by or "no match"
    if name.startswith("Not"):
        told = f"lists it: {by}" if by else "does not list it"
    named = f" ({GRANTS[element['as']]})" if element.get("as") and by else ""
    yield f"          {YES if element['match'] else NO} {name:<9} {told}{named}"
    yield from _hint(element)


def _condition(condition: Mapping[str, Any]) -> Iterator[str]:
    mark = YES if condition["result"] else NO
    yield f"          {mark} {condition['operator']} {condition['key']}"
    if not condition["result"] or condition["reason"] != "matched":
        requested = condition["request_values"]
        yield f"              request: {', '.join(requested) if requested else '(absent)'}"
        yield f"              policy:  {', '.join(map(_value, condition['policy_values'])) or '(nothing)'}"
    yield from _hint(condition)


def _value(value: JsonObject) -> str:
    raw, resolved = value["raw"], value["resolved"]
    if resolved == raw:
        return str(raw)
    return f"{raw} (here: {'no value' if resolved is None else resolved})"


def _hint(trace: Mapping[str, object]) -> Iterator[str]:
    if trace["hint"]:
        yield f"              → {trace['hint']}"


def _tail(explanation: Mapping[str, Any]) -> Iterator[str]:
    changes = explanation["changes"]
    if changes:
        yield ""
        yield "  To allow it (each tried and found to work):"
        for number, change in enumerate(changes, start=1):
            first, *rest = [edit["text"] for edit in change["edits"]]
            yield f"    {number}. {first}"
            yield from (f"       and {text}" for text in rest)
            yield from (f"       ! this also admits {whom}" for whom in change["admits"])
    depends = [dependency["key"] for dependency in explanation["depends_on"]]
    if depends:
        yield ""
        yield f"  It would be denied without: {', '.join(depends)}"
