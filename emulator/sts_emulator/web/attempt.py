"""One attempt, whole: the five steps, the evidence, what each policy said, the nearest miss, session and messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sts_emulator.accounts import resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import Event
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.explaining.report import BLOCKS, GRANTS, SAYS, VERDICTS
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.layers import words
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import denials, questions, record
from sts_emulator.vending.context import Exchange
from sts_emulator.web import again, copies, proofs
from sts_emulator.web.attempts import ALLOWED, Attempt, attempt
from sts_emulator.web.frame import refused, view
from sts_emulator.web.marks import MarkedPolicy, marked
from sts_emulator.wire import http
from sts_emulator.wire.http import Response

DONE, WRONG, OPEN = "done", "wrong", "open"


@dataclass(frozen=True, slots=True)
class Step:
    """One of the five steps from a proof to an event: how it went, in a sentence."""

    name: str
    state: str
    told: str


@dataclass(frozen=True, slots=True)
class LayerView:
    """What one layer says of a question, and its documents."""

    name: str
    state: str
    told: str
    policies: tuple[MarkedPolicy, ...]


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One question to the policy engine: `number` counts from 0; the rest is as it is told."""

    number: int
    heading: str
    verdict: str
    asked: Mapping[str, Any]
    layers: tuple[LayerView, ...]
    changes: tuple[Mapping[str, Any], ...]
    depends: tuple[str, ...]
    lints: tuple[Mapping[str, str], ...]
    notes: tuple[str, ...]


@page("GET", "/_emulator/attempts/{identifier}", refusal=refused, own=True)
def whole(visit: Visit, identifier: str) -> Response:
    """The attempt of a request id, an event's id, or the authorization id of a denial."""
    event = found(visit, identifier)
    short, told = attempt(event), record.told(event)
    kept = proofs.shown_exchange(visit, event.id)
    request, response = proofs.as_text(kept) if kept else ("", "")
    data = told["additionalEventData"]
    return view(
        visit,
        "attempt.html",
        "",
        attempt=short,
        told=data.get("told"),
        steps=steps(short),
        evidence={name: value for name, value in data["evidence"].items() if name not in BLOCKS and name != "refused"},
        blocks=[] if kept else [(BLOCKS[name], data["evidence"][name]) for name in BLOCKS if name in data["evidence"]],
        refusal=data["evidence"].get("refused", ""),
        parts=list(proofs.parts(kept.request)) if kept else [],
        questions=list(_questions(data["decisions"])),
        session=_session(visit, short),
        parameters=short.record.get("requestParameters") or {},
        answer=short.record.get("responseElements") or {},
        request=request,
        response=response,
        record=told,
        copies=_copies(visit, short, data["decisions"], kept),
    )


def _copies(visit: Visit, short: Attempt, decisions: list[dict[str, Any]], kept: Exchange | None) -> dict[str, str]:
    call = again.of_attempt(visit.world, short, kept)
    copied = copies.of_call(visit, call) if call is not None else {}
    asked = short.record["additionalEventData"]["decisions"][:1]
    if asked and "explanation" not in asked[0]:
        request = questions.restored(asked[0]).request
        copied |= copies.of_question(visit.world, request, decisions[0]["explanation"])
    return copied


@page("GET", "/_emulator/compare", refusal=refused, own=True)
def compare(visit: Visit) -> Response:
    """Two attempts side by side, and in what they differ."""
    picked = [value for name, value in http.pairs(visit.request.query) if name == "pick"]
    if len(picked) != 2:  # noqa: PLR2004 # side by side
        raise AwsError("Refused", f"Tick two attempts of the timeline to compare them; {len(picked)} are ticked.")
    events = sorted((found(visit, identifier) for identifier in picked), key=lambda event: event.at)
    shorts = [attempt(event) for event in events]
    facts = [dict(_facts(short)) for short in shorts]
    names = list(dict.fromkeys([*facts[0], *facts[1]]))
    rows = [(name, facts[0].get(name, ""), facts[1].get(name, "")) for name in names]
    return view(
        visit, "compare.html", "", attempts=shorts, rows=sorted(rows, key=lambda row: row[1] == row[2]), steps=steps
    )


def found(visit: Visit, identifier: str) -> Event:
    """The event of an id. Raises AwsError: NotFound 404."""
    log, world = visit.server.events, visit.world.name
    event = log.last(world) if identifier == "last" else record.find(log, world, identifier)
    if event is None:
        raise AwsError("NotFound", "There is no such attempt in this world, or it is not kept any more.", status=404)
    return event


def _facts(short: Attempt) -> Iterator[tuple[str, str]]:
    told = short.record
    yield from (
        ("outcome", short.outcome),
        ("operation", short.operation),
        ("method", short.method),
        ("principal", short.principal),
        ("role", short.role),
        ("decided", short.decided),
        ("source address", told["sourceIPAddress"]),
        ("user agent", told["userAgent"]),
    )
    data = told["additionalEventData"]
    for name, value in _flat(told.get("requestParameters") or {}):
        yield f"parameter {name}", value
    for name, value in _flat(data["evidence"]):
        if name not in BLOCKS:
            yield f"evidence {name}", value
    for question in data["decisions"][:1]:
        for key, values in question.get("context", {}).items():
            yield f"key {key}", ", ".join(values)
        for layer, texts in question.get("policies", {}).items() if isinstance(question.get("policies"), dict) else ():
            yield f"policies: {layer}", str(texts or "")


