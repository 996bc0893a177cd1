"""An attempt in short: when, by which method, who, for which role, what came of it, and what decided in a few words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.catalogue import METHODS
from sts_emulator.core.events import Event
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.explaining.traces import LayerTrace, StatementTrace, Tree, tree_of
from sts_emulator.policy.layers import words
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import questions

ALLOWED, DENIED, FAILED = "allowed", "denied", "failed"
LONGEST: Final = 160
"""Characters of what decided, in a row."""
REMEMBERED: Final = 4_096

_BY_OPERATION: Final = {name: method.name for method in METHODS for name in method.trails}
_BY_SERVICE: Final = {
    service: method.name for method in METHODS for service in method.operations if service not in ("sts", "signin")
} | {"signin": "console login"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a row of the timeline shows, without what decided; `record` is the whole."""

    id: str
    time: str
    outcome: str
    method: str
    operation: str
    service: str
    principal: str
    role: str
    record: Mapping[str, Any]

    @property
    def who(self) -> str:
        """The principal without what all ARNs have in common."""
        return short(self.principal)

    @property
    def whose(self) -> str:
        """The role, likewise."""
        return short(self.role)

    @property
    def account(self) -> str:
        """The account whose trail has it."""
        return str(self.record.get("recipientAccountId", ""))

    @property
    def credentials(self) -> Mapping[str, Any] | None:
        """The credentials that came of it, without what is secret; None where there were none."""
        answer = self.record.get("responseElements")
        credentials = answer.get("credentials") if isinstance(answer, Mapping) else None
        return credentials if isinstance(credentials, Mapping) else None

    @property
    def is_copy(self) -> bool:
        """Whether another account's trail has it: it is one attempt all the same."""
        return "sharedEventID" in self.record and self.record["userIdentity"]["type"] == "AWSAccount"

    @property
    def decided(self) -> str:
        return decided(self)

    def has(self, text: str) -> bool:
        """Whether a lower-case text occurs anywhere in it, but for the policies that were asked."""
        data = self.record["additionalEventData"]
        asked = [{**decision, "policies": None} for decision in data["decisions"]]
        searched = {**self.record, "additionalEventData": {**data, "decisions": asked}}
        return text in json.dumps(searched, ensure_ascii=False, default=str).lower()


def attempt(event: Event) -> Attempt:
    """An event in short."""
    record = event.record()
    service = record["eventSource"].partition(".")[0]
    name = record["eventName"]
    parameters = record.get("requestParameters") or {}
    return Attempt(
        id=event.id,
        time=record["eventTime"],
        outcome=outcome(record),
        method=_BY_OPERATION.get(name) or _BY_SERVICE.get(service, service),
        operation=name,
        service=service,
        principal=principal(record["userIdentity"]),
        role=str(parameters.get("roleArn") or "") or _assumed(record),
        record=record,
    )


def outcome(record: Mapping[str, Any]) -> str:
    """`allowed`, `denied`, or `failed`: what policies allow, or do not see, but what was no good."""
    data = record["additionalEventData"]
    if data["outcome"] == ALLOWED:
        return ALLOWED
    verdicts = {decision["verdict"] for decision in data["decisions"]}
    is_refused = "refused" in data["evidence"] or verdicts - {"allow"}
    return DENIED if is_refused or "denied" in data.get("told", {}).get("code", "").lower() else FAILED


def principal(identity: Mapping[str, Any]) -> str:
    """Who called, in one text."""
    if told := identity.get("arn") or identity.get("userName") or identity.get("invokedBy"):
        return str(told)
    person = identity.get("onBehalfOf", {}).get("userId")
    return str(person or identity.get("principalId") or identity["type"])


def short(arn: str) -> str:
    """What tells an ARN from others: `user/alice`, `role/deploy`."""
    parsed = parse_arn(arn)
    return parsed.resource if parsed is not None else arn


