"""The audit trail: each attempt as CloudTrail records it, with the decision behind it in `additionalEventData`."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import Event, copy_id
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.explaining.origin import origin_line
from sts_emulator.vending import questions, record_identity, record_members
from sts_emulator.vending.context import Context

# Codes of the door's for what became of a call behind it, which nobody here has refused (gateway/).
BEHIND = frozenset(("UpstreamError", "BadGateway", "GatewayTimeout"))
log = logging.getLogger("emulator")

# What an event keeps at most: a thousand of a world are in memory, and a failed call must not keep its megabyte.
LONGEST_REQUEST = 16_384  # bytes; of a longer one only the beginnings of its texts
LONGEST_TEXT = 1_024
MOST_ITEMS = 50
MOST_DECISIONS = 50
SIZE = 2_000  # what an event takes beside its request

_SIGN_IN = {"MobileVersion": "No", "MFAUsed": "No"}
_EVENT, _SHARED = (int(digit * 12, 16) for digit in "f5")


def record(ctx: Context, result: Mapping[str, Any] | None = None, error: AwsError | None = None) -> Event:
    """Write the attempt that `ctx` was, with what came of it, to the event log. The call is over then.

    A role of another account was assumed: that account's trail has the event too.
    """
    if ctx.server.used is not None:
        ctx.server.used(ctx, error)
    size = SIZE + ctx.weight
    if ctx.request is not None:
        sent = len(ctx.request.body) + len(ctx.request.query)
        if sent > LONGEST_REQUEST:
            ctx.parameters, ctx.evidence = _shortened(ctx.parameters), _shortened(ctx.evidence)
            sent = LONGEST_REQUEST
        size += 2 * sent
    if error is not None and len(error.message) > LONGEST_TEXT:
        error = AwsError(error.code, _shortened(error.message), status=error.status, members=error.members)
    if len(ctx.user_agent) > LONGEST_TEXT:
        ctx.user_agent = _shortened(ctx.user_agent)
    if len(ctx.decisions) > MOST_DECISIONS:
        del ctx.decisions[:-MOST_DECISIONS]
    ctx.request = None  # the event keeps the context: not the body with it, nor tokens and assertions
    ctx.parameters = record_members.without_secrets(ctx.parameters)
    at = ctx.world.now()
    ctx.world.take_time(ctx.server.worlds.store)
    with_writes = ctx.world if error is None else None
    owner = _other_account(ctx) if error is None else ""
    elsewhere = partial(_foreign, ctx, owner) if owner else None
    event = Event(ctx.request_id, ctx.world.name, at, partial(_render, ctx, at, result, error), size, elsewhere)
    ctx.server.events.record(event, with_writes)
    _count(ctx, error)
    return event


def _count(ctx: Context, error: AwsError | None) -> None:
    """Have the attempt in the metrics, and in a log that programs read."""
    outcome, seconds = "allowed" if error is None else "denied", clock.monotonic() - ctx.begun
    ctx.server.metrics.count(ctx.service, ctx.operation, outcome, seconds)
    if ctx.server.settings.log_format == "json":
        told = {
            "request_id": ctx.request_id,
            "world": ctx.world.name,
            "service": ctx.service,
            "operation": ctx.operation,
            "outcome": outcome,
            "error": "" if error is None else error.code,
            "milliseconds": round(seconds * 1000, 2),
        }
        log.info("call", extra={"told": told})


def event_id(key: str) -> str:
    """The `eventID` of the event that the log keeps under a request's id, and the other way round.

    CloudTrail's two ids differ; ours follow from each other, so that an event is found by either.
    """
    return _relative(key, _EVENT)


def told(event: Event) -> dict[str, Any]:
    """An event's record with its decisions explained, which takes about a millisecond."""
    record = event.record()
    data = record["additionalEventData"]
    return {**record, "additionalEventData": {**data, "decisions": list(map(questions.explained, data["decisions"]))}}


@lru_cache(maxsize=32)
def text(event: Event) -> str:
    """The told record as JSON, made once for all who follow the log."""
    return json.dumps(told(event))


