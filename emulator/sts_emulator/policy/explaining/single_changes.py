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
from sts_emulator.policy.explaining.sample_values import completing, falsifying, satisfying
from sts_emulator.policy.federated import kind_of_type
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.layers import words
from sts_emulator.policy.values import dataclass

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
    return Edit(
        "policy",
        place.path,
        f"remove {place.words}, which denies",
        trace.statement.source,
        None,
        6,
        _in_statement(place, _silence),
        "everybody else whom it keeps out",
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
    if place.layer == "trust":
        kind, principal = principal_entry(state.request.principal)
        statement["Principal"] = {kind: principal}
        told = f"that names {principal} and allows {state.request.action}"
        if not engine.needs_trust(state.request):  # a role's policy names no resources, all others do
            statement["Resource"] = state.request.resource
            told += f" on {state.request.resource}"
    else:
        statement["Resource"] = state.request.resource
        told = f"that allows {state.request.action} on {state.request.resource}"
    path = place.path.rpartition(".")[0]
    text = f"add a statement to the {place.policy_words} {told}"
    add = _in_document(place, lambda source: source.update(Statement=[*as_list(source["Statement"]), statement]))
    admits = _others_named(state.request.principal) if place.layer == "trust" else ""
    return Edit("policy", path, text, None, statement, 5, add, admits)


def _add_to_list(place: Place, element: str, text: str, *, cost: int) -> Edit:
    def change(statement: dict[str, Json]) -> None:
        listed = as_list(statement[element]) if element in statement else []
        statement[element] = [*listed, text]

    words = f"in {place.words}, add the {element.lower()} {text}"
    return Edit("policy", f"{place.path}.{element}", words, None, text, cost, _in_statement(place, change))


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
    return Edit(
        "policy",
        f"{place.path}.Principal.{kind}",
        f"in {place.words}, {words}",
        wrong or None,
        text,
        1 if wrong else 3,
        _in_statement(place, change),
        "" if wrong or trace.conditions else _others_named(caller),
    )


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
        closest = _closest_operator(op.text)
        return _rename_operator(place, trace, closest) if closest else drop
    if code == "multivalued_without_set_operator":
        return _rename_operator(place, trace, f"ForAnyValue:{op.text}")
    if code == "variable_literal_old_version":
        return Edit(
            "policy",
            place.path.rpartition(".")[0] + ".Version",
            f'give the {place.policy_words} "Version": "{LANGUAGE_WITH_VARIABLES}", so that variables work',
            document.version,
            LANGUAGE_WITH_VARIABLES,
            1,
            _in_document(place, lambda source: source.update(Version=LANGUAGE_WITH_VARIABLES)),
        )
    if code == "negated_value_matched":
        return _drop_value(place, trace)
    if code == "type_error":
        return drop
    if trace.requested and op.family != "null" and not op.negated and op.relation == "equal":
        return _add_value(place, trace, misspelt=code == "case_differs")
    return drop


def _rename_key(place: Place, trace: ConditionTrace, key: str) -> Edit:
    condition = trace.condition

    def change(statement: dict[str, Any]) -> None:
        block = statement["Condition"][condition.operator.text]
        values = block.pop(condition.key)
        block[key] = [*as_list(block.get(key, [])), *as_list(values)]

    return Edit(
        "policy",
        f"{place.path}.Condition.{condition.operator.text}",
        f"in {place.words}, test {key} instead of {condition.key}",
        condition.key,
        key,
        1,
        _in_statement(place, change),
    )


def _rename_operator(place: Place, trace: ConditionTrace, name: str) -> Edit:
    condition = trace.condition

    def change(statement: dict[str, Any]) -> None:
        values = statement["Condition"][condition.operator.text].pop(condition.key)
        block = statement["Condition"].setdefault(name, {})
        block[condition.key] = values

    return Edit(
        "policy",
        f"{place.path}.Condition",
        f"in {place.words}, test {condition.key} with {name} instead of {condition.operator.text}",
        condition.operator.text,
        name,
        1,
        _in_statement(place, change),
    )


def _closest_operator(text: str) -> str:
    """The operator that differs in case alone, or the empty text."""
    return next((name for name in OPERATORS if name.lower() == text.lower()), "")


def _add_value(place: Place, trace: ConditionTrace, *, misspelt: bool) -> Edit:
    condition = trace.condition
    listed = {value.raw for value in trace.values}
    added = [value for value in trace.requested if value not in listed]

    def change(statement: dict[str, Any]) -> None:
        block = statement["Condition"][condition.operator.text]
        block[condition.key] = [*as_list(block[condition.key]), *added]

    told = ", ".join(f"`{value}`" for value in added)
    return Edit(
        "policy",
        f"{place.path}.Condition.{condition.operator.text}.{condition.key}",
        f"in {place.words}, let {condition.key} also be {told}",
        None,
        added,
        2 if misspelt else 4,
        _in_statement(place, change),
    )


def _drop_value(place: Place, trace: ConditionTrace) -> Edit:
    condition = trace.condition
    matching = {value.raw for value in trace.values if value.match}

    def change(statement: dict[str, Any]) -> None:
        block = statement["Condition"][condition.operator.text]
        kept = [value for value in as_list(block[condition.key]) if str(value) not in matching]
        block.update({condition.key: kept}) if kept else block.pop(condition.key)

    told = ", ".join(f"`{value}`" for value in sorted(matching))
    path = f"{place.path}.Condition.{condition.operator.text}.{condition.key}"
    words = f"in {place.words}, no longer exclude {told} for {condition.key}"
    admits = f"everybody else whose {condition.key} is one of these"
    return Edit("policy", path, words, sorted(matching), None, 4, _in_statement(place, change), admits)


def _drop_condition(place: Place, trace: ConditionTrace, statement: Statement) -> Edit:
    condition = trace.condition

    def change(statement: dict[str, Any]) -> None:
        statement["Condition"][condition.operator.text].pop(condition.key)

    path = f"{place.path}.Condition.{condition.operator.text}.{condition.key}"
    words = f"in {place.words}, drop the condition {condition.operator.text} on {condition.key}"
    listed = [value.raw for value in trace.values]
    rest = ", if the other conditions hold" if len(statement.conditions) > 1 else ""
    admits = f"everybody whom the statement names, whatever their {condition.key}{rest}"
    return Edit("policy", path, words, listed, None, 5, _in_statement(place, change), admits)


def _in_statement(place: Place, change: Callable[[dict[str, Any]], None]) -> Callable[[State], State]:
    def change_document(source: dict[str, Json]) -> None:
        statements = as_list(source["Statement"])
        change(statements[place.statement])
        source["Statement"] = statements

    return _in_document(place, change_document)


def _in_document(place: Place, change: Callable[[dict[str, Any]], None]) -> Callable[[State], State]:
    """Apply a change to a copy of the document, or to an empty one where the layer has none."""

    def apply(state: State) -> State:
        documents = _documents(state.policies, place)
        exists = place.policy < len(documents)
        source: dict[str, Any] = {"Version": LANGUAGE_WITH_VARIABLES, "Statement": []}
        if exists:
            source = deepcopy(dict(documents[place.policy].source))
        change(source)
        edited = parse(json.dumps(source))
        kept = list(documents)
        kept[place.policy : place.policy + 1] = [edited]
        return State(state.request, _with_documents(state.policies, place, tuple(kept)))

    return apply


def _documents(policies: PolicySet, place: Place) -> tuple[Document, ...]:
    single = {"trust": policies.trust, "boundary": policies.boundary}
    if place.layer in single:
        document = single[place.layer]
        return () if document is None else (document,)
    if place.layer in ("scp", "rcp"):
        levels = policies.scps if place.layer == "scp" else policies.rcps
        return levels[place.level]
    return policies.identity if place.layer == "identity" else policies.session or ()


def _with_documents(policies: PolicySet, place: Place, documents: tuple[Document, ...]) -> PolicySet:
    match place.layer:
        case "trust":
            return replace(policies, trust=documents[0])
        case "boundary":
            return replace(policies, boundary=documents[0])
        case "scp":
            return replace(policies, scps=_with_level(policies.scps, place.level, documents))
        case "rcp":
            return replace(policies, rcps=_with_level(policies.rcps, place.level, documents))
        case "session":
            return replace(policies, session=documents)
        case _:
            return replace(policies, identity=documents)


def _with_level(
    levels: tuple[tuple[Document, ...], ...], level: int, documents: tuple[Document, ...]
) -> tuple[tuple[Document, ...], ...]:
    return tuple(documents if number == level else kept for number, kept in enumerate(levels))
