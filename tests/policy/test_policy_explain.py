"""Explanations: the whole tree, a reason for each element, and changes that were tried."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from strategies import CALLERS, HERE, OIDC, TARGET, THERE

from sts_emulator.policy.deciding.document import parse
from sts_emulator.policy.deciding.engine import PolicySet, Request, decide
from sts_emulator.policy.explaining.explain import explain
from sts_emulator.policy.explaining.report import text_of

ALICE, DAVE, APP, ROOT, KIM, GITHUB, OKTA, EC2, NOBODY = CALLERS
SUB, AUD = "token.actions.githubusercontent.com:sub", "token.actions.githubusercontent.com:aud"
CAPITAL = ALICE.value.replace("alice", "Alice")
BRANCH = "repo:octo-org/octo-repo:ref:refs/heads/main"


def document(*statements, version="2012-10-17"):
    return parse(json.dumps({"Version": version, "Statement": list(statements)}))


def allow(principal, action="sts:AssumeRole", **condition):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}


def deny(principal, **condition):
    return {**allow(principal, **condition), "Effect": "Deny"}


def explained(statement, caller=ALICE, *, action="sts:AssumeRole", version="2012-10-17", **context):
    keys = {name.replace("__", "/").replace("_", ":", 1).lower(): values for name, values in context.items()}
    return explain(Request(action, TARGET, caller, keys), PolicySet(trust=document(statement, version=version)))


def condition_of(explanation, index=0):
    trust = next(layer for layer in explanation.layers if layer.layer == "trust")
    return trust.policies[0].statements[0].conditions[index]


def element_of(explanation, name):
    trust = next(layer for layer in explanation.to_json()["layers"] if layer["layer"] == "trust")
    return trust["policies"][0]["statements"][0][name]


FLAGSHIP = allow(
    {"Federated": OIDC},
    "sts:AssumeRoleWithWebIdentity",
    StringEquals={AUD: "sts.amazonaws.com", SUB: "repo:octo-org/octo-repo:*"},
)
FROM_MAIN = {SUB: (BRANCH,), AUD: ("sts.amazonaws.com",)}


def from_main(**more):
    return Request("sts:AssumeRoleWithWebIdentity", TARGET, GITHUB, {**FROM_MAIN, **more})


def test_a_newcomer_sees_at_a_glance_what_is_wrong_and_what_to_do():
    explanation = explain(from_main(), PolicySet(trust=document(FLAGSHIP)))

    assert (
        explanation.to_text()
        == f"""\
