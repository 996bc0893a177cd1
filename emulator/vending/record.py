"""The audit trail: each attempt as a CloudTrail-shaped record with the decision behind it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import Any

from emulator.core import clock
from emulator.core.errors import AwsError
from emulator.core.events import Event
from emulator.vending import denials
from emulator.vending.context import Caller, Consulted, Context

_SECRET = frozenset(
    {
        *("SecretAccessKey", "SessionToken", "WebIdentityToken", "SAMLAssertion", "TokenCode", "TradeInToken"),
        *("AuthenticationCode1", "AuthenticationCode2", "Base32StringSeed", "QRCodePNG", "AddPrivateKey"),
        *("Password", "OldPassword", "NewPassword", "ServicePassword", "ServiceCredentialSecret"),
    }
)


def record(ctx: Context, result: Mapping[str, Any] | None = None, error: AwsError | None = None) -> Event:
    """Write the attempt that `ctx` was, with what came of it, to the event log."""
    caller, world = ctx.caller, ctx.world
    event = Event(
        id=ctx.request_id,
        world=world.name,
        at=world.now(),
        render=partial(
            _render,
            {
                "eventTime": world.now(),
                "eventSource": f"{ctx.service}.amazonaws.com",
                "eventName": ctx.operation,
                "awsRegion": ctx.region,
                "sourceIPAddress": ctx.source_ip,
                "userAgent": ctx.user_agent,
                "requestID": ctx.request_id,
            },
            caller,
            ctx.parameters,
            result,
            error,
            tuple(ctx.decisions),
            ctx.evidence,
        ),
    )
    ctx.server.events.record(event)
    return event


def _render(
    head: Mapping[str, Any],
    caller: Caller | None,
    parameters: Mapping[str, Any],
    result: Mapping[str, Any] | None,
    error: AwsError | None,
    decisions: tuple[Consulted, ...],
    evidence: Mapping[str, Any],
) -> dict[str, Any]:
    event: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": _identity(caller, decisions),
        **head,
        "eventTime": clock.iso(head["eventTime"]),
        "requestParameters": _public(parameters),
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
        "decisions": [_decision(each) for each in decisions],
    }
    return event


def _decision(each: Consulted) -> dict[str, Any]:
    from emulator.policy.explain import explain

    return {
        "action": each.request.action,
        "resource": each.request.resource,
        "verdict": each.decision.verdict,
        "layer": each.decision.layer,
        "explanation": explain(each.request, each.policies).to_json(),
        "policies": denials.policies(each),
    }


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
    return identity


def _account(decisions: tuple[Consulted, ...]) -> str:
    return decisions[0].policies.resource_account if decisions else ""


def _public(value: Any, name: str = "") -> Any:
    """Wire values as JSON, names in CloudTrail's lower-camel, secrets left out."""
    if name[:1].upper() + name[1:] in _SECRET:  # JSON services begin names in lower case
        return "HIDDEN_DUE_TO_SECURITY_REASONS"
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
