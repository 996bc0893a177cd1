"""Owns the tree of one decision: every layer, document, statement and condition, whatever the others say."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING

from sts_emulator.policy.deciding import engine
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Request, Says, Verdict
from sts_emulator.policy.deciding.matching import AWS_TYPES, RANK, Grant
from sts_emulator.policy.deciding.operators import READABLE
from sts_emulator.policy.explaining.reasons import (
    Reason,
    action_reason,
    condition_reason,
    principal_reason,
    resource_reason,
)
from sts_emulator.policy.keys import MULTIVALUED
from sts_emulator.policy.layers import LAYERS, words
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sts_emulator.policy.deciding.conditions import Condition
    from sts_emulator.policy.deciding.document import Document, Statement
    from sts_emulator.policy.deciding.engine import Principal
    from sts_emulator.policy.layers import Layer

NOBODY: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class ValueTrace:
    """A policy value as written, after variables (None: no value), and whether a request value equals it."""

    raw: str
    resolved: str | None
    match: bool


@dataclass(frozen=True, slots=True)
class ConditionTrace:
    """One condition against one request."""

    condition: Condition
    requested: tuple[str, ...]
    values: tuple[ValueTrace, ...]
    result: bool
    reason: Reason


@dataclass(frozen=True, slots=True)
class ElementTrace:
    """An action, principal or resource: whether and by which listed text it matches, how it names the caller."""

    match: bool
    by: str | None
    reason: Reason
    grant: Grant | None = None


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """One statement: every element is looked at, whatever the others say."""

    statement: Statement
    action: ElementTrace
    principal: ElementTrace | None
    resource: ElementTrace | None
    conditions: tuple[ConditionTrace, ...]

    @property
    def failing(self) -> tuple[str, ...]:
        """The elements that keep the statement from applying."""
        names = [
            *(() if self.action.match else ("action",)),
            *(() if self.principal is None or self.principal.match else ("principal",)),
            *(() if self.resource is None or self.resource.match else ("resource",)),
            *(f"condition[{index}]" for index, trace in enumerate(self.conditions) if not trace.result),
        ]
        if self.principal is None and self.resource is None and self.statement.effect == "Allow":
            names.append("resource")
        return tuple(names)

    @property
    def applies(self) -> bool:
        """Whether the statement has its effect."""
        return not self.failing

    @property
    def grant(self) -> Grant | None:
        """How it names the caller."""
        return self.principal.grant if self.principal else None


@dataclass(frozen=True, slots=True)
class PolicyTrace:
    """One document of a layer."""

    document: Document
    ref: str
    statements: tuple[StatementTrace, ...]

    @property
    def decision(self) -> Verdict:
        """Any applicable Deny, else any applicable Allow, else nothing."""
        effects = {trace.statement.effect for trace in self.statements if trace.applies}
        return "explicit_deny" if "Deny" in effects else "allow" if "Allow" in effects else "implicit_deny"

    @property
    def grant(self) -> Grant | None:
        """The strongest grant of the applicable Allow statements."""
        if self.decision != "allow":
            return None
        grants = [trace.grant for trace in self.statements if trace.applies and trace.grant is not None]
        return max(grants, key=RANK.__getitem__, default=None)


@dataclass(frozen=True, slots=True)
class LayerTrace:
    """One layer, or one level of an organization's; `consulted` is False for what does not concern this caller."""

    layer: Layer
    level: int
    policies: tuple[PolicyTrace, ...]
    required: bool
    why: str
    consulted: bool = True

    @property
    def decision(self) -> Verdict:
        """What the layer's documents say together."""
        verdict = engine.combine(policy.decision for policy in self.policies)
        if verdict == "implicit_deny" and self.layer == "rcp":
            return "allow"  # RCPFullAWSAccess is always attached
        if self.layer == "trust" and verdict == "allow" and self.grant is None:
            return "implicit_deny"  # a statement that names nobody cannot allow anybody
        return verdict

    @property
    def grant(self) -> Grant | None:
        """How the resource's policy names the caller."""
        return self.policies[0].grant if self.layer == "trust" and self.policies else None


