"""The audit trail: each attempt as CloudTrail records it, with the decision behind it in `additionalEventData`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from random import getrandbits
from sys import intern
from typing import Any, NamedTuple

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import Event, EventLog, copy_id
from sts_emulator.core.world import World
from sts_emulator.policy.explaining.origin import origin_line
from sts_emulator.vending import denials, questions, record_identity, record_members
from sts_emulator.vending.context import NOTHING, Asked, Caller, Consulted, Context

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
_DIGITS = "0123456789abcdef"
_EVENT, _SHARED = (str.maketrans(_DIGITS, "".join(f"{place ^ mask:x}" for place in range(16))) for mask in (15, 5))


class Attempt(NamedTuple):
    """The event of an attempt: what its record is made of, and no more of the call.

    A thousand of these are kept, which is more than a processor's cache holds: each object that one keeps alive alone
    costs a later call a look into cold memory, when it leaves (docs/performance.md). A tuple is made in fewer steps
    than an object of so many members.
    """

    id: str
    world: str
    at: float
    size: int
    other_account: str
    view: World
    service: str
    operation: str
    region: str
    source_ip: str
    user_agent: str
    caller: Caller | None
    parameters: Mapping[str, Any]
    decisions: tuple[Consulted, ...]
    evidence: Mapping[str, Any]
    asked: Asked | None
    result: Mapping[str, Any] | None
    code: str
    """Of the error; empty when it was allowed. Not the error itself, whose traceback holds the whole request."""
    message: str

    def __hash__(self) -> int:
        """See Event."""
        return id(self)

    def record(self) -> dict[str, Any]:
        """See Event."""
        return _render(self)

    def elsewhere(self) -> dict[str, Any]:
        """See Event: the role's account learns no more of the caller than its id."""
        assert self.caller is not None, "see _other_account"
        return {
            "eventID": event_id(copy_id(self.id)),
            "userIdentity": record_identity.foreign(self.caller),
            "recipientAccountId": self.other_account,
        }


def record(ctx: Context, result: Mapping[str, Any] | None = None, error: AwsError | None = None) -> Event:
    """Write the attempt that `ctx` was, with what came of it, to the event log. The call is over then.

    A role of another account was assumed: that account's trail has the event too.
    """
    server, world, request = ctx.server, ctx.world, ctx.request
    if server.used is not None:
        server.used(ctx, error)
    parameters, evidence = ctx.parameters, ctx.evidence
    sent = len(request.body) + len(request.query) if request is not None else 0
    if sent > LONGEST_REQUEST:
        parameters, evidence = _shortened(parameters), _shortened(evidence)
        sent = LONGEST_REQUEST
    operation, user_agent = ctx.operation, ctx.user_agent
    code = message = other_account = ""
    if error is not None:
        code, message = error.code, _shortened(error.message)
    elif operation == "AssumeRole":
        other_account = _other_account(ctx)
    attempt = Attempt(  # by place: by name it costs twice as much
        ctx.request_id,
        world.name,
        world.now(),
        SIZE + ctx.weight + 2 * sent,
        other_account,
        world.at_rest(server.worlds.store),
        ctx.service,
        operation,
        ctx.region,
        ctx.source_ip,
        intern(user_agent) if len(user_agent) <= LONGEST_TEXT else _shortened(user_agent),  # one text for all its calls
        ctx.caller,
        record_members.without_secrets(parameters) if parameters else NOTHING,
        tuple(ctx.decisions[-MOST_DECISIONS:]) if ctx.decisions else (),
        evidence or NOTHING,
        None if operation == "AssumeRole" else ctx.asked,  # its parameters tell all of it
        result if record_members.tells_answer(ctx.service, operation) else None,
        code,
        message,
    )
    server.events.record(attempt, world if error is None else None)
    outcome, seconds = "allowed" if error is None else "denied", clock.monotonic() - ctx.begun
    server.metrics.count(ctx.service, operation, outcome, seconds)
    if server.settings.log_format == "json":
        _log(attempt, outcome, seconds)
    return attempt


def _log(attempt: Attempt, outcome: str, seconds: float) -> None:
    """Have the attempt in a log that programs read."""
    told = {
        "request_id": attempt.id,
        "world": attempt.world,
        "service": attempt.service,
        "operation": attempt.operation,
        "outcome": outcome,
        "error": attempt.code,
        "milliseconds": round(seconds * 1000, 2),
    }
    log.info("call", extra={"told": told})