def new_request_id() -> str:
    """A request id as AWS writes it: a UUID of version 4, without the cost of building a UUID object.

    Its first eight digits grow with time, and so ids of one moment stand together in a state's index of them.
    """
    moment, digits = int(clock.real() * 64) & 0xFFFF_FFFF, os.urandom(11).hex()
    return f"{moment:08x}-{digits[:4]}-4{digits[4:7]}-a{digits[7:10]}-{digits[10:]}"


def _shortened(value: Any) -> Any:
    """What an event keeps of a large request: the beginning of each text, the first of each list."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {_shortened(name): _shortened(item) for name, item in islice(value.items(), MOST_ITEMS)}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value[:MOST_ITEMS]]
    return value


def _relative(identifier: str, mask: int) -> str:
    """Another id, with bits of the last twelve digits turned over; doing it again leads back."""
    start, dash, digits = identifier.rpartition("-")
    try:
        return f"{start}{dash}{int(digits, 16) ^ mask:0{len(digits)}x}"
    except ValueError:
        return identifier  # no id: nothing has it


def _other_account(ctx: Context) -> str:
    """The account of the role that a caller of another account assumed, or nothing."""
    if ctx.operation != "AssumeRole" or ctx.caller is None:
        return ""
    role = parse_arn(ctx.parameters.get("RoleArn", ""))
    return role.account if role is not None and role.account != ctx.caller.account else ""


def _foreign(ctx: Context, owner: str) -> dict[str, Any]:
    """What differs in the trail of the role's account, which learns no more of the caller than its id."""
    return {
        "eventID": event_id(copy_id(ctx.request_id)),
        "userIdentity": record_identity.foreign(ctx.identity),
        "recipientAccountId": owner,
    }


def _render(ctx: Context, at: float, result: Mapping[str, Any] | None, error: AwsError | None) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": record_identity.identity(ctx),
        "eventTime": clock.iso(at),
        "eventSource": f"{record_members.source(ctx)}.amazonaws.com",
        "eventName": ctx.operation,
        "awsRegion": ctx.region,
        "sourceIPAddress": ctx.source_ip,
        "userAgent": ctx.user_agent,
        "requestParameters": record_members.parameters(ctx),
        "responseElements": record_members.answer(ctx, result),
        "additionalEventData": _additional(ctx, error),
        "requestID": ctx.request_id,
        "eventID": event_id(ctx.request_id),
        "readOnly": record_members.is_read(ctx),
        "eventType": record_members.kind(ctx),
        "managementEvent": True,
        "eventCategory": "Management",
    }
    if error is not None:
        event |= record_members.error_members(ctx, error)
    if details := record_members.service_details(ctx):
        event["serviceEventDetails"] = details
    if resources := record_members.resources(ctx):
        event["resources"] = resources
    if account := record_identity.account(ctx):
        event["recipientAccountId"] = account
    if error is None and _other_account(ctx):
        event["sharedEventID"] = _relative(ctx.request_id, _SHARED)
    return event


def _origin(ctx: Context) -> str:
    """Who it was originally: the caller, or whoever proved to be somebody without a signature."""
    if ctx.caller is not None:
        return origin_line(ctx.caller.context, ctx.caller.principal)
    return origin_line(ctx.decisions[0].request.context, ctx.decisions[0].request.principal) if ctx.decisions else ""


def _additional(ctx: Context, error: AwsError | None) -> dict[str, Any]:
    """What services add as they like, and so do we: what came of it and why, with what the client was told."""
    shown: dict[str, Any] = {"outcome": "allowed", "world": ctx.world.name}
    if error is not None:
        outcome = "failed" if error.code in BEHIND else "denied"
        shown |= {"outcome": outcome, "told": {"code": error.code, "message": error.message}}
    if record_members.is_console_sign_in(ctx):
        shown |= _SIGN_IN | {
            name: ctx.evidence[name]
            for name in ("LoginTo", "SamlProviderArn", "MFAUsed", "MFAIdentifier")
            if name in ctx.evidence
        }
    elif ctx.service == "signin":
        shown["success"] = str(error is None).lower()
    if origin := _origin(ctx):
        shown["origin"] = origin
    shown["evidence"] = record_members.evidence(ctx)
    shown["decisions"] = [questions.kept(ctx.world, consulted) for consulted in ctx.decisions]
    return shown
