"""Owns what would turn a verdict: the near misses, the smallest changes, and what an allow depends on.

A change is never guessed: it is applied to the request or to the documents, and only reported if the engine then
allows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sts_emulator.policy.deciding import engine
from sts_emulator.policy.deciding.matching import LONGEST_COMPARED, edit_distance
from sts_emulator.policy.explaining.single_changes import Edit, Place, State, lift_deny, repair_element, widen
from sts_emulator.policy.explaining.traces import LayerTrace, PolicyTrace, StatementTrace, Tree, tree_of
from sts_emulator.policy.layers import LAYERS
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sts_emulator.policy.deciding.document import Effect
    from sts_emulator.policy.deciding.engine import Request, Verdict

Side = Literal["request", "policy"]

MOST_EDITS = 8
MOST_NEAR_MISSES = 3
WEIGHTS = {"action": 100, "principal": 10, "resource": 10}  # a condition weighs 1


@dataclass(frozen=True, slots=True)
class NearMiss:
    """An Allow statement that nearly applied; `would` is the verdict if it had."""

    place: Place
    failing: tuple[str, ...]
    would: Verdict
    weight: int
    distance: int

    def to_json(self) -> dict[str, Any]:
        """Where the statement stands and what is missing."""
        return {
            "layer": self.place.layer,
            "level": self.place.level,
            "policy": self.place.policy,
            "statement": self.place.statement,
            "failing": list(self.failing),
            "would": self.would,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """Edits that together turn the denial into an allow (verified)."""

    edits: tuple[Edit, ...]

    @property
    def cost(self) -> int:
        """How much is changed: the sum over the edits."""
        return sum(edit.cost for edit in self.edits)

    @property
    def admits(self) -> tuple[str, ...]:
        """Whom else the policies let in then."""
        return tuple(dict.fromkeys(edit.admits for edit in self.edits if edit.admits))

    def to_json(self) -> dict[str, Any]:
        """The edits, and the verdict they were found to give."""
        edits = [edit.to_json() for edit in self.edits]
        return {"edits": edits, "would": "allow", "admits": list(self.admits)}


@dataclass(frozen=True, slots=True)
class Remedy:
    """What `remedy` found; `depends_on` are the keys without which an allow would not be one."""

    near_misses: tuple[NearMiss, ...] = ()
    changes: tuple[Change, ...] = ()
    depends_on: tuple[tuple[str, Verdict], ...] = ()


class Candidate(NamedTuple):
    """A statement with its place."""

    place: Place
    policy: PolicyTrace
    trace: StatementTrace


def remedy(tree: Tree) -> Remedy:
    """Near misses and changes for a denial, dependencies for an allow."""
    if tree.decision.allowed:
        return Remedy(depends_on=tuple(_dependencies(tree)))
    misses = tuple(_near_misses(tree))[:MOST_NEAR_MISSES] if not tree.decision.explicit else ()
    changes = [change for side in ("request", "policy") if (change := _repair(tree, side)) is not None]
    unique = {tuple(edit.text for edit in change.edits): change for change in changes}
    narrow_first = sorted(unique.values(), key=lambda change: (bool(change.admits), change.cost))
    return Remedy(near_misses=misses, changes=tuple(narrow_first))


def _dependencies(tree: Tree) -> Iterator[tuple[str, Verdict]]:
    """Each key that an applicable statement tests and whose absence would change the verdict."""
    keys = {trace.condition.name: trace.condition.key for trace in tree.conditions if trace.requested}
    for name, key in keys.items():
        context = {other: values for other, values in tree.request.context.items() if other != name}
        verdict = engine.decide(replace(tree.request, context=context), tree.policies).verdict
        if verdict != "allow":
            yield key, verdict


def _near_misses(tree: Tree) -> Sequence[NearMiss]:
    layer = _deciding(tree)
    if layer is None:
        return ()
    misses = [
        NearMiss(near.place, _failing(near), _would(tree, layer, near), _weight(near), _distance(near))
        for near in _candidates(layer, tree.request.action)
    ]
    return sorted(misses, key=lambda miss: (miss.weight, miss.distance))


def _deciding(tree: Tree) -> LayerTrace | None:
    """The layer (and level) whose verdict is the decision's."""
    decision = tree.decision
    return next(
        (
            layer
            for layer in tree.layers
            if layer.layer == decision.layer and layer.consulted and layer.decision == decision.verdict
        ),
        None,
    )


def _candidates(layer: LayerTrace, action: str, effect: Effect = "Allow") -> Iterator[Candidate]:
    for number, policy in enumerate(layer.policies):
        for trace in policy.statements:
            if trace.statement.effect == effect:
                yield Candidate(Place(layer.layer, layer.level, number, trace.statement.index, action), policy, trace)


def _weight(candidate: Candidate) -> int:
    return sum(WEIGHTS.get(name, 1) for name in _failing(candidate))


def _failing(candidate: Candidate) -> tuple[str, ...]:
    """What keeps the statement from allowing; one that applies and yet does not allow names nobody."""
    return candidate.trace.failing or ("principal",)


def _distance(candidate: Candidate) -> int:
    """How far the request's values are from the policy's, over the failing conditions."""
    total = 0
    for trace in candidate.trace.conditions:
        if trace.result:
            continue
        pairs = [(text, value.resolved or value.raw) for text in trace.requested for value in trace.values]
        total += min((edit_distance(text, other) for text, other in pairs), default=LONGEST_COMPARED)
    return total


def _would(tree: Tree, layer: LayerTrace, candidate: Candidate) -> Verdict:
    """The verdict if the statement had applied."""
    says = {name: tree.says(name) for name in LAYERS}
    says[layer.layer] = "allow"
    grant = tree.decision.grant
    if layer.layer == "trust":
        grant = candidate.trace.grant or "direct"
    needed = engine.needed_layers(tree.request, tree.policies, says["trust"], grant)
    return engine.fold(engine.Says(**says), grant, needed).verdict


def _repair(tree: Tree, side: Side) -> Change | None:
    """Edit step by step, the request or the policies first, until the engine allows; None if that leads nowhere."""
    state = State(tree.request, tree.policies)
    edits: list[Edit] = []
    for _ in range(MOST_EDITS):
        step = _next_edit(tree, state, side)
        if step is None:
            return None
        edits.append(step)
        state = step.apply(state)
        tree = tree_of(state.request, state.policies, tree.names)
        if tree.decision.allowed:
            return Change(tuple(edits))
    return None


def _next_edit(tree: Tree, state: State, side: Side) -> Edit | None:
    layer = _deciding(tree)
    if tree.decision.explicit:
        return _lift(layer, state.request, side) if layer else None
    if layer is None:
        return widen(Place(tree.decision.layer, 0, 0, 0, state.request.action), state)
    best = min(_candidates(layer, tree.request.action), key=lambda near: (_weight(near), _distance(near)), default=None)
    if best is None or ("action" in best.trace.failing and len(best.trace.failing) > 1):
        return widen(Place(layer.layer, layer.level, 0, 0, state.request.action), state)
    return repair_element(best.place, best.trace, best.policy.document, state, prefer_request=side == "request")


def _lift(layer: LayerTrace, request: Request, side: Side) -> Edit | None:
    denials = (denial for denial in _candidates(layer, request.action, "Deny") if denial.trace.applies)
    denial = next(denials, None)
    return denial and lift_deny(denial.place, denial.trace, request, prefer_request=side == "request")
