"""Owns single edits of a request or a policy: what each would change, in words, and how to apply it to see."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sts_emulator.policy.caller_keys import can_send, class_of, meant
from sts_emulator.policy.deciding import engine
from sts_emulator.policy.deciding.document import as_list, parse
from sts_emulator.policy.deciding.operators import OPERATORS
from sts_emulator.policy.deciding.variables import LANGUAGE_WITH_VARIABLES
from sts_emulator.policy.explaining.condition_edits import Change, dropped, renamed, revalued
from sts_emulator.policy.explaining.sample_values import completing, falsifying, satisfying
from sts_emulator.policy.federated import kind_of_type
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.layers import words
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from sts_emulator.policy.deciding.document import Document, Statement
    from sts_emulator.policy.deciding.engine import PolicySet, Principal, Request
    from sts_emulator.policy.explaining.traces import ConditionTrace, StatementTrace
    from sts_emulator.policy.layers import Layer


class State(NamedTuple):
    """What is being edited."""

    request: Request
    policies: PolicySet


class Place(NamedTuple):
    """Where a statement stands; `level` counts from the organization's root, `policy` within its layer and level.

    `action` is what is asked for: by it the resource's own policy is called.
    """

    layer: Layer
    level: int
    policy: int
    statement: int
    action: str

    @property
    def path(self) -> str:
        """As a JSON path."""
        level = f"[{self.level}]" if self.layer in ("scp", "rcp") else ""
        number = f"[{self.policy}]" if self.layer not in ("trust", "boundary") else ""
        return f"{self.layer}{level}{number}.Statement[{self.statement}]"

    @property
    def words(self) -> str:
        """As a person would say it."""
        return f"Statement[{self.statement}] of the {self.policy_words}"

    @property
    def policy_words(self) -> str:
        """The document, as a person would say it; further ones of a layer are numbered as the tree numbers them."""
        level = f" at level {self.level}" if self.layer in ("scp", "rcp") else ""
        number = f" {self.layer}[{self.policy}]" if self.policy else ""
        return f"{words(self.layer, self.action).single}{number}{level}"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change; `cost` ranks edits: correcting a spelling is cheaper than dropping a condition.

    `admits` says whom else the policy lets in then; it is empty where that is this request alone, or what was meant.
    """

    side: Literal["request", "policy"]
    path: str
    text: str
    before: Any
    after: Any
    cost: int
    apply: Callable[[State], State]
    admits: str = ""

    def to_json(self) -> dict[str, Any]:
        """The edit without its function."""
        return {
            "side": self.side,
            "path": self.path,
            "text": self.text,
            "from": self.before,
            "to": self.after,
            "admits": self.admits,
        }


def repair_element(
    place: Place, trace: StatementTrace, document: Document, state: State, *, prefer_request: bool
) -> Edit | None:
    """The edit that mends the first failing element of an Allow statement."""
    failing = trace.failing[0] if trace.failing else "principal"  # it applies, but names nobody
    negated = {"action": trace.statement.not_action, "resource": trace.statement.not_resource}
    if negated.get(failing, failing == "principal" and trace.statement.not_principal):
        return widen(place, state)  # to list this request would turn the element's meaning for all others
    if failing == "action":
        return _add_to_list(place, "Action", state.request.action, cost=2)
    if failing == "resource":
        return _add_to_list(place, "Resource", state.request.resource, cost=3)
    if failing == "principal":
        return _mend_principal(place, trace, state.request.principal)
    condition = next(condition for condition in trace.conditions if not condition.result)
    change = _mend_request(condition, state.request) if prefer_request else None
    return change or _mend_condition(place, condition, trace.statement, document, state.request)


def _mend_request(condition: ConditionTrace, request: Request) -> Edit | None:
    context = request.context
    if condition.reason.code == "wildcard_literal":
        return None  # nobody wants to send the pattern itself
    if condition.reason.code == "unresolved_variable":
        completed = completing(condition, context)
        if completed is not None and can_send(completed[0].name, request.principal):
            variable, text = completed
            return set_key(variable.key, context.get(variable.name, ()), (text,))
    values = satisfying(condition, request)
    return None if values is None else set_key(condition.condition.key, condition.requested, values)


def lift_deny(place: Place, trace: StatementTrace, request: Request, *, prefer_request: bool) -> Edit:
    """The edit that keeps a Deny statement from applying."""
    if prefer_request:
        for condition in trace.conditions:
            values = falsifying(condition, request)
            if values is not None:
                return set_key(condition.condition.key, condition.requested, values)
    words, silence = f"remove {place.words}, which denies", _in_statement(place, _silence)
    return Edit(
        "policy", place.path, words, trace.statement.source, None, 6, silence, "everybody else whom it keeps out"
    )


def _silence(statement: dict[str, Json]) -> None:
    """Remove a statement's effect but not its place, so that later edits count as the reader does."""
    statement.pop("NotAction", None)
    statement["Action"] = []