@dataclass(frozen=True)
class Tree:
    """Every layer against one request, and the verdict that follows."""

    request: Request
    policies: PolicySet
    layers: tuple[LayerTrace, ...]
    names: Mapping[str, str]

    @cached_property
    def decision(self) -> Decision:
        """Folded from the tree."""
        says = {layer: self.says(layer) for layer in LAYERS}
        trust = next((trace for trace in self.layers if trace.layer == "trust"), None)
        grant = trust.grant if trust else None
        needed = engine.needed_layers(self.request, self.policies, says["trust"], grant)
        return engine.fold(Says(**says), grant, needed)

    @property
    def conditions(self) -> Iterator[ConditionTrace]:
        """Every condition of every layer."""
        for layer in self.layers:
            for policy in layer.policies:
                for trace in policy.statements:
                    yield from trace.conditions

    def says(self, layer: Layer) -> Verdict | None:
        """What a layer says over all its levels; None: it is not there."""
        if layer == "identity" and self.request.principal.type == "root":
            return "allow"
        verdicts = [trace.decision for trace in self.layers if trace.layer == layer and trace.consulted]
        return engine.every_level(verdicts)


def tree_of(request: Request, policies: PolicySet, names: Mapping[str, str] = NOBODY) -> Tree:
    """Evaluate everything and keep it; the decision is the same as `engine.decide`'s (a property test proves it).

    `names` are the ARNs behind the unique ids that a stored trust policy holds; an id without one is nobody's any more.
    """
    names = _with_own(names, request.principal)
    layer = partial(_layer, request=request, policies=policies, names=names)
    layers = [
        *(layer("scp", number, documents) for number, documents in enumerate(policies.scps)),
        *(layer("rcp", number, documents) for number, documents in enumerate(policies.rcps)),
    ]
    if policies.trust is not None or engine.needs_trust(request) or request.principal.type not in AWS_TYPES:
        layers.append(layer("trust", 0, () if policies.trust is None else (policies.trust,)))
    if request.principal.type in AWS_TYPES:
        layers.append(layer("identity", 0, policies.identity))
        if policies.boundary is not None:
            layers.append(layer("boundary", 0, (policies.boundary,)))
        if policies.session is not None:
            layers.append(layer("session", 0, policies.session))
    return Tree(request, policies, _with_needs(request, policies, layers), names)


def _with_own(names: Mapping[str, str], caller: Principal) -> Mapping[str, str]:
    """The caller's own name is known whatever became of it since."""
    own, arn = caller.id.partition(":")[0], caller.role_arn or caller.user_arn or caller.value
    return {**names, own: arn} if own else names


def _layer(
    layer: Layer,
    level: int,
    documents: Sequence[Document],
    *,
    request: Request,
    policies: PolicySet,
    names: Mapping[str, str],
) -> LayerTrace:
    bounded = policies.boundary is not None and layer == "trust"
    return LayerTrace(
        layer,
        level,
        tuple(
            PolicyTrace(document, f"{layer}[{index}]", trace_statements(document, request, names, bounded=bounded))
            for index, document in enumerate(documents)
        ),
        required=True,
        why="",
    )


def _with_needs(request: Request, policies: PolicySet, layers: Sequence[LayerTrace]) -> tuple[LayerTrace, ...]:
    """Say of each layer whether it had to allow, and why (or why not)."""
    trust = next((trace for trace in layers if trace.layer == "trust"), None)
    grant = trust.grant if trust else None
    needed = engine.needed_layers(request, policies, trust.decision if trust else None, grant)
    cross = policies.trust is not None and engine.is_cross_account(request, policies)
    return tuple(_with_need(trace, request, needed, grant, cross=cross) for trace in layers)


def _with_need(
    trace: LayerTrace, request: Request, needed: frozenset[Layer], grant: Grant | None, *, cross: bool
) -> LayerTrace:
    consulted = not (trace.layer == "scp" and request.principal.type not in AWS_TYPES)
    exempt = trace.layer == "identity" and request.principal.type == "root"
    required = consulted and not exempt and (trace.layer in needed or trace.layer in ("scp", "rcp"))
    why = _why(trace.layer, request, grant, required=required, cross=cross)
    return LayerTrace(trace.layer, trace.level, trace.policies, required, why, consulted)


_NAMED = {
    "direct": "names the caller itself",
    "role": "names the caller's role",
    "account": "names the caller's account",
}


