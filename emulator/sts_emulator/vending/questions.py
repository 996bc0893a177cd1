"""A question to the policy engine as an event keeps it: what was asked of which policies; explained when it is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, parse
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal, Request
from sts_emulator.vending import denials
from sts_emulator.vending.context import Consulted

_PRINCIPAL = tuple(Principal.__slots__)


def kept(world: World, consulted: Consulted) -> dict[str, Any]:
    """The question and its answer as JSON-ready data, from which `explained` tells why."""
    request, policies, decision = consulted.request, consulted.policies, consulted.decision
    return {
        "action": request.action,
        "resource": request.resource,
        "verdict": decision.verdict,
        "layer": decision.layer,
        "grant": decision.grant,
        "principal": {name: value for name in _PRINCIPAL if (value := getattr(request.principal, name))},
        "context": request.context,
        "policies": {
            "trust": _text(policies.trust),
            "identity": [document.text for document in policies.identity],
            "boundary": _text(policies.boundary),
            "session": None if policies.session is None else [document.text for document in policies.session],
            "scps": [[document.text for document in level] for level in policies.scps],
            "rcps": [[document.text for document in level] for level in policies.rcps],
        },
        "account": policies.resource_account,
        "names": denials.names(world, consulted),
    }


def explained(question: Mapping[str, Any]) -> dict[str, Any]:
    """What a record tells of a question that `kept` kept: the answer with every statement and condition behind it."""
    from sts_emulator.policy.explaining.explain import explain

    if "explanation" in question:  # an event from before events kept questions
        return dict(question)
    consulted, names = restored(question), question.get("names", {})
    return {
        "action": question["action"],
        "resource": question["resource"],
        "verdict": question["verdict"],
        "layer": question["layer"],
        "explanation": explain(consulted.request, consulted.policies, names).to_json(),
        "policies": denials.policies(consulted, names),
    }


def restored(question: Mapping[str, Any]) -> Consulted:
    """The question as it was put."""
    texts = question["policies"]
    request = Request(
        action=question["action"],
        resource=question["resource"],
        principal=_principal(question["principal"]),
        context={key: tuple(values) for key, values in question["context"].items()},
    )
    policies = PolicySet(
        trust=_document(texts["trust"]),
        identity=_documents(texts["identity"]),
        boundary=_document(texts["boundary"]),
        session=None if texts["session"] is None else _documents(texts["session"]),
        scps=tuple(_documents(level) for level in texts["scps"]),
        rcps=tuple(_documents(level) for level in texts["rcps"]),
        resource_account=question["account"],
    )
    return Consulted(request, policies, Decision(question["verdict"], question["grant"], question["layer"]))


def _principal(members: Mapping[str, Any]) -> Principal:
    return Principal(**{**members, "chain": tuple(members.get("chain", ()))})


def _text(document: Document | None) -> str | None:
    return None if document is None else document.text


def _document(text: str | None) -> Document | None:
    return None if text is None else parse(text)


def _documents(texts: list[str]) -> tuple[Document, ...]:
    return tuple(parse(text) for text in texts)