def _assumed(record: Mapping[str, Any]) -> str:
    """The role that the first decision was about."""
    decisions = record["additionalEventData"]["decisions"]
    resource = str(decisions[0]["resource"]) if decisions else ""
    return resource if ":role/" in resource else ""


def decided(known: Attempt) -> str:
    """What decided: the condition, element or statement, or what was wrong with the proof."""
    data = known.record["additionalEventData"]
    told = data["evidence"].get("refused", "")
    asked = next(
        (decision for decision in reversed(data["decisions"]) if decision["verdict"] != "allow"),
        next(iter(data["decisions"]), None),
    )
    if not told and asked is not None and (known.outcome != FAILED or asked["verdict"] != "allow"):
        told = _remembered(known.id, asked)
    told = str(told or data.get("told", {}).get("message", ""))
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 1]}…"


_DECIDED: Final[dict[str, str]] = {}
"""What decided, by attempt: an attempt never changes, and its tree costs more than the rest of its row."""


def _remembered(attempt_id: str, kept: Mapping[str, Any]) -> str:
    if attempt_id not in _DECIDED:
        if len(_DECIDED) >= REMEMBERED:
            _DECIDED.clear()
        _DECIDED[attempt_id] = _told(kept)
    return _DECIDED[attempt_id]


def _told(kept: Mapping[str, Any]) -> str:
    if "explanation" in kept:  # an event from before events kept questions
        return f"{kept['verdict'].replace('_', ' ')}: {kept['layer']}"
    consulted = questions.restored(kept)
    return in_words(tree_of(consulted.request, consulted.policies, kept.get("names", {})))


def in_words(tree: Tree) -> str:
    """The deciding layer, statement and condition of a tree."""
    verdict = tree.decision.verdict
    layer = tree.decision.layer or next((trace.layer for trace in tree.layers if trace.decision == "allow"), "")
    traces = [trace for trace in tree.layers if trace.layer == layer]
    if not traces:
        return ""
    if layer == "identity" and tree.request.principal.type == "root" and verdict == "allow":
        return "a root user needs no policy"
    place = words(layer, tree.request.action).single
    statements = [statement for trace in traces for policy in trace.policies for statement in policy.statements]
    if verdict != "implicit_deny":
        effect = "Allow" if verdict == "allow" else "Deny"
        applying = [statement for statement in statements if statement.applies and statement.statement.effect == effect]
        return f"{place}: {_named(applying[0])}" if applying else place
    silent = _silent(traces)
    return f"{place}: {silent}" if silent else f"{place}: nothing allows it"


def _silent(traces: list[LayerTrace]) -> str:
    """What the Allow statement that came nearest lacked."""
    lacking = [
        statement
        for trace in traces
        if trace.decision == "implicit_deny"
        for policy in trace.policies
        for statement in policy.statements
        if statement.statement.effect == "Allow" and not statement.applies
    ]
    nearest = min(lacking, key=lambda statement: len(statement.failing), default=None)
    if nearest is None:
        return ""
    for condition in nearest.conditions:
        if not condition.result:
            value = condition.requested[0] if condition.requested else "absent"
            shown = value if len(value) <= 60 else f"{value[:59]}…"  # noqa: PLR2004 # as much as a row takes
            return f"{condition.condition.key} is {shown}"
    element = next(
        (
            name
            for name, trace in (
                ("Action", nearest.action),
                ("Principal", nearest.principal),
                ("Resource", nearest.resource),
            )
            if trace is not None and not trace.match
        ),
        "",
    )
    return f"no {element} matches" if element else ""


def _named(trace: StatementTrace) -> str:
    statement = trace.statement
    sid = f" “{statement.sid}”" if statement.sid else f" statement {statement.index}"
    keys = ", ".join(dict.fromkeys(condition.condition.key for condition in trace.conditions))
    return f"{statement.effect}{sid}{f' with {keys}' if keys else ''}"
