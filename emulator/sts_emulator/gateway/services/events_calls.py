"""EventBridge: rules on the default bus and on others, buses, targets, and what is sent to them."""

from __future__ import annotations

import json
from typing import Any, Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question

_DEFAULT: Final = "default"
_OF_RULES: Final = (
    *("DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "ListTargetsByRule"),
    *("PutRule", "PutTargets", "RemoveTargets"),
)


def _on_rule(question: Question) -> list[Need]:
    """A rule of the default bus has its name alone in its ARN; buses are named by themselves or by their ARN."""
    name, bus = question.first("Name|Rule") or "*", question.first("EventBusName").rpartition("event-bus/")[2]
    if bus in ("", _DEFAULT):
        arn = question.arn("rule-on-default-event-bus", RuleName=name)
    else:
        arn = question.arn("rule-on-custom-event-bus", EventBusName=bus, RuleName=name)
    return [*question.on(arn), *_roles(question)]


def _roles(question: Question) -> list[Need]:
    roles = read.at(question.call.parameters, "RoleArn|Targets.RoleArn")
    return [question.passed(role, "events.amazonaws.com") for role in dict.fromkeys(roles)]


def _bus(question: Question, name: str) -> str:
    return name if name.startswith("arn:") else question.arn("event-bus", EventBusName=name or _DEFAULT)


def _sent(question: Question) -> list[Need]:
    """One need for each bus that entries go to, with the sources and types of those."""
    by_bus: dict[str, list[Any]] = {}
    for entry in read.structures(question.call.parameters, "Entries"):
        by_bus.setdefault(_bus(question, str(entry.get("EventBusName") or "")), []).append(entry)
    needs = []
    for arn, entries in (by_bus or {_bus(question, ""): []}).items():
        need = question.need("PutEvents", arn)
        told = {"events:source": read.at(entries, "Source"), "events:detail-type": read.at(entries, "DetailType")}
        needs.append(Need(need.action, arn, {**need.keys, **{key: values for key, values in told.items() if values}}))
    return needs


def _on_bus(question: Question) -> list[Need]:
    return question.on(_bus(question, question.first("Name")))


def _replayed(question: Question) -> list[Need]:
    archive = question.first("EventSourceArn") or question.arn("archive")
    replay = question.arn("replay", ReplayName=question.first("ReplayName") or "*")
    return question.on(archive, _bus(question, question.first("Destination.Arn")), replay)


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    """The sources and types that a rule's pattern names, where it names them plainly."""
    text = call.parameters.get("EventPattern")
    if action.name != "PutRule" or not isinstance(text, str):
        return {}
    try:
        pattern = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    told = {key: read.at(pattern, name) for key, name in (("source", "source"), ("detail-type", "detail-type"))}
    return {f"events:{key}": values for key, values in told.items() if values}


OVERLAY = Overlay(
    members={
        **dict.fromkeys(("ApiDestinationName", "EndpointName"), "Name"),
        "ConnectionName": "ConnectionArn|Name",
        "EventSourceName": "Name|EventSourceName",
        "EventBusName": "EventSourceArn",
    },
    on={
        "DescribeApiDestination": ("api-destination",),
        "CreateArchive": ("archive", "event-bus"),
        "UpdateArchive": ("archive",),
    },
    keys={"events:targetarn": "Targets.Arn"},
    rules={
        **dict.fromkeys(_OF_RULES, _on_rule),
        **dict.fromkeys(("CreateEventBus", "DeleteEventBus", "DescribeEventBus", "UpdateEventBus"), _on_bus),
        "PutEvents": _sent,
        "StartReplay": _replayed,
    },
    passes=dict.fromkeys(("CreateEndpoint", "UpdateEndpoint"), ("RoleArn", "events.amazonaws.com")),
    tags_with={"CreateEventBus": "TagResource", "PutRule": "TagResource"},
    more_keys=_more_keys,
)