def _why(layer: Layer, request: Request, grant: Grant | None, *, required: bool, cross: bool) -> str:
    if layer == "scp":
        return "every level must allow" if required else "service control policies do not reach this kind of caller"
    if layer == "rcp":
        return "only its denies count"
    if layer == "trust":
        return _why_resource(request)
    return _why_guard(layer, request, grant, required=required, cross=cross)


def _why_resource(request: Request) -> str:
    if engine.needs_trust(request):
        return "a role's trust policy must always allow"
    return "a key's own policy must always allow" if engine.needs_key_policy(request) else "the resource's own policy"


def _why_guard(layer: Layer, request: Request, grant: Grant | None, *, required: bool, cross: bool) -> str:
    if request.principal.type == "root" and layer == "identity":
        return "a root user has no identity policies and needs none"
    if cross:
        return "caller and resource live in different accounts, so both sides must allow"
    if grant is None:
        return "the caller's own permissions must allow"
    named = f"the {words('trust', request.action).single} {_NAMED[grant]}"
    return f"{named}, so this must allow too" if required else f"{named}, so a missing allow here does not limit"


def trace_statements(
    document: Document, request: Request, names: Mapping[str, str] = NOBODY, *, bounded: bool
) -> tuple[StatementTrace, ...]:
    """Every statement of a document against a request; `names` are the ARNs behind unique ids."""
    return tuple(
        StatementTrace(
            statement,
            _trace_action(statement, request),
            _trace_principal(statement, request.principal, names, bounded=bounded),
            _trace_resource(statement, request),
            tuple(
                trace_condition(condition, statement, request, document.version) for condition in statement.conditions
            ),
        )
        for statement in document.statements
    )


def _trace_action(statement: Statement, request: Request) -> ElementTrace:
    by = statement.actions.matched_by(request.action.lower())
    match = (by is None) is statement.not_action
    return ElementTrace(match, by, action_reason(statement, request, match=match))


def _trace_principal(
    statement: Statement, caller: Principal, names: Mapping[str, str], *, bounded: bool
) -> ElementTrace | None:
    if statement.principals is None:
        return None
    grant = engine.named(statement, caller, bounded=bounded)
    by = statement.principals.matched_by(caller, deny=statement.effect == "Deny")
    reason = principal_reason(statement, caller, names, bounded=bounded, match=grant is not None)
    return ElementTrace(grant is not None, by, reason, grant)


def _trace_resource(statement: Statement, request: Request) -> ElementTrace | None:
    if statement.resources is None:
        return None
    by = statement.resources.matched_by(request.resource, request.context)
    match = (by is None) is statement.not_resource
    return ElementTrace(match, by, resource_reason(statement, request, match=match))


def trace_condition(condition: Condition, statement: Statement, request: Request, version: str) -> ConditionTrace:
    """One condition, every request value against every policy value."""
    context = request.context
    requested = tuple(context.get(condition.name) or ())
    rows = [[value.matches(text, context) for value in condition.values] for text in requested]
    values = tuple(
        ValueTrace(value.raw, value.resolved(context), any(row[column] for row in rows))
        for column, value in enumerate(condition.values)
    )
    matched = [any(row) for row in rows]
    result = _result(condition, requested, matched, context, deny=statement.effect == "Deny")
    return ConditionTrace(
        condition, requested, values, result, condition_reason(condition, requested, request, version, result=result)
    )


def _result(  # noqa: PLR0911 # one for each way in which a condition ends
    condition: Condition,
    requested: Sequence[str],
    matched: Sequence[bool],
    context: Mapping[str, tuple[str, ...]],
    *,
    deny: bool,
) -> bool:
    """Fold the request values of one condition; `matched` says of each whether it equals any policy value."""
    op = condition.operator
    if op.family == "unknown":
        return deny
    if op.family == "null":
        return (not requested) in {value.raw.lower() == "true" for value in condition.values}
    if requested and op.family == "arn" and any(value.is_broken_arn(context) for value in condition.values):
        return deny
    readable = READABLE.get(op.family)
    outcomes = [
        match is not op.negated and (readable is None or readable(text))
        for text, match in zip(requested, matched, strict=True)
    ]
    if op.quantifier == "ForAllValues":
        return all(outcomes)
    if op.quantifier == "ForAnyValue":
        return any(outcomes)
    if not outcomes:
        return op.negated or op.if_exists
    return outcomes == [True] and condition.name not in MULTIVALUED
