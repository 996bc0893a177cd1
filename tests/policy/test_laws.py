"""The laws of authorization, named as Cedar names its theorems, and the laws of this engine's two paths."""

from __future__ import annotations

import json
from dataclasses import replace

from example_counts import examples
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from strategies import HERE, documents, policy_sets, policy_texts, requests, statements

from sts_emulator.policy.caller_keys import can_send
from sts_emulator.policy.deciding.document import MalformedPolicy, as_list, parse
from sts_emulator.policy.deciding.engine import PolicySet, combine, decide, evaluate
from sts_emulator.policy.deciding.matching import AWS_TYPES
from sts_emulator.policy.explaining.explain import explain
from sts_emulator.policy.explaining.single_changes import State
from sts_emulator.policy.layers import LAYERS
from sts_emulator.policy.linting.lint import RULES, Finding, Known, lint
from sts_emulator.policy.saving.validate import restore_principals, rewrite_principals, validate

laws = settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
fuzz = settings(laws, max_examples=examples(150))
KINDS = ("trust", "identity", "inline", "session", "scp", "rcp")


def edited(document, change):
    source = json.loads(document.text)
    return parse(json.dumps({**source, "Statement": change(as_list(source["Statement"]))}))


@laws
@given(documents(), requests())
def test_forbid_trumps_permit(document, request_):
    verdict, _ = evaluate(document, request_)

    alone = [
        evaluate(edited(document, lambda listed, n=n: [listed[n]]), request_)[0]
        for n in range(len(document.statements))
    ]

    assert (verdict == "explicit_deny") == ("explicit_deny" in alone)


@laws
@given(requests(), policy_sets())
def test_forbid_trumps_permit_in_every_layer(request_, policies):
    decision = decide(request_, policies)
    consulted = explain(request_, policies).layers

    denies = [layer.layer for layer in consulted if layer.consulted and layer.decision == "explicit_deny"]
    root = request_.principal.type == "root"

    assert decision.explicit == any(layer for layer in denies if not (root and layer == "identity"))


@laws
@given(documents(), requests())
def test_allowed_only_if_explicitly_permitted(document, request_):
    verdict, _ = evaluate(document, request_)
    permits = edited(document, lambda listed: [part for part in listed if part["Effect"] == "Allow"])

    if verdict == "allow":
        assert evaluate(permits, request_)[0] == "allow"


@laws
@given(requests(), st.none() | documents(trust=True, effect="Deny"))
def test_default_deny(request_, trust):
    assume(request_.principal.type != "root")

    assert not decide(request_, PolicySet()).allowed
    assert not decide(request_, PolicySet(trust=trust)).allowed


@laws
@given(documents(), requests(), st.data())
def test_order_and_duplicates_do_not_matter(document, request_, data):
    shuffled = edited(document, lambda listed: data.draw(st.permutations(listed + listed[:1])))

    assert evaluate(shuffled, request_) == evaluate(document, request_)


@laws
@given(st.lists(documents(), max_size=3), requests())
def test_documents_of_a_layer_are_one_document_in_parts(listed, request_):
    current = [document for document in listed if document.version == "2012-10-17"]
    whole = {
        "Version": "2012-10-17",
        "Statement": [statement for part in current for statement in json.loads(part.text)["Statement"]],
    }

    together = evaluate(parse(json.dumps(whole)), request_)[0]

    assert combine(evaluate(document, request_)[0] for document in current) == together


@laws
@given(requests(), policy_sets(), st.data())
def test_adding_an_allow_never_turns_allow_into_deny(request_, policies, data):
    before = decide(request_, policies)
    trust = data.draw(statements("Allow", trust=True))
    own = parse(json.dumps({"Version": "2012-10-17", "Statement": [data.draw(statements("Allow", trust=False))]}))

    wider = replace(policies, identity=(*policies.identity, own))
    if policies.trust is not None:
        wider = replace(wider, trust=edited(policies.trust, lambda listed: [*listed, trust]))
    if policies.session is not None:
        wider = replace(wider, session=(*policies.session, own))

    assert decide(request_, wider).allowed or not before.allowed


@laws
@given(requests(), policy_sets(), st.data())
def test_adding_a_deny_never_turns_deny_into_allow(request_, policies, data):
    before = decide(request_, policies)
    trust = data.draw(statements("Deny", trust=True))
    own = parse(json.dumps({"Version": "2012-10-17", "Statement": [data.draw(statements("Deny", trust=False))]}))

    narrower = replace(policies, identity=(*policies.identity, own))
    if policies.trust is not None:
        narrower = replace(narrower, trust=edited(policies.trust, lambda listed: [*listed, trust]))
    if policies.scps:
        narrower = replace(narrower, scps=(*policies.scps, (own,)))

    assert before.allowed or not decide(request_, narrower).allowed


@laws
@given(requests(), policy_sets())
def test_removing_every_statement_denies(request_, policies):
    empty = parse('{"Version": "2012-10-17", "Statement": []}')
    assume(request_.principal.type != "root")

    bare = PolicySet(trust=policies.trust and empty, identity=(empty,), resource_account=policies.resource_account)

    assert decide(request_, bare).verdict == "implicit_deny"