def set_key(key: str, requested: tuple[str, ...], values: tuple[str, ...]) -> Edit:
    """Give a condition key other values in the request, or none."""
    told = ", ".join(f"`{value}`" for value in values)
    if key.lower() == "aws:principalorgid":
        text = f"make the request from an account of the organization {told}"
    elif not values:
        text = f"make the request without {key}"
    elif not requested:
        text = f"make the request with {key} {told} (it is absent now)"
    else:
        text = f"make the request with {key} {told} instead of {', '.join(f'`{value}`' for value in requested)}"

    def apply(state: State) -> State:
        context = {**state.request.context, key.lower(): values}
        return State(replace(state.request, context=context), state.policies)

    return Edit(
        "request", f"context.{key}", text, list(requested) or None, list(values) or None, 3 if requested else 2, apply
    )


def widen(place: Place, state: State) -> Edit:
    """Add a statement that allows exactly this request, in a document of its own where there is none."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": state.request.action}
    told = f"that allows {state.request.action}"
    if place.layer == "trust":
        kind, principal = principal_entry(state.request.principal)
        statement["Principal"] = {kind: principal}
        told = f"that names {principal} and allows {state.request.action}"
    if place.layer != "trust" or not engine.needs_trust(state.request):  # a role's policy alone names no resources
        statement["Resource"] = state.request.resource
        told += f" on {state.request.resource}"
    path = place.path.rpartition(".")[0]
    text = f"add a statement to the {place.policy_words} {told}"
    add = _in_document(place, lambda source: source.update(Statement=[*as_list(source["Statement"]), statement]))
    admits = _others_named(state.request.principal) if place.layer == "trust" else ""
    return Edit("policy", path, text, None, statement, 5, add, admits)


def _add_to_list(place: Place, element: str, text: str, *, cost: int) -> Edit:
    def change(statement: dict[str, Json]) -> None:
        listed = as_list(statement[element]) if element in statement else []
        statement[element] = [*listed, text]

    return _edit(place, f".{element}", f"add the {element.lower()} {text}", change, None, text, cost)


def _edit(
    place: Place, below: str, words: str, change: Change, before: Any, after: Any, cost: int, admits: str = ""
) -> Edit:
    """An edit of a statement: what stands `below` it, in words without the statement's name."""
    path, told = f"{place.path}{below}", f"in {place.words}, {words}"
    return Edit("policy", path, told, before, after, cost, _in_statement(place, change), admits)


def principal_entry(caller: Principal) -> tuple[str, str]:
    """How a policy names a caller: the principal type and its text."""
    match caller.type:
        case "user" | "assumed-role" | "root" | "federated-user":
            return "AWS", caller.role_arn or caller.user_arn or caller.value
        case "service":
            return "Service", caller.value
        case "anonymous":
            return "AWS", "*"
        case _ as kind:
            return kind_of_type(kind).element, caller.value


def _others_named(caller: Principal) -> str:
    """Who else is named by the entry that names a caller without saying more of it."""
    _, text = principal_entry(caller)
    match caller.type:
        case "anonymous":
            return "everybody, of every account"
        case "root":
            return f"every user and role of account {caller.account} whose own policies allow it"
        case "service":
            return f"{text} on behalf of anybody's resources"
        case "user" | "assumed-role" | "federated-user":
            return ""
        case _ as kind:
            return f"everybody with {kind_of_type(kind).evidence} of {text}, whatever it says"


MISSPELT = frozenset({"case_differs", "path_differs"})


def _mend_principal(place: Place, trace: StatementTrace, caller: Principal) -> Edit:
    """Correct the listed text when it is a misspelling of the caller, else list the caller as well."""
    kind, text = principal_entry(caller)
    wrong = ""
    if trace.principal is not None and trace.principal.reason.code in MISSPELT and trace.statement.principals:
        listed = [entry for entry_kind, entry in trace.statement.principals.entries if entry_kind == kind]
        last = text.rpartition("/")[2].lower()
        wrong = next((entry for entry in listed if entry.rpartition("/")[2].lower() == last), "")

    def change(statement: dict[str, Json]) -> None:
        element = statement.get("Principal")
        element = dict(element) if isinstance(element, dict) else {}
        kept = [entry for entry in as_list(element.get(kind, [])) if entry != wrong]
        statement["Principal"] = {**element, kind: [*kept, text]}

    words = f"correct the principal {wrong} to {text}" if wrong else f"name the principal {text}"
    admits = "" if wrong or trace.conditions else _others_named(caller)
    return _edit(place, f".Principal.{kind}", words, change, wrong or None, text, 1 if wrong else 3, admits)


