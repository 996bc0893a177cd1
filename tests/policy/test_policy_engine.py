"""How the layers come together: who must allow, and whose deny ends it."""

from __future__ import annotations

import json

import pytest
from strategies import CALLERS, HERE, OIDC, TARGET, THERE

from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import Decision, PolicySet, Principal, Request, decide, evaluate
from sts_emulator.policy.explaining.explain import explain

ALICE, DAVE, APP, ROOT, KIM, GITHUB, OKTA, EC2, NOBODY = CALLERS


def document(*statements):
    return parse(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def own(effect="Allow", action="sts:AssumeRole", resource="*", **more):
    return document({"Effect": effect, "Action": action, "Resource": resource, **more})


def trust(principal, effect="Allow", action="sts:AssumeRole"):
    return document({"Effect": effect, "Principal": principal, "Action": action})


ALLOW, SILENT, DENY = own(), own(action="s3:*"), own("Deny")
FULL = own(action="*")


def ask(caller, action="sts:AssumeRole", resource=TARGET):
    return Request(action, resource, caller, {})


def verdict(caller, **layers):
    return decide(ask(caller), PolicySet(**layers))


@pytest.mark.parametrize(
    ("named", "caller", "identity", "boundary", "session", "expected"),
    [
        # named itself: nothing else is asked of the caller's side
        (ALICE.value, ALICE, SILENT, SILENT, None, Decision("allow", "direct")),
        ("*", ALICE, SILENT, SILENT, None, Decision("allow", "direct")),
        (APP.value, APP, SILENT, SILENT, SILENT, Decision("allow", "direct")),
        # named by its role: boundary and session policies limit
        (APP.role_arn, APP, SILENT, None, None, Decision("allow", "role")),
        (APP.role_arn, APP, ALLOW, SILENT, None, Decision("implicit_deny", "role", "boundary")),
        (APP.role_arn, APP, ALLOW, ALLOW, SILENT, Decision("implicit_deny", "role", "session")),
        # named by its account: the caller's own permissions must allow as well
        (HERE, ALICE, SILENT, None, None, Decision("implicit_deny", "account", "identity")),
        (HERE, ALICE, ALLOW, None, None, Decision("allow", "account")),
        (HERE, ALICE, ALLOW, SILENT, None, Decision("implicit_deny", "account", "boundary")),
        (HERE, APP, ALLOW, ALLOW, SILENT, Decision("implicit_deny", "account", "session")),
        (HERE, APP, ALLOW, ALLOW, ALLOW, Decision("allow", "account")),
        # not named
        (THERE, ALICE, FULL, None, None, Decision("implicit_deny", None, "trust")),
    ],
)
def test_in_one_account_the_trust_policy_decides_what_else_is_needed(
    named, caller, identity, boundary, session, expected
):
    sessions = None if session is None else (session,)

    assert verdict(caller, trust=trust({"AWS": named}), identity=(identity,), boundary=boundary, session=sessions) == (
        expected
    )


@pytest.mark.parametrize(
    ("identity", "boundary", "expected"),
    [
        (SILENT, None, Decision("implicit_deny", "direct", "identity")),
        (ALLOW, None, Decision("allow", "direct")),
        (ALLOW, SILENT, Decision("implicit_deny", "direct", "boundary")),
    ],
)
def test_across_accounts_both_sides_must_allow(identity, boundary, expected):
    assert verdict(DAVE, trust=trust({"AWS": DAVE.value}), identity=(identity,), boundary=boundary) == expected


def test_the_account_of_the_resource_can_be_given():
    bucket = Request("s3:GetObject", "arn:aws:s3:::bucket/key", ALICE, {})
    shared = trust({"AWS": ALICE.value}, action="s3:GetObject")

    assert decide(bucket, PolicySet(trust=shared)).allowed
    assert not decide(bucket, PolicySet(trust=shared, resource_account=THERE)).allowed


@pytest.mark.parametrize("layer", ["scp", "rcp", "trust", "identity", "boundary", "session"])
def test_a_deny_in_any_layer_ends_it(layer):
    everything = own(action="*")
    layers = {
        "trust": trust({"AWS": APP.value}),
        "identity": (everything,),
        "boundary": everything,
        "session": (everything,),
        "scps": ((everything,),),
        "rcps": ((),),
    }
    deny_all = trust("*", "Deny")
    both = document(*layers["trust"].source["Statement"], *deny_all.source["Statement"])
    changed = {
        "scp": {"scps": ((everything, DENY),)},
        "rcp": {"rcps": ((deny_all,),)},
        "trust": {"trust": both},
        "identity": {"identity": (everything, DENY)},
        "boundary": {"boundary": DENY},
        "session": {"session": (everything, DENY)},
    }

    assert verdict(APP, **layers).allowed
    assert (denied := verdict(APP, **{**layers, **changed[layer]})).explicit
    assert denied.layer == layer


def test_every_level_of_the_organization_must_allow():
    open_trust = trust({"AWS": ALICE.value})

    assert verdict(ALICE, trust=open_trust, scps=((FULL,), (FULL,))).allowed
    assert verdict(ALICE, trust=open_trust, scps=((FULL,), (SILENT,))).layer == "scp"
    assert verdict(ALICE, trust=open_trust, scps=((FULL,), ())).layer == "scp"
    assert verdict(ALICE, trust=open_trust, scps=((FULL,), (SILENT, ALLOW))).allowed


def test_resource_control_policies_only_deny():
    open_trust = trust({"AWS": ALICE.value})

    assert verdict(ALICE, trust=open_trust, rcps=((), (trust("*", "Deny", "s3:*"),))).allowed
    assert verdict(ALICE, trust=open_trust, rcps=((trust("*", "Deny"),),)).layer == "rcp"


@pytest.mark.parametrize("caller", [GITHUB, OKTA, EC2])
def test_callers_without_identity_are_decided_by_the_trust_policy_and_resource_control(caller):
    element = {"Service": caller.value} if caller is EC2 else {"Federated": caller.value}

    assert verdict(caller, trust=trust(element), scps=((DENY,),), identity=(DENY,)).allowed
    assert verdict(caller, trust=trust(element), rcps=((trust("*", "Deny"),),)).layer == "rcp"
    assert verdict(caller, trust=trust({"AWS": "*"}), identity=(FULL,)).layer == "trust"
    assert verdict(caller).layer == "trust"


def test_a_role_without_a_trust_policy_admits_nobody():
    assert verdict(ALICE, identity=(FULL,)) == Decision("implicit_deny", None, "trust")
    assert decide(ask(ALICE, "sts:TagSession"), PolicySet(identity=(FULL,))).layer == "trust"


def test_what_has_no_policy_of_its_own_is_decided_by_the_caller_alone():
    list_roles = Request("iam:ListRoles", "*", ALICE, {})

    assert decide(list_roles, PolicySet(identity=(FULL,))).allowed
    assert decide(list_roles, PolicySet(identity=(SILENT,))) == Decision("implicit_deny", None, "identity")
    assert decide(list_roles, PolicySet(identity=(FULL,), boundary=SILENT)).layer == "boundary"
    assert decide(list_roles, PolicySet(identity=(FULL,), session=())).layer == "session"
    assert decide(list_roles, PolicySet(identity=(FULL,), scps=((SILENT,),))).layer == "scp"


def test_a_resource_policy_and_the_callers_permissions_add_up_in_one_account():
    read = Request("s3:GetObject", f"arn:aws:sqs:us-east-1:{HERE}:queue", APP, {})
    named = trust({"AWS": APP.role_arn}, action="s3:GetObject")

    assert decide(read, PolicySet(trust=named)).allowed
    assert decide(read, PolicySet(trust=trust({"AWS": THERE}, action="*"), identity=(FULL,))).allowed
    assert decide(read, PolicySet(trust=named, boundary=ALLOW)).layer == "boundary"


def test_the_root_user_needs_no_identity_policy_but_obeys_the_organization():
    delete = Request("iam:DeleteRole", TARGET, ROOT, {})

    assert decide(delete, PolicySet()).allowed
    assert decide(delete, PolicySet(scps=((SILENT,),))).layer == "scp"


def test_not_principal_with_deny_always_reaches_a_caller_with_a_boundary():
    policy = document(
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"},
        {"Effect": "Deny", "NotPrincipal": {"AWS": [ALICE.value, HERE]}, "Action": "sts:AssumeRole"},
    )

    assert verdict(ALICE, trust=policy).allowed
    assert verdict(ALICE, trust=policy, boundary=FULL).explicit


def test_the_strongest_grant_counts():
    both = document(
        {"Effect": "Allow", "Principal": {"AWS": APP.role_arn}, "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Principal": {"AWS": [HERE, APP.value]}, "Action": "sts:AssumeRole"},
    )

    assert evaluate(both, ask(APP)) == ("allow", "direct")


def test_a_trust_statement_that_names_nobody_allows_nobody():
    assert verdict(ALICE, trust=ALLOW, identity=(FULL,)).layer == "trust"
    assert evaluate(document({"Effect": "Allow", "Action": "*"}), ask(ALICE)) == ("implicit_deny", None)
    assert evaluate(document({"Effect": "Deny", "Action": "*"}), ask(ALICE)) == ("explicit_deny", None)


def test_extra_actions_are_asked_one_by_one():
    tagging = trust({"Federated": OIDC}, action="sts:AssumeRoleWithWebIdentity")

    assert decide(ask(GITHUB, "sts:AssumeRoleWithWebIdentity"), PolicySet(trust=tagging)).allowed
    assert not decide(ask(GITHUB, "sts:TagSession"), PolicySet(trust=tagging)).allowed


def test_an_anonymous_caller_is_admitted_by_a_star_alone():
    secret = Request("s3:GetObject", "arn:aws:s3:::bucket/key", Principal("anonymous", "*"), {})

    assert decide(secret, PolicySet(trust=trust("*", action="s3:*"))).allowed
    assert decide(secret, PolicySet(trust=trust({"AWS": "*"}, action="s3:*"))).allowed
    assert not decide(secret, PolicySet(trust=trust({"AWS": HERE}, action="s3:*"))).allowed


SPIFFE = Principal("spiffe", "spiffe://a", HERE, id="spiffe://a")  # type: ignore[arg-type]
"""mypy refuses such a caller; a store or a test could still bring one."""


@pytest.mark.parametrize("element", ["*", {"AWS": "*"}, {"AWS": HERE}, {"Federated": "spiffe://a"}])
@pytest.mark.parametrize("action", ["sts:AssumeRole", "s3:GetObject"])
def test_a_caller_of_an_unknown_type_is_admitted_by_nothing(element, action):
    except_for = document({"Effect": "Allow", "NotPrincipal": {"AWS": THERE}, "Action": "*"})

    for policy in (trust(element, action="*"), except_for, None):
        policies = PolicySet(trust=policy, identity=(FULL,))

        assert decide(ask(SPIFFE, action), policies).verdict == "implicit_deny"
        assert explain(ask(SPIFFE, action), policies).decision.verdict == "implicit_deny"


def test_but_a_deny_for_everybody_reaches_it():
    for element in ("*", {"AWS": "*"}):
        assert verdict(SPIFFE, trust=trust(element, "Deny")).explicit
    assert verdict(SPIFFE, trust=document({"Effect": "Deny", "NotPrincipal": {"AWS": HERE}, "Action": "*"})).explicit
