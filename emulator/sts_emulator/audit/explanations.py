"""Why was I denied: DecodeAuthorizationMessage, and iam-toolbox's account of a denied request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import organizations
from sts_emulator.audit.policy_names import PolicyNames
from sts_emulator.core.errors import AwsError
from sts_emulator.policy.layers import WORDS
from sts_emulator.vending import denials
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.record import told
from sts_emulator.wire.dispatch import Result, operation

_EFFECTS = {"allow": "ALLOW", "explicit_deny": "EXPLICIT_DENY", "implicit_deny": "IMPLICIT_DENY"}


@operation("sts", "DecodeAuthorizationMessage")
def decode_authorization_message(ctx: Context, *, EncodedMessage: str) -> Result:
    """Open a message that this world encoded; AWS's error text is not recorded.

    Source: docs/aws/sts.md, "DecodeAuthorizationMessage".
    """
    authorize(ctx, "sts:DecodeAuthorizationMessage", "*")
    decoded = denials.decode(ctx.world, EncodedMessage)
    if decoded is None:
        raise AwsError("InvalidAuthorizationMessageException", "The authorization message is not valid.")
    return {"DecodedMessage": decoded}


@operation("iam-toolbox", "GetRequestAuthorizationDetails")
def get_request_authorization_details(ctx: Context, *, authorizationId: str, nextToken: str = "") -> Result:
    """The evaluations behind a denied request and the policies that took part; one page holds them all."""
    event = _denied(ctx, "iam:GetRequestAuthorizationDetails", authorizationId)
    if nextToken:
        raise AwsError("ValidationException", "The pagination token is invalid.")
    decisions = event["additionalEventData"]["decisions"]
    contexts = [decision["explanation"]["request"]["context"] for decision in decisions]
    shared = {
        key: value for key, value in contexts[0].items() if all(context.get(key) == value for context in contexts)
    }
    return {
        "requestContext": shared,
        "evaluations": [_evaluation(PolicyNames(ctx.world, decision), decision, shared) for decision in decisions],
        "policies": [
            _policy(PolicyNames(ctx.world, decision), policy)
            for decision in decisions[:1]
            for policy in decision["policies"]
        ],
    }


@operation("iam-toolbox", "GetRequestAuthorizationPolicy")
def get_request_authorization_policy(ctx: Context, *, authorizationId: str, policyUri: str) -> Result:
    """A policy as it was when the request was denied, not as it is now."""
    event = _denied(ctx, "iam:GetRequestAuthorizationPolicy", authorizationId)
    question = event["additionalEventData"]["decisions"][0]
    for policy in question["policies"]:
        if policyUri in (policy["uri"], PolicyNames(ctx.world, question).arn(policy)):
            return {"policyDocument": json.loads(policy["text"])}
    raise AwsError("ResourceNotFoundException", f"Policy {policyUri} was not found.", status=404)


def _denied(ctx: Context, action: str, authorization_id: str) -> Mapping[str, Any]:
    """The record of a denied request, for principals of its account or organization only."""
    authorize(ctx, action, "*")
    event = ctx.server.events.get(ctx.world.name, denials.request_id(authorization_id))
    if event is not None:
        record = event.record()
        data = record["additionalEventData"]
        if data["decisions"] and data["outcome"] == "denied" and _concerns(ctx, record.get("recipientAccountId", "")):
            return told(event)
    raise AwsError("ResourceNotFoundException", f"Authorization details {authorization_id} were not found.", status=404)


def _concerns(ctx: Context, account: str) -> bool:
    mine = ctx.identity.account
    if mine == account:
        return True
    org = organizations.organization(ctx.world)
    return org is not None and mine in org["parents"] and account in org["parents"]


def _evaluation(names: PolicyNames, decision: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    tree = decision["explanation"]
    called = {policy["uri"]: names.arn(policy) or policy["uri"] for policy in decision["policies"]}
    context = tree["request"]["context"]
    return {
        "action": decision["action"],
        "resource": decision["resource"],
        "context": {key: value for key, value in context.items() if key not in shared},
        "evaluatedEffect": _EFFECTS[decision["verdict"]],
        "checks": [_check(names, layer, called) for layer in tree["layers"]],
        "matchedPolicies": [matched for layer in tree["layers"] for matched in _matched(layer, called)],
    }


def _check(names: PolicyNames, layer: Mapping[str, Any], called: Mapping[str, str]) -> Mapping[str, object]:
    effect = _EFFECTS[layer["decision"]]
    if effect == "IMPLICIT_DENY" and not layer["required"]:
        effect = "NO_IMPACT"
    target = names.target(layer["layer"], layer["level"])
    return {
        "checkType": WORDS[layer["layer"]].check,
        "evaluatedEffect": effect,
        **({"targetArn": target} if target else {}),
        "relevantPolicyTypes": [WORDS[layer["layer"]].policy_type],
        "matchedPolicies": _matched(layer, called),
    }


def _matched(layer: Mapping[str, Any], called: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "uri": called[denials.policy_uri(layer["layer"], layer["level"], index)],
            "matchedStatements": [
                {"sid": statement["sid"] or "", "evaluatedEffect": statement["effect"].upper()}
                for statement in applying
            ],
        }
        for index, policy in enumerate(layer["policies"])
        if (applying := [statement for statement in policy["statements"] if statement["applies"]])
    ]


def _policy(names: PolicyNames, policy: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": WORDS[policy["layer"]].policy_type, "uri": names.arn(policy) or policy["uri"]}
    inline, attached = names.is_inline(policy), names.attached_to(policy["uri"], policy["layer"])
    if inline is not None:
        shown["inline"] = inline
    if attached:
        shown["attachedTo"] = [{"arn": attached}]
    return shown