def _mend_condition(  # noqa: PLR0911 # one per reason
    place: Place, trace: ConditionTrace, statement: Statement, document: Document, request: Request
) -> Edit:
    """The policy edit that fits the reason; dropping the condition is the last resort."""
    condition, code = trace.condition, trace.reason.code
    op = condition.operator
    drop = _drop_condition(place, trace, statement)
    if code == "key_never_there":
        wanted = meant(condition.key, class_of(request.principal), have=request.context)
        return _rename_key(place, trace, wanted) if wanted else drop
    if code == "wildcard_literal":
        return _rename_operator(place, trace, op.text.replace(op.base, "StringNotLike" if op.negated else "StringLike"))
    if code == "unknown_operator":
        closest = next((name for name in OPERATORS if name.lower() == op.text.lower()), "")  # in other letters
        return _rename_operator(place, trace, closest) if closest else drop
    if code == "multivalued_without_set_operator":
        return _rename_operator(place, trace, f"ForAnyValue:{op.text}")
    if code == "variable_literal_old_version":
        path, newest = f"{place.path.rpartition('.')[0]}.Version", LANGUAGE_WITH_VARIABLES
        words = f'give the {place.policy_words} "Version": "{newest}", so that variables work'
        change = _in_document(place, lambda source: source.update(Version=newest))
        return Edit("policy", path, words, document.version, newest, 1, change)
    if code == "negated_value_matched":
        return _drop_value(place, trace)
    if code == "type_error":
        return drop
    if trace.requested and op.family != "null" and not op.negated and op.relation == "equal":
        return _add_value(place, trace, misspelt=code == "case_differs")
    return drop


def _rename_key(place: Place, trace: ConditionTrace, key: str) -> Edit:
    name, old = trace.condition.operator.text, trace.condition.key

    def change(statement: dict[str, Any]) -> None:
        block = statement["Condition"][name]
        block[key] = [*as_list(block.get(key, [])), *as_list(block.pop(old))]

    return _edit(place, f".Condition.{name}", f"test {key} instead of {old}", change, old, key, 1)


def _rename_operator(place: Place, trace: ConditionTrace, name: str) -> Edit:
    old, key = trace.condition.operator.text, trace.condition.key
    return _edit(place, ".Condition", f"test {key} with {name} instead of {old}", renamed(old, key, name), old, name, 1)


def _add_value(place: Place, trace: ConditionTrace, *, misspelt: bool) -> Edit:
    name, key = trace.condition.operator.text, trace.condition.key
    listed = {value.raw for value in trace.values}
    added = [value for value in trace.requested if value not in listed]
    words = f"let {key} also be {', '.join(f'`{value}`' for value in added)}"
    change = revalued(name, key, lambda values: [*values, *added])
    return _edit(place, f".Condition.{name}.{key}", words, change, None, added, 2 if misspelt else 4)


def _drop_value(place: Place, trace: ConditionTrace) -> Edit:
    name, key = trace.condition.operator.text, trace.condition.key
    matching = sorted({value.raw for value in trace.values if value.match})
    words = f"no longer exclude {', '.join(f'`{value}`' for value in matching)} for {key}"
    admits = f"everybody else whose {key} is one of these"
    change = revalued(name, key, lambda values: [value for value in values if value not in matching])
    return _edit(place, f".Condition.{name}.{key}", words, change, matching, None, 4, admits)


def _drop_condition(place: Place, trace: ConditionTrace, statement: Statement) -> Edit:
    name, key = trace.condition.operator.text, trace.condition.key
    listed = [value.raw for value in trace.values]
    rest = ", if the other conditions hold" if len(statement.conditions) > 1 else ""
    admits = f"everybody whom the statement names, whatever their {key}{rest}"
    words = f"drop the condition {name} on {key}"
    return _edit(place, f".Condition.{name}.{key}", words, dropped(name, key), listed, None, 5, admits)


def _in_statement(place: Place, change: Change) -> Callable[[State], State]:
    def change_document(source: dict[str, Json]) -> None:
        statements = as_list(source["Statement"])
        change(statements[place.statement])
        source["Statement"] = statements

    return _in_document(place, change_document)


def _in_document(place: Place, change: Change) -> Callable[[State], State]:
    """Apply a change to a copy of the document, or to an empty one where the layer has none."""
    member = {"scp": "scps", "rcp": "rcps"}.get(place.layer, place.layer)

    def apply(state: State) -> State:
        held = getattr(state.policies, member)
        listed = held[place.level] if member != place.layer else held
        documents = list(listed) if isinstance(listed, tuple) else [] if listed is None else [listed]
        empty = {"Version": LANGUAGE_WITH_VARIABLES, "Statement": []}
        source = deepcopy(dict(documents[place.policy].source)) if place.policy < len(documents) else empty
        change(source)
        documents[place.policy : place.policy + 1] = [parse(json.dumps(source))]
        after: Any = documents[0] if place.layer in ("trust", "boundary") else tuple(documents)
        if member != place.layer:
            after = (*held[: place.level], after, *held[place.level + 1 :])
        return State(state.request, replace(state.policies, **{member: after}))

    return apply
