"""Owns the explanation: the full tree of one decision, never short-circuited, with the verdict folded from it.

`to_json` is versioned (`"schema": 1`, docs/explain.md); `to_text` is that JSON told to people.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from sts_emulator.policy.deciding import engine
from sts_emulator.policy.explaining.origin import origin_line
from sts_emulator.policy.explaining.reasons import absence
from sts_emulator.policy.explaining.remedies import Remedy, remedy
from sts_emulator.policy.explaining.report import text_of
from sts_emulator.policy.explaining.traces import NOBODY, Tree, tree_of
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.saving.validate import restore_principals

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sts_emulator.policy.deciding.engine import PolicySet, Request
    from sts_emulator.policy.explaining.traces import ConditionTrace, ElementTrace, LayerTrace, StatementTrace
    from sts_emulator.policy.linting.findings import Finding

SCHEMA = 1


@dataclass(frozen=True)
class Explanation(Tree):
    """Why a request is allowed or denied, in full."""

    @cached_property
    def remedy(self) -> Remedy:
        """Near misses, the smallest changes that would turn the verdict, and what an allow depends on."""
        return remedy(self)

    @cached_property
    def lints(self) -> list[dict[str, str]]:
        """What lint says of the trust policy, where a role is assumed."""
        if self.policies.trust is None or not engine.needs_trust(self.request):
            return []
        text = restore_principals(self.policies.trust.text, self.names.get)
        return [finding.to_json() for finding in _lints(text, self.policies.resource_account)]

    def to_json(self) -> dict[str, Any]:
        """The tree as JSON data, schema 1."""
        decision = self.decision
        return {
            "schema": SCHEMA,
            "decision": decision.verdict,
            "grant": decision.grant,
            "decided_by": [decision.layer] if decision.layer else [],
            "request": _request_json(self.request),
            "layers": [_layer_json(trace, self.names) for trace in self.layers],
            "near_misses": [miss.to_json() for miss in self.remedy.near_misses],
            "changes": [change.to_json() for change in self.remedy.changes],
            "depends_on": [{"key": key, "without": verdict} for key, verdict in self.remedy.depends_on],
            "lints": self.lints,
            "notes": list(notes(self)),
        }

    def to_text(self) -> str:
        """The tree as indented lines with ✓ and ✗, the hint last."""
        return text_of(self.to_json())


def explain(request: Request, policies: PolicySet, names: Mapping[str, str] = NOBODY) -> Explanation:
    """The tree of a decision, with what may be said of it: see `tree_of`."""
    tree = tree_of(request, policies, names)
    return Explanation(tree.request, tree.policies, tree.layers, tree.names)


@lru_cache(maxsize=256)
def _lints(text: str, role_account: str) -> tuple[Finding, ...]:
    from sts_emulator.policy.linting.lint import lint

    return tuple(lint(text, role_account=role_account))


def notes(explanation: Explanation) -> Iterable[str]:
    """Facts about the absent keys that the policies test, once each."""
    said: dict[str, None] = {}
    for condition in explanation.conditions:
        why = absence(condition.condition.key, explanation.request.principal)
        if not condition.requested and why:
            said[f"{condition.condition.key} is absent: {why}"] = None
    return tuple(said)


def _request_json(request: Request) -> JsonObject:
    caller = request.principal
    parts = {"role_arn": caller.role_arn, "user_arn": caller.user_arn, "id": caller.id}
    origin = origin_line(request.context, caller)
    return {
        "action": request.action,
        "resource": request.resource,
        "principal": {
            "type": caller.type,
            "value": caller.value,
            "account": caller.account,
            **{name: text for name, text in parts.items() if text},
        },
        **({"origin": origin} if origin else {}),
        "context": {key: list(values) for key, values in sorted(request.context.items())},
    }


def _layer_json(trace: LayerTrace, names: Mapping[str, str]) -> JsonObject:
    return {
        "layer": trace.layer,
        "level": trace.level,
        "consulted": trace.consulted,
        "required": trace.required,
        "why": trace.why,
        "decision": trace.decision,
        "policies": [
            {
                "ref": policy.ref,
                "version": policy.document.version,
                "decision": policy.decision,
                "grant": policy.grant,
                "statements": [_statement_json(statement, names) for statement in policy.statements],
            }
            for policy in trace.policies
        ],
    }


def _statement_json(trace: StatementTrace, names: Mapping[str, str]) -> JsonObject:
    statement = trace.statement
    return {
        "index": statement.index,
        "sid": statement.sid,
        "effect": statement.effect,
        "applies": trace.applies,
        "action": _element_json(trace.action, "Action", negated=statement.not_action),
        "principal": _principal_json(trace.principal, names, negated=statement.not_principal),
        "resource": _element_json(trace.resource, "Resource", negated=statement.not_resource),
        "conditions": [_condition_json(condition) for condition in trace.conditions],
        "failing": list(trace.failing),
    }


def _principal_json(trace: ElementTrace | None, names: Mapping[str, str], *, negated: bool) -> dict[str, Any] | None:
    """The element with the ARN of whom it names, where a stored policy holds a unique id."""
    told = _element_json(trace, "Principal", negated=negated)
    return told and {**told, "by": names.get(told["by"], told["by"]), "as": trace.grant if trace else None}


def _element_json(trace: ElementTrace | None, name: str, *, negated: bool) -> dict[str, Any] | None:
    if trace is None:
        return None
    return {
        "element": f"Not{name}" if negated else name,
        "match": trace.match,
        "by": trace.by,
        "reason": trace.reason.code,
        "hint": trace.reason.hint,
    }


def _condition_json(trace: ConditionTrace) -> JsonObject:
    op = trace.condition.operator
    return {
        "operator": op.text,
        "key": trace.condition.key,
        "quantifier": op.quantifier,
        "if_exists": op.if_exists,
        "request_values": list(trace.requested) if trace.requested else None,
        "policy_values": [
            {"raw": value.raw, "resolved": value.resolved, "match": value.match} for value in trace.values
        ],
        "result": trace.result,
        "reason": trace.reason.code,
        "hint": trace.reason.hint,
    }