✗ sts:AssumeRoleWithWebIdentity DENIED because nothing allows it (trust policy)
  on      {TARGET}
  caller  {OIDC} (oidc)
  origin  {BRANCH}, as token.actions.githubusercontent.com says

  ✗ trust policy: says nothing; a role's trust policy must always allow
      ✗ Statement[0] Allow: does not apply
          ✓ Action    sts:AssumeRoleWithWebIdentity
          ✓ Principal {OIDC} (named itself)
          ✓ StringEquals {AUD}
          ✗ StringEquals {SUB}
              request: {BRANCH}
              policy:  repo:octo-org/octo-repo:*
              → StringEquals treats * literally; use StringLike

  To allow it (each tried and found to work):
    1. in Statement[0] of the trust policy, test {SUB} with StringLike instead of StringEquals"""
    )


def test_the_json_is_versioned_and_complete():
    told = explain(from_main(), PolicySet(trust=document(FLAGSHIP))).to_json()

    assert told["schema"] == 1
    assert (told["decision"], told["grant"], told["decided_by"]) == ("implicit_deny", None, ["trust"])
    assert told["request"]["principal"] == {"type": "oidc", "value": OIDC, "account": HERE}
    assert told["request"]["context"][SUB] == [BRANCH]
    (layer,) = told["layers"]
    assert (layer["layer"], layer["required"], layer["decision"]) == ("trust", True, "implicit_deny")
    statement = layer["policies"][0]["statements"][0]
    assert statement["failing"] == ["condition[1]"]
    assert statement["principal"] == {
        "element": "Principal",
        "match": True,
        "by": OIDC,
        "as": "direct",
        "reason": "matched",
        "hint": "",
    }
    assert statement["conditions"][1] == {
        "operator": "StringEquals",
        "key": SUB,
        "quantifier": None,
        "if_exists": False,
        "request_values": [BRANCH],
        "policy_values": [
            {"raw": "repo:octo-org/octo-repo:*", "resolved": "repo:octo-org/octo-repo:*", "match": False}
        ],
        "result": False,
        "reason": "wildcard_literal",
        "hint": "StringEquals treats * literally; use StringLike",
    }
    assert [(lint["rule"], lint["path"]) for lint in told["lints"][:1]] == [
        ("literal-wildcard", f"Statement[0].Condition.StringEquals.{SUB}")
    ]
    assert told["near_misses"] == [
        {"layer": "trust", "level": 0, "policy": 0, "statement": 0, "failing": ["condition[1]"], "would": "allow"}
    ]
    assert json.loads(json.dumps(told)) == told
    assert text_of(told).startswith("✗ sts:AssumeRoleWithWebIdentity DENIED")


def test_an_allow_says_on_which_keys_it_depends():
    right = document(
        allow(
            {"Federated": OIDC},
            "sts:AssumeRoleWithWebIdentity",
            StringEquals={AUD: "sts.amazonaws.com"},
            StringLike={SUB: "repo:octo-org/octo-repo:*"},
            StringEqualsIfExists={"token.actions.githubusercontent.com:environment": "production"},
        )
    )
    environment = {"token.actions.githubusercontent.com:environment": ("production",)}

    told = explain(from_main(**environment), PolicySet(trust=right)).to_json()

    assert told["depends_on"] == [
        {"key": AUD, "without": "implicit_deny"},
        {"key": SUB, "without": "implicit_deny"},
    ]
    assert told["changes"] == told["near_misses"] == []
    assert f"It would be denied without: {AUD}, {SUB}" in text_of(told)


@pytest.mark.parametrize(
    ("condition", "context", "reason"),
    [
        ({"StringEquals": {"sts:ExternalId": "a"}}, {"sts_externalid": ("a",)}, "matched"),
        ({"StringEquals": {"sts:ExternalId": "a"}}, {"sts_externalid": ("b",)}, "value_mismatch"),
        ({"StringEquals": {"sts:ExternalId": "a"}}, {}, "key_missing"),
        ({"StringEquals": {"sts:ExternalId": "Ab"}}, {"sts_externalid": ("aB",)}, "case_differs"),
        ({"StringLike": {"sts:ExternalId": "A*"}}, {"sts_externalid": ("ab",)}, "case_differs"),
        ({"StringEquals": {"sts:ExternalId": "a*"}}, {"sts_externalid": ("ab",)}, "wildcard_literal"),
        ({"StringNotEquals": {"sts:ExternalId": "a"}}, {}, "matched_because_missing"),
        ({"StringNotEquals": {"sts:ExternalId": "a"}}, {"sts_externalid": ("a",)}, "negated_value_matched"),
        ({"StringEqualsIfExists": {"sts:ExternalId": "a"}}, {}, "if_exists_missing"),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, {}, "matched_because_missing"),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}, {}, "set_empty"),
        ({"StringEquals": {"aws:TagKeys": "a"}}, {"aws_tagkeys": ("a", "b")}, "multivalued_without_set_operator"),
        ({"Null": {"sts:ExternalId": "true"}}, {}, "null_check"),
        ({"Null": {"sts:ExternalId": "maybe"}}, {}, "type_error"),
        ({"StringEquals": {"sts:ExternalId": "${aws:username}"}}, {"sts_externalid": ("a",)}, "unresolved_variable"),
        ({"StringNotEquals": {"sts:ExternalId": "${aws:username}"}}, {"sts_externalid": ("a",)}, "unresolved_variable"),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "x"}}, {"aws_multifactorauthage": ("5",)}, "type_error"),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "5"}}, {"aws_multifactorauthage": ("x",)}, "type_error"),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}, {"aws_sourceip": ("10.0.0.1",)}, "type_error"),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::b"}}, {"aws_sourcearn": ("arn:aws:sqs:::b",)}, "arn_segment_mismatch(3)"),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::B"}}, {"aws_sourcearn": ("arn:aws:s3:::b",)}, "case_differs"),
        ({"MadeUp": {"sts:ExternalId": "a"}}, {"sts_externalid": ("a",)}, "unknown_operator"),
    ],
)  # fmt: skip
def test_every_condition_has_a_reason(condition, context, reason):
    explanation = explained(allow({"AWS": HERE}, **condition), **context)

    assert condition_of(explanation).reason.code == reason


def test_a_variable_in_an_old_document_is_told_apart():
    statement = allow({"AWS": HERE}, StringEquals={"sts:RoleSessionName": "${aws:username}"})

    told = explained(statement, version="2008-10-17", sts_rolesessionname=("alice",), aws_username=("alice",))

    assert condition_of(told).reason.code == "variable_literal_old_version"
    assert "2012-10-17" in told.remedy.changes[0].edits[0].text


@pytest.mark.parametrize(
    ("principal", "caller", "reason"),
    [
        ({"AWS": HERE}, ALICE, "matched"),
        ({"AWS": ALICE.value.replace("alice", "Alice")}, ALICE, "case_differs"),
        ({"AWS": f"arn:aws:iam::{HERE}:role/App"}, APP, "path_differs"),
        ({"AWS": ALICE.value.replace(HERE, THERE)}, ALICE, "account_differs"),
        ({"AWS": THERE}, ALICE, "account_differs"),
        ({"AWS": f"arn:aws:sts::{HERE}:assumed-role/App/other"}, APP, "session_differs"),
        ({"AWS": f"arn:aws:sts::{HERE}:assumed-role/ci/App/s1"}, APP, "path_differs"),
        ({"AWS": f"arn:aws:iam::{HERE}:role/alice"}, ALICE, "kind_differs"),
        ({"AWS": ALICE.value.replace("arn:aws:", "arn:aws-cn:")}, ALICE, "partition_differs"),
        ({"AWS": f"arn:aws-cn:iam::{HERE}:root"}, ALICE, "partition_differs"),
        ({"Federated": OIDC.replace(HERE, THERE)}, GITHUB, "account_differs"),
        ({"Federated": OIDC.partition("/")[2]}, GITHUB, "provider_differs"),
        ({"AWS": "AIDADELETED000000001"}, ALICE, "stale_unique_id"),
        ({"AWS": f"arn:aws:iam::{HERE}:user/*"}, ALICE, "wildcard_arn_never_matches"),
        ({"AWS": f"arn:aws:iam::{HERE}:user/bob"}, ALICE, "no_match"),
        ({"AWS": "*"}, GITHUB, "federated_not_covered_by_AWS"),
        ({"Federated": OKTA.value}, GITHUB, "provider_differs"),
        ({"Federated": OIDC.upper()}, GITHUB, "case_differs"),
        ({"Service": "lambda.amazonaws.com"}, EC2, "service_differs"),
        ({"Service": "lambda.amazonaws.com"}, ALICE, "no_match"),
    ],
)
def test_every_principal_has_a_reason(principal, caller, reason):
    assert element_of(explained(allow(principal), caller), "principal")["reason"] == reason


# -- stored policies hold the unique ids of users and roles ---------------------------------------------------------

BOB, STRANGER = "AIDABOB0000000000001", "AIDADELETED000000001"
LIVING = {BOB: f"arn:aws:iam::{HERE}:user/bob", ALICE.id: ALICE.value}


def stored(principal, caller=ALICE, **condition):
    policies = PolicySet(trust=document(allow(principal, **condition)))
    return explain(Request("sts:AssumeRole", TARGET, caller, {}), policies, LIVING)


def test_a_policy_for_somebody_else_names_them_and_says_of_nobody_that_they_were_deleted():
    told = stored({"AWS": BOB})

    hint = element_of(told, "principal")["hint"]
    assert hint == f"the statement names {LIVING[BOB]}; the caller is {ALICE.value}"
    assert "deleted" not in json.dumps(told.to_json())
    assert BOB not in told.to_text()


def test_only_whom_nobody_knows_is_called_deleted():
    told = stored({"AWS": [STRANGER, BOB]})

    assert element_of(told, "principal")["reason"] == "stale_unique_id"
    assert STRANGER in element_of(told, "principal")["hint"]
    assert [lint["rule"] for lint in told.lints] == ["stale-principal"]


def test_who_is_named_is_shown_by_the_arn_also_where_it_matches():
    told = stored({"AWS": [BOB, ALICE.id]})

    assert f"✓ Principal {ALICE.value} (named itself)" in told.to_text()


def test_near_misses_are_diagnosed_on_what_the_author_wrote():
    capital = {"AIDACAPITAL000000001": CAPITAL}
    policies = PolicySet(trust=document(allow({"AWS": "AIDACAPITAL000000001"})))

    told = explain(Request("sts:AssumeRole", TARGET, ALICE, {}), policies, capital)

    assert element_of(told, "principal")["reason"] == "case_differs"


# -- remedies ----------------------------------------------------------------------------------------------------------


def test_a_remedy_that_widens_access_comes_last_and_says_whom_it_admits():
    statement = allow(
        {"Federated": OIDC}, "sts:AssumeRoleWithWebIdentity", StringEquals={AUD: "x", f"{SUB[:-4]}:environment": "prod"}
    )
    told = explain(from_main(**{AUD: ("x",)}), PolicySet(trust=document(statement)))

    request, policy = told.to_json()["changes"]

    assert request["edits"][0]["text"].startswith("make the request with")
    assert (request["admits"], len(policy["admits"])) == ([], 1)
    assert "! this also admits everybody whom the statement names, whatever their" in told.to_text()


@pytest.mark.parametrize("key", ["other.example.org:sub", f"{OIDC}:sub", "sub"])
def test_a_key_that_no_token_can_carry_is_corrected_and_not_asked_for(key):
    statement = allow({"Federated": OIDC}, "sts:AssumeRoleWithWebIdentity", StringEquals={key: BRANCH})

    told = explain(from_main(), PolicySet(trust=document(statement)))

    assert condition_of(told).reason.code == "key_never_there"
    assert [edit.text for change in told.remedy.changes for edit in change.edits] == [
        f"in Statement[0] of the trust policy, test {SUB} instead of {key}"
    ]
    assert not any(change.admits for change in told.remedy.changes)


def test_a_statement_of_exceptions_is_left_alone_and_another_is_added():
    excepting = {"Effect": "Allow", "Principal": {"AWS": HERE}, "NotAction": "sts:AssumeRole"}

    told = explained(excepting)

    assert "NotAction" not in told.remedy.changes[0].edits[0].text
    assert told.remedy.changes[0].edits[0].text.startswith("add a statement to the trust policy")


def test_what_surprises_about_a_key_is_said_where_it_matters():
    statement = allow(
        {"Federated": OIDC}, "sts:AssumeRoleWithWebIdentity", ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:*"}
    )

    told = explained(statement, GITHUB, action="sts:AssumeRoleWithWebIdentity").to_json()

    assert told["notes"] == [
        "aws:PrincipalArn is absent: aws:PrincipalArn does not exist for callers with an OIDC token"
    ]


@pytest.mark.parametrize(
    ("statement", "context", "edit"),
    [
        (
            allow({"AWS": ALICE.value}, StringEquals={"sts:ExternalId": "Vendor-42"}),
            {},
            "make the request with sts:ExternalId `Vendor-42` (it is absent now)",
        ),
        (
            allow({"AWS": CAPITAL}),
            {},
            f"in Statement[0] of the trust policy, correct the principal {CAPITAL} to {ALICE.value}",
        ),
        (
            allow({"AWS": ALICE.value}, "sts:TagSession"),
            {},
            "in Statement[0] of the trust policy, add the action sts:AssumeRole",
        ),
        (
            allow({"Service": "ec2.amazonaws.com"}),
            {},
            f"in Statement[0] of the trust policy, name the principal {ALICE.value}",
        ),
        (
            allow({"AWS": ALICE.value}, stringequals={"sts:ExternalId": "a"}),
            {"sts_externalid": ("a",)},
            "in Statement[0] of the trust policy, test sts:ExternalId with StringEquals instead of stringequals",
        ),
        (
            allow({"AWS": ALICE.value}, StringEquals={"aws:TagKeys": "a"}),
            {"aws_tagkeys": ("a", "b")},
            "in Statement[0] of the trust policy, test aws:TagKeys with ForAnyValue:StringEquals instead of StringEquals",
        ),
        (
            allow({"AWS": ALICE.value}, StringEquals={"sts:SourceIdentity": "u-${aws:PrincipalTag/name}"}),
            {"sts_sourceidentity": ("u-alice",)},
            "make the request with aws:PrincipalTag/name `alice` (it is absent now)",
        ),
        (
            allow({"AWS": ALICE.value}, NumericLessThan={"aws:MultiFactorAuthAge": "300"}),
            {"aws_multifactorauthage": ("900",)},
            "make the request with aws:MultiFactorAuthAge `299` instead of `900`",
        ),
        (
            allow({"AWS": ALICE.value}, IpAddress={"aws:SourceIp": "203.0.113.0/24"}),
            {"aws_sourceip": ("198.51.100.1",)},
            "make the request with aws:SourceIp `203.0.113.0` instead of `198.51.100.1`",
        ),
        (
            allow({"AWS": ALICE.value}, StringNotEquals={"sts:RoleSessionName": ["root", "admin"]}),
            {"sts_rolesessionname": ("admin",)},
            "in Statement[0] of the trust policy, no longer exclude `admin` for sts:RoleSessionName",
        ),
        (
            allow({"AWS": ALICE.value}, ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{HERE}:user/bob"}),
            {"aws_principalarn": (ALICE.value,)},
            f"in Statement[0] of the trust policy, let aws:PrincipalArn also be `{ALICE.value}`",
        ),
    ],
)
def test_the_smallest_change(statement, context, edit):
    told = explained(statement, **context)

    assert not told.decision.allowed
    assert edit in [part.text for change in told.remedy.changes[:1] for part in change.edits]


@pytest.mark.parametrize(
    ("condition", "context", "edit"),
    [
        ({}, {}, "remove Statement[1] of the trust policy, which denies"),
        (
            {"StringNotEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}},
            {},
            "make the request from an account of the organization `o-a1b2c3d4e5`",
        ),
        (
            {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
            {},
            "make the request with aws:MultiFactorAuthPresent `true` (it is absent now)",
        ),
        ({"Null": {"sts:ExternalId": "true"}}, {}, "make the request with sts:ExternalId `example` (it is absent now)"),
        (
            {"StringEquals": {"sts:ExternalId": "old"}},
            {"sts:externalid": ("old",)},
            "make the request without sts:ExternalId",
        ),
    ],
)
def test_what_would_lift_a_deny(condition, context, edit):
    policies = PolicySet(trust=document(allow({"AWS": ALICE.value}), deny({"AWS": "*"}, **condition)))

    told = explain(Request("sts:AssumeRole", TARGET, ALICE, context), policies)

    assert told.decision.explicit
    assert told.remedy.changes[0].edits[0].text == edit


def test_changes_may_take_several_steps_through_several_layers():
    policies = PolicySet(
        trust=document(allow({"AWS": HERE}, StringEquals={"sts:ExternalId": "a"})),
        identity=(document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"{TARGET}2"}),),
        scps=((document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),),),
    )

    told = explain(Request("sts:AssumeRole", TARGET, ALICE, {}), policies)

    assert [edit.text for edit in told.remedy.changes[0].edits] == [
        "in Statement[0] of the service control policy at level 0, add the action sts:AssumeRole",
        "make the request with sts:ExternalId `a` (it is absent now)",
        f"in Statement[0] of the identity policy, add the resource {TARGET}",
    ]


def test_where_nothing_comes_close_a_statement_is_suggested():
    told = explain(Request("sts:AssumeRole", TARGET, APP, {}), PolicySet())

    assert [edit.after for edit in told.remedy.changes[0].edits] == [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": APP.role_arn}}
    ]


def test_layers_say_whether_they_had_to_allow_and_why():
    policies = PolicySet(
        trust=document(allow({"AWS": APP.role_arn})),
        boundary=document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}),
    )

    told = explain(Request("sts:AssumeRole", TARGET, APP, {}), policies)

    assert {layer.layer: layer.required for layer in told.layers} == {
        "trust": True,
        "identity": False,
        "boundary": True,
    }
    assert "· identity policies: there is none; the trust policy names the caller's role" in told.to_text()
    assert "✗ permissions boundary: says nothing" in told.to_text()


def test_control_policies_that_do_not_reach_a_caller_are_shown_as_such():
    deny_all = document({"Effect": "Deny", "Action": "*", "Resource": "*"})
    policies = PolicySet(trust=document(allow({"Service": EC2.value})), scps=((deny_all,),))

    told = explain(Request("sts:AssumeRole", TARGET, EC2, {}), policies)

    assert told.decision.allowed
    assert told.layers[0].consulted is False
    assert "· service control policies, level 0: not consulted" in told.to_text()


def test_trying_changes_changes_nothing():
    policies = PolicySet(trust=document(FLAGSHIP))
    request = from_main()

    before = replace(policies)
    assert explain(request, policies).remedy.changes

    assert decide(request, policies).verdict == "implicit_deny"
    assert policies == before
