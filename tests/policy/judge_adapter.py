"""Translates a case of the corpus into a Request and a PolicySet; it decides nothing."""

from __future__ import annotations

import json
from typing import Any

from sts_emulator.policy.deciding.document import Document, MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import PolicySet, Principal, Request, decide, evaluate
from sts_emulator.policy.saving.validate import validate

KINDS = {
    "CreatePolicy": "identity",
    "CreatePolicyVersion": "identity",
    "PutRolePolicy": "inline",
    "PutUserPolicy": "inline",
    "PutGroupPolicy": "inline",
    "sts:AssumeRole Policy parameter": "session",
}
ACCOUNT = "111122223333"
KNOWN = {"user/alice", "role/AppRole"}


def document(policy: Any, request: dict[str, Any]) -> dict[str, Any]:
    verdict, grant = evaluate(load(policy), ask(request["action"], request["resource"], request))
    return {"decision": verdict, "grant": grant if request["kind"] == "trust" else None}


def scenario(case: dict[str, Any]) -> dict[str, Any]:
    asked = case["request"]
    policies = policy_set(case)
    for action in asked["actions"]:
        decision = decide(ask(action, asked["role_arn"], asked), policies)
        if decision.verdict != "allow":
            return {"decision": decision.verdict, "denied_action": action, "decided_by": [decision.layer]}
    return {"decision": "allow"}


def malformed(case: dict[str, Any]) -> dict[str, str] | None:
    try:
        validate(KINDS.get(case["operation"], "trust"), case["policy_text"], principal_exists=exists)
    except MalformedPolicy as error:
        return {"code": error.code, "message": error.message}
    return None


def exists(kind: str, principal: str) -> bool:
    """The setup of the malformed cases: user alice and role AppRole live in the role's account."""
    prefix = f"arn:aws:iam::{ACCOUNT}:"
    return kind != "AWS" or not principal.startswith(prefix) or principal.removeprefix(prefix) in {*KNOWN, "root"}


def policy_set(case: dict[str, Any]) -> PolicySet:
    session = tuple(map(load, case["session_policies"])) or None
    return PolicySet(
        trust=load(case["trust_policy"]),
        identity=tuple(map(load, case["identity_policies"])),
        boundary=load(case["permissions_boundary"]) if case["permissions_boundary"] else None,
        session=session,
        scps=tuple(tuple(map(load, level)) for level in case["scps"]),
        rcps=tuple(tuple(map(load, level)) for level in case["rcps"]),
        resource_account=ACCOUNT,
    )


def ask(action: str, resource: str, source: dict[str, Any]) -> Request:
    caller = {key: value or "" for key, value in source["principal"].items()}
    context = {key.lower(): tuple(values) for key, values in source["context"].items()}
    return Request(action, resource, Principal(**caller), context)


def load(policy: Any) -> Document:
    return parse(policy if isinstance(policy, str) else json.dumps(policy))
