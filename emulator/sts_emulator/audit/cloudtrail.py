"""CloudTrail's LookupEvents over the event log, so that a test asserts on what happened through an SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.vending import credentials
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import operation

MAX_RESULTS = 50
PURPOSE = "lookup-events"
_READS = ("Get", "List", "Describe", "Lookup", "Decode", "Simulate", "Generate")

Record = Mapping[str, Any]


@operation("cloudtrail", "LookupEvents")
def lookup_events(
    ctx: Context,
    *,
    LookupAttributes: list[Mapping[str, str]] | None = None,
    StartTime: float | datetime | None = None,
    EndTime: float | datetime | None = None,
    EventCategory: str = "",
    MaxResults: int = MAX_RESULTS,
    NextToken: str = "",
) -> Mapping[str, Any]:
    """Events of the caller's account, newest first. Unlike AWS's they are there at once."""
    authorize(ctx, "cloudtrail:LookupEvents", "*")
    start, end = _seconds(StartTime, 0.0), _seconds(EndTime, float("inf"))
    if start > end:
        raise AwsError("InvalidTimeRangeException", "The start time must be before the end time.")
    attributes = LookupAttributes or []
    if len(attributes) > 1:
        raise AwsError("InvalidLookupAttributesException", "You can specify only one lookup attribute.")
    if EventCategory:
        return {"Events": []}  # insight events: there are none
    skip = _skipped(ctx, NextToken)
    found = [
        record
        for record in reversed(ctx.server.events.read(ctx.world.name))
        if record.get("recipientAccountId") == ctx.identity.account
        and start <= clock.parse_iso(record["eventTime"]) <= end
        and all(_matches(record, each["AttributeKey"], each["AttributeValue"]) for each in attributes)
    ]
    shown = found[skip : skip + MaxResults]
    result: dict[str, Any] = {"Events": [_event(record) for record in shown]}
    if skip + len(shown) < len(found):
        result["NextToken"] = credentials.seal(ctx.world, PURPOSE, str(skip + len(shown)).encode())
    return result


def _seconds(moment: float | datetime | None, default: float) -> float:
    if moment is None:
        return default
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def _skipped(ctx: Context, token: str) -> int:
    if not token:
        return 0
    position = credentials.unseal(ctx.world, PURPOSE, token)
    if position is None:
        raise AwsError("InvalidNextTokenException", "The token is not valid.")
    return int(position)


def _matches(record: Record, key: str, value: str) -> bool:
    if key == "ResourceName":
        return any(name == value for _, name in _resources(record))
    if key == "ResourceType":
        return any(kind == value for kind, _ in _resources(record))
    actual = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventSource": record["eventSource"],
        "ReadOnly": _read_only(record),
        "Username": _username(record),
        "AccessKeyId": record["userIdentity"].get("accessKeyId", ""),
    }
    return bool(actual[key] == value)


def _event(record: Record) -> dict[str, Any]:
    event = {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": _read_only(record),
        "EventTime": clock.parse_iso(record["eventTime"]),
        "EventSource": record["eventSource"],
        "Username": _username(record),
        "Resources": [{"ResourceType": kind, "ResourceName": name} for kind, name in _resources(record)],
        "CloudTrailEvent": json.dumps(record),
    }
    if key_id := record["userIdentity"].get("accessKeyId"):
        event["AccessKeyId"] = key_id
    return {name: value for name, value in event.items() if value != ""}


def _read_only(record: Record) -> str:
    return "true" if record["eventName"].startswith(_READS) else "false"


def _username(record: Record) -> str:
    """The user's name; for a role session the session's, as CloudTrail shows it."""
    identity = record["userIdentity"]
    if "userName" in identity:
        return str(identity["userName"])
    return str(identity["principalId"].partition(":")[2]) if ":" in identity.get("principalId", "") else ""


def _resources(record: Record) -> Iterator[tuple[str, str]]:
    parameters = record.get("requestParameters") or {}
    named = {
        "roleArn": "AWS::IAM::Role",
        "roleName": "AWS::IAM::Role",
        "userName": "AWS::IAM::User",
        "groupName": "AWS::IAM::Group",
        "policyArn": "AWS::IAM::Policy",
        "instanceProfileName": "AWS::IAM::InstanceProfile",
    }
    for parameter, kind in named.items():
        if isinstance(parameters.get(parameter), str):
            yield kind, parameters[parameter]
