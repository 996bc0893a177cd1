"""CloudTrail's LookupEvents over the event log, so that a test asserts on what happened through an SDK."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import Event
from sts_emulator.vending import credentials
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.record import told
from sts_emulator.wire.dispatch import Result, operation

MAX_RESULTS = 50
PURPOSE = "lookup-events"

_NAMED = {
    "accessKeyId": "AWS::IAM::AccessKey",
    "roleArn": "AWS::IAM::Role",
    "roleName": "AWS::IAM::Role",
    "userName": "AWS::IAM::User",
    "groupName": "AWS::IAM::Group",
    "policyArn": "AWS::IAM::Policy",
    "instanceProfileName": "AWS::IAM::InstanceProfile",
    "principalArn": "AWS::IAM::SAMLProvider",
    "sAMLProviderArn": "AWS::IAM::SAMLProvider",
    "openIDConnectProviderArn": "AWS::IAM::OIDCProvider",
}

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
) -> Mapping[str, Any] | Awaitable[Mapping[str, Any]]:
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
    last_shown = _last_shown(ctx, NextToken)

    def is_asked_for(record: Record) -> bool:
        return (
            record.get("recipientAccountId") == ctx.identity.account
            and start <= clock.parse_iso(record["eventTime"]) <= end
            and all(_matches(record, asked["AttributeKey"], asked["AttributeValue"]) for asked in attributes)
        )

    return _looked_up(ctx, is_asked_for, last_shown, MaxResults)


async def _looked_up(
    ctx: Context, is_asked_for: Callable[[Record], bool], last_shown: Event | None, limit: int
) -> Result:
    from asyncio import sleep  # 20 ms that commands without a server have no use for

    shown: list[Event] = []
    result: dict[str, Any] = {"Events": []}
    async for event in ctx.server.events.scan(ctx.world.name, last_shown):
        if not is_asked_for(event.record()):
            continue
        if len(shown) == limit:
            result["NextToken"] = credentials.seal(ctx.world, PURPOSE, shown[-1].id.encode())
            break
        shown.append(event)
        result["Events"].append(_event(told(event)))
        await sleep(0)  # telling one takes a millisecond
    return result


def _seconds(moment: float | datetime | None, default: float) -> float:
    if moment is None:
        return default
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)


def _last_shown(ctx: Context, token: str) -> Event | None:
    """The event that the page before ended with; a page goes on behind it, whatever has happened since."""
    if not token:
        return None
    identifier = credentials.unseal(ctx.world, PURPOSE, token)
    event = None if identifier is None else ctx.server.events.get(ctx.world.name, identifier.decode())
    if event is None:
        raise AwsError("InvalidNextTokenException", "The token is not valid.")
    return event


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


def _event(record: Record) -> Result:
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
    return "true" if record["readOnly"] else "false"


def _username(record: Record) -> str:
    """The user's name; for a role session the session's, as CloudTrail shows it."""
    identity = record["userIdentity"]
    if "userName" in identity:
        return str(identity["userName"])
    return str(identity["principalId"].partition(":")[2]) if ":" in identity.get("principalId", "") else ""


def _resources(record: Record) -> Iterator[tuple[str, str]]:
    """What the call was about, by the type that CloudTrail knows it under (docs/aws/cloudtrail.md, "LookupEvents")."""
    created = (record["responseElements"] or {}).get("accessKey")
    parameters = {**(created if isinstance(created, Mapping) else {}), **(record["requestParameters"] or {})}
    for parameter, kind in _NAMED.items():
        if isinstance(parameters.get(parameter), str):
            yield kind, parameters[parameter]