@laws
@given(policy_texts(), requests())
def test_parse_and_format_round_trip(text, request_):
    document = parse(text)
    formatted = json.dumps(json.loads(text), indent=2)

    again = parse(formatted)

    assert json.loads(again.text) == json.loads(document.text)
    assert (again.size, again.version) == (document.size, document.version)
    assert evaluate(again, request_) == evaluate(document, request_)


@laws
@given(requests(), policy_sets())
def test_the_explanation_and_the_fast_path_agree(request_, policies):
    explanation = explain(request_, policies)

    assert explanation.decision == decide(request_, policies)
    for layer in explanation.layers:
        for policy in layer.policies:
            bounded = layer.layer == "trust" and policies.boundary is not None
            verdict, grant = evaluate(policy.document, request_, bounded=bounded)
            assert (policy.decision, policy.grant) == (verdict, grant)


@laws
@given(requests(), policy_sets())
def test_a_suggested_change_is_an_allow(request_, policies):
    explanation = explain(request_, policies)

    told = explanation.to_json()

    json.dumps(told)
    assert told["decision"] == explanation.decision.verdict
    assert all(change["would"] == "allow" and change["edits"] for change in told["changes"])
    assert explanation.to_text().startswith("✓" if explanation.decision.allowed else "✗")


def changed_keys(before, after):
    names = {*before.context, *after.context}
    return {name for name in names if (before.context.get(name) or ()) != (after.context.get(name) or ())}


@laws
@given(requests(), policy_sets())
def test_a_remedy_is_applied_decided_again_and_one_that_this_caller_could_make(request_, policies):
    changes = explain(request_, policies).remedy.changes

    for change in changes:
        state = State(request_, policies)
        for edit in change.edits:
            state = edit.apply(state)
        assert decide(*state).verdict == "allow"
        assert (state.request.principal, state.request.action) == (request_.principal, request_.action)
        changed = changed_keys(request_, state.request)
        assert {key for key in changed if not can_send(key, request_.principal)} == set()
    widening = [bool(change.admits) for change in changes]
    assert widening == sorted(widening)


@laws
@given(requests(), policy_sets())
def test_no_sentence_calls_a_living_principal_deleted(request_, policies):
    stored = ("AROAAPP0000000000001", "AIDAALICE00000000001")  # the ids in `strategies.NAMED`
    living = {identifier: f"arn:aws:iam::{HERE}:role/{identifier}" for identifier in stored}
    told = explain(request_, policies, living)

    assert "deleted" not in json.dumps(told.to_json(), ensure_ascii=False)


@laws
@given(requests(), policy_sets())
def test_who_has_no_identity_is_decided_by_the_resource_alone(request_, policies):
    assume(request_.principal.type not in AWS_TYPES)

    alone = PolicySet(trust=policies.trust, rcps=policies.rcps, boundary=policies.boundary)

    assert decide(request_, policies) == decide(request_, alone)


@laws
@given(requests(), policy_sets())
def test_a_denial_names_its_layer(request_, policies):
    decision = decide(request_, policies)

    assert (decision.layer in LAYERS) != decision.allowed


arbitrary_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
names = st.sampled_from(
    (*("Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"),
     *("NotResource", "Condition", "AWS", "Federated", "Service", "StringEquals", "DateLessThan", "2012-10-17", "Allow"),
     *("*", "sts:AssumeRole", "arn:aws:iam::111122223333:root", "gitlab.com", "aws:TagKeys", "Null", "${*}", "${", "a:b"))
)  # fmt: skip
policy_like = st.recursive(
    names | st.booleans() | st.none() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=25,
)


@st.composite
def broken_policies(draw):
    """A policy of which one part was replaced by something else."""
    source = json.loads(draw(policy_texts()))
    where = draw(st.sampled_from(("Statement", "Version", "Id", "Extra")))
    listed = source["Statement"]
    if where == "Statement" and listed:
        statement = draw(st.sampled_from(listed))
        statement[draw(names)] = draw(policy_like)
    else:
        source[where] = draw(policy_like)
    return json.dumps(source)


any_text = st.text() | arbitrary_json.map(json.dumps) | policy_like.map(json.dumps) | broken_policies()


def accepted(ask, *arguments):
    """The answer, or None where the one permitted exception is raised, which then says what AWS would say."""
    try:
        return ask(*arguments)
    except MalformedPolicy as error:
        return None if error.code and error.message and error.status in (400, 409) else error


@fuzz
@given(any_text, requests())
def test_whatever_is_sent_parses_or_is_refused(text, request_):
    document = accepted(parse, text)

    if document is None:
        return
    assert explain(request_, PolicySet(trust=document)).decision == decide(request_, PolicySet(trust=document))


@fuzz
@given(st.sampled_from(KINDS), any_text)
def test_whatever_is_saved_is_refused_or_can_be_evaluated(kind, text):
    if accepted(lambda: validate(kind, text) or True) is None:
        return

    parse(text)
    assert restore_principals(rewrite_principals(text, lambda _: None), lambda _: None)


@fuzz
@given(st.sampled_from(KINDS), any_text)
def test_whatever_is_linted_gives_findings(kind, text):
    known = {rule.id for rule in RULES} | {"malformed"}

    findings = lint(text, kind=kind, role_account="111122223333", known=Known(accounts=frozenset({"111122223333"})))

    assert all(isinstance(finding, Finding) and finding.rule in known and finding.fix for finding in findings)
