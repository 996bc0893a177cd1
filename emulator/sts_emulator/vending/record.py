"""The audit trail: each attempt as a CloudTrail-shaped record with the decision behind it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache, partial
from itertools import islice
from typing import Any

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.core.events import Event
from sts_emulator.vending import questions
from sts_emulator.vending.context import Caller, Consulted, Context

# What an event keeps at most: a thousand of a world are in memory, and a failed call must not keep its megabyte.
LONGEST_REQUEST = 16_384  # bytes; of a longer one only the beginnings of its texts
LONGEST_TEXT = 1_024
MOST_ITEMS = 50
MOST_DECISIONS = 50

_SECRET = frozenset(
    {
        *("SecretAccessKey", "SessionToken", "WebIdentityToken", "SAMLAssertion", "TokenCode", "TradeInToken"),
        *("AuthenticationCode1", "AuthenticationCode2", "Base32StringSeed", "QRCodePNG", "AddPrivateKey", "PrivateKey"),
        *("Password", "OldPassword", "NewPassword", "ServicePassword", "ServiceCredentialSecret"),
    }
)


_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"  # CloudTrail's own words


def record(ctx: Context, result: Mapping[str, Any] | None = None, error: AwsError | None = None) -> Event:
    """Write the attempt that `ctx` was, with what came of it, to the event log. The call is over then."""
    if ctx.request is not None and len(ctx.request.body) + len(ctx.request.query) > LONGEST_REQUEST:
        ctx.parameters, ctx.evidence = _shortened(ctx.parameters), _shortened(ctx.evidence)
    if error is not None and len(error.message) > LONGEST_TEXT:
        error = AwsError(error.code, _shortened(error.message), status=error.status, members=error.members)
    if len(ctx.user_agent) > LONGEST_TEXT:
        ctx.user_agent = _shortened(ctx.user_agent)
    if len(ctx.decisions) > MOST_DECISIONS:
        del ctx.decisions[:-MOST_DECISIONS]
    ctx.request = None  # the event keeps the context: not the body with it, nor tokens and assertions
    if not _SECRET.isdisjoint(ctx.parameters):
        ctx.parameters = {name: _HIDDEN if name in _SECRET else value for name, value in ctx.parameters.items()}
    at = ctx.world.now()
    event = Event(ctx.request_id, ctx.world.name, at, partial(_render, ctx, at, result, error))
    ctx.server.events.record(event)
    return event


def told(event: Event) -> dict[str, Any]:
    """An event's record with its decisions explained, which takes about a millisecond."""
    record = event.record()
    data = record["additionalEventData"]
    return {**record, "additionalEventData": {**data, "decisions": list(map(questions.explained, data["decisions"]))}}


@lru_cache(maxsize=32)
def text(event: Event) -> str:
    """The told record as JSON, made once for all who follow the log."""
    return json.dumps(told(event))


def _shortened(value: Any) -> Any:
    """What an event keeps of a large request: the beginning of each text, the first of each list."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, Mapping):
        return {_shortened(name): _shortened(item) for name, item in islice(value.items(), MOST_ITEMS)}
    if isinstance(value, list | tuple):
        return [_shortened(item) for item in value[:MOST_ITEMS]]
    return value


def _render(ctx: Context, at: float, result: Mapping[str, Any] | None, error: AwsError | None) -> dict[str, Any]:
    caller, decisions, evidence = ctx.caller, tuple(ctx.decisions), ctx.evidence
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(caller, decisions),
        "eventTime": clock.iso(at),
        "eventSource": f"{ctx.service}.amazonaws.com",
        "eventName": ctx.operation,
        "awsRegion": ctx.region,
        "sourceIPAddress": ctx.source_ip,
        "userAgent": ctx.user_agent,
        "requestID": ctx.request_id,
        "requestParameters": _public(ctx.parameters),
        "responseElements": _public(result) if result else None,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "eventCategory": "Management",
    }
    if error is not None:
        event["errorCode"], event["errorMessage"] = error.code, error.message
    account = caller.account if caller else _account(decisions)
    if account:
        event["recipientAccountId"] = account
    event["additionalEventData"] = {
        "outcome": "denied" if error is not None else "allowed",
        "evidence": _public(evidence),
        "decisions": [questions.kept(consulted) for consulted in decisions],
    }
    return event


def _identity(caller: Caller | None, decisions: tuple[Consulted, ...]) -> dict[str, Any]:
    if caller is None:
        if not decisions:
            return {"type": "Unknown"}
        principal = decisions[0].request.principal
        kind = {"oidc": "WebIdentityUser", "saml": "SAMLUser", "service": "AWSService"}.get(principal.type, "Unknown")
        return {"type": kind, "identityProvider": principal.value}
    kind = caller.context["aws:principaltype"][0]
    identity: dict[str, Any] = {
        "type": {"User": "IAMUser", "Account": "Root"}.get(kind, kind),
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key_id,
    }
    if caller.user is not None:
        identity["userName"] = caller.user["name"]
    if caller.session is not None:
        identity["sessionContext"] = {
            "sessionIssuer": {"type": "Role", "userName": caller.session.name, "principalId": caller.session.id},
            "attributes": {
                "creationDate": clock.iso(caller.session.issued),
                "mfaAuthenticated": "true" if caller.session.mfa_at else "false",
            },
        }
        if caller.session.source_identity:
            identity["sessionContext"]["sourceIdentity"] = caller.session.source_identity
        if "delegate" in caller.session.extra:
            # UG temporary-delegation-cloudtrail: the account that acts with what somebody delegated to it.
            identity["invokedByDelegate"] = {"accountId": caller.session.extra["delegate"]}
    return identity


def _account(decisions: tuple[Consulted, ...]) -> str:
    return decisions[0].policies.resource_account if decisions else ""


def _public(value: Any, name: str = "") -> Any:
    """Wire values as JSON, names in CloudTrail's lower-camel, secrets left out."""
    if name[:1].upper() + name[1:] in _SECRET:  # JSON services begin names in lower case
        return _HIDDEN
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: _public(item, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    if name in ("Expiration", "CreateDate") and isinstance(value, int | float):
        return clock.iso(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value


def new_request_id() -> str:
    """A request id as AWS writes it: a random UUID (version 4), without the cost of building a UUID object."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"