def event_id(key: str) -> str:
    """The `eventID` of the event that the log keeps under a request's id, and the other way round.

    CloudTrail's two ids differ; ours follow from each other, so that an event is found by either.
    """
    return _relative(key, _EVENT)


def find(log: EventLog, world: str, identifier: str) -> Event | None:
    """An event by the request's id, by the authorization id that a denial names, or by its own."""
    own, denied = event_id(identifier), denials.request_id(identifier)
    return log.get(world, identifier) or log.get(world, own) or log.get(world, denied)


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
    return f"{_beginning(int(clock.real() * 64))}{getrandbits(48):012x}"


@lru_cache(maxsize=1)
def _beginning(sixty_fourths: int) -> str:
    """What the ids of a sixty-fourth of a second begin with: nothing rests on nobody's guessing the others."""
    digits = f"{getrandbits(40):010x}"
    return f"{sixty_fourths & 0xFFFF_FFFF:08x}-{digits[:4]}-4{digits[4:7]}-a{digits[7:]}-"


def _shortened(value: Any) -> Any:
    """What an event keeps of a large request: the beginning of each text, the first of each list."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {_shortened(name): _shortened(item) for name, item in islice(value.items(), MOST_ITEMS)}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value[:MOST_ITEMS]]
    return value


def _relative(identifier: str, others: dict[int, int]) -> str:
    """Another id, whose last twelve digits stand for others; doing it again leads back."""
    start, dash, digits = identifier.rpartition("-")
    return f"{start}{dash}{digits.translate(others)}"


def _other_account(ctx: Context) -> str:
    """The account of the role that a caller of another account assumed, or nothing."""
    caller, session = ctx.caller, ctx.vended
    return session.account if caller and session and session.account != caller.account else ""


def _render(attempt: Attempt) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": record_identity.identity(attempt),
        "eventTime": clock.iso(attempt.at),
        "eventSource": f"{record_members.source(attempt)}.amazonaws.com",
        "eventName": attempt.operation,
        "awsRegion": attempt.region,
        "sourceIPAddress": attempt.source_ip,
        "userAgent": attempt.user_agent,
        "requestParameters": record_members.parameters(attempt),
        "responseElements": record_members.answer(attempt),
        "additionalEventData": _additional(attempt),
        "requestID": attempt.id,
        "eventID": event_id(attempt.id),
        "readOnly": record_members.is_read(attempt.operation),
        "eventType": record_members.kind(attempt),
        "managementEvent": True,
        "eventCategory": "Management",
    }
    if attempt.code:
        event |= record_members.error_members(attempt)
    if details := record_members.service_details(attempt):
        event["serviceEventDetails"] = details
    if resources := record_members.resources(attempt):
        event["resources"] = resources
    if account := record_identity.account(attempt):
        event["recipientAccountId"] = account
    if attempt.other_account:
        event["sharedEventID"] = _relative(attempt.id, _SHARED)
    return event


def _origin(attempt: Attempt) -> str:
    """Who it was originally: the caller, or whoever proved to be somebody without a signature."""
    if attempt.caller is not None:
        return origin_line(attempt.caller.context, attempt.caller.principal)
    request = attempt.decisions[0].request if attempt.decisions else None
    return origin_line(request.context, request.principal) if request else ""


def _additional(attempt: Attempt) -> dict[str, Any]:
    """What services add as they like, and so do we: what came of it and why, with what the client was told."""
    shown: dict[str, Any] = {"outcome": "allowed", "world": attempt.world}
    if attempt.code:
        outcome = "failed" if attempt.code in BEHIND else "denied"
        shown |= {"outcome": outcome, "told": {"code": attempt.code, "message": attempt.message}}
    if record_members.is_console_sign_in(attempt.service, attempt.operation):
        shown |= _SIGN_IN | {
            name: attempt.evidence[name]
            for name in ("LoginTo", "SamlProviderArn", "MFAUsed", "MFAIdentifier")
            if name in attempt.evidence
        }
    elif attempt.service == "signin":
        shown["success"] = str(not attempt.code).lower()
    if origin := _origin(attempt):
        shown["origin"] = origin
    shown["evidence"] = record_members.evidence(attempt)
    shown["decisions"] = [questions.kept(attempt.view, consulted) for consulted in attempt.decisions]
    return shown