def _flat(members: JsonObject) -> Iterator[tuple[str, str]]:
    for name, value in members.items():
        yield str(name), value if isinstance(value, str) else "" if value is None else str(value)


# -- the five steps --------------------------------------------------------------------------------------------------


def steps(short: Attempt) -> list[Step]:
    """How an attempt went from its proof to its event."""
    data = short.record["additionalEventData"]
    is_refused, decisions = "refused" in data["evidence"] and not data["decisions"], data["decisions"]
    is_denied = any(question["verdict"] != "allow" for question in decisions)
    is_allowed = short.outcome == ALLOWED
    decided = "every question was answered with allow" if not is_denied else "a policy said no"
    return [
        Step(
            "Proof",
            WRONG if is_refused else DONE,
            data["evidence"]["refused"] if is_refused else f"by {short.method}",
        ),
        Step("Principal", OPEN if is_refused else DONE, "" if is_refused else _principal(short.who, data)),
        Step(
            "Decision",
            OPEN if not decisions else WRONG if is_denied else DONE,
            decided if decisions else "no policy was asked",
        ),
        _vending(short.credentials if is_allowed else None, is_allowed=is_allowed),
        Step("Event", DONE, f"{short.outcome}: {short.time}"),
    ]


def _principal(who: str, data: JsonObject) -> str:
    """Who asks, and who it was originally where providers propagate that."""
    return f"{who}; originally {data['origin']}" if "origin" in data else who


def _vending(credentials: Mapping[str, Any] | None, *, is_allowed: bool) -> Step:
    if credentials is not None:
        key = credentials.get("accessKeyId", "")
        return Step("Vending", DONE, f"{key}, until {credentials.get('expiration', '')}")
    return Step("Vending", OPEN if is_allowed else WRONG, "no credentials were asked for" if is_allowed else "nothing")


# -- questions -------------------------------------------------------------------------------------------------------


def _questions(decisions: list[dict[str, Any]]) -> Iterator[QuestionView]:
    for number, decision in enumerate(decisions):
        tree = decision["explanation"]
        yield QuestionView(
            number=number,
            heading=f"{decision['action']} on {decision['resource']}",
            verdict=VERDICTS[decision["verdict"]],
            asked=tree["request"],
            layers=tuple(
                layers(tree, {policy["uri"]: policy["text"] for policy in decision["policies"]}, f"q{number}")
            ),
            changes=tuple(tree["changes"]),
            depends=tuple(dependency["key"] for dependency in tree["depends_on"]),
            lints=tuple(tree["lints"]),
            notes=tuple(tree["notes"]),
        )


def layers(tree: Mapping[str, Any], texts: Mapping[str, str], anchor: str) -> Iterator[LayerView]:
    """What each layer of an explanation says; `texts` are its documents by uri."""
    action = tree["request"]["action"]
    for layer in tree["layers"]:
        kind, level = layer["layer"], layer["level"]
        name = words(kind, action).all + (f", level {level}" if kind in ("scp", "rcp") else "")
        verdict = layer["decision"]
        blocks = verdict == "explicit_deny" or (layer["required"] and verdict != "allow")
        state = OPEN if not layer["consulted"] else DONE if verdict == "allow" else WRONG if blocks else OPEN
        told = f"{SAYS[verdict] if layer['consulted'] else 'not consulted'}: {layer['why']}"
        policies = tuple(
            marked(_title(policy, layer, index), f"{anchor}-{kind}-{level}-{index}", texts[uri], policy)
            for index, policy in enumerate(layer["policies"])
            if (uri := denials.policy_uri(kind, level, index)) in texts
        )
        yield LayerView(name, state, told if layer["policies"] else f"there is none: {layer['why']}", policies)


def _title(policy: Mapping[str, Any], layer: Mapping[str, Any], index: int) -> str:
    number = f" {index + 1} of {len(layer['policies'])}" if len(layer["policies"]) > 1 else ""
    grant = f", the caller is {GRANTS[policy['grant']]}" if policy["grant"] else ""
    return f"Policy{number} {SAYS[policy['decision']]}{grant}"


# -- the session -----------------------------------------------------------------------------------------------------


def _session(visit: Visit, short: Attempt) -> dict[str, Any] | None:
    """The session that came out, and the policies that say what it may do, as they are now."""
    answer, credentials = short.record.get("responseElements") or {}, short.credentials
    if credentials is None:
        return None
    role = resources.role_by_arn(visit.world, short.role) if short.role else None
    documents = resources.principal_documents(visit.world, "role", role) if role else ()
    boundary = resources.boundary_document(visit.world, role) if role else None
    return {
        "arn": (answer.get("assumedRoleUser") or {}).get("arn", short.principal),
        "key": credentials.get("accessKeyId", ""),
        "expiration": credentials.get("expiration", ""),
        "policy": (short.record.get("requestParameters") or {}).get("policy", ""),
        "documents": [document.text for document in documents],
        "boundary": boundary.text if boundary else "",
        "role": short.role,
    }
