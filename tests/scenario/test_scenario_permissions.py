"""`may`: what a principal, or the session that comes of a role, may do, decided through all layers."""

from __future__ import annotations

import pytest
from scenario_lab import DEV, Lab, yaml

from sts_emulator.scenario import ScenarioError, parse
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.rehearse import Rehearsal

PROD = "444455556666"
STAGE = f"""
issuers:
  github: {{preset: github}}
organization:
  management: "999988887777"
  accounts: {{"{DEV}": , "{PROD}": }}
  scps: no-deletes
  rcps: home
  service_control_policies:
    no-deletes: [{{Effect: Allow, Action: "*", Resource: "*"}}, {{Sid: Never, Effect: Deny, Action: "s3:DeleteBucket", Resource: "*"}}]
  resource_control_policies:
    home: [{{Sid: Home, Effect: Deny, Principal: "*", Action: "s3:*", Resource: "arn:aws:s3:::secret/*"}}]
accounts:
  "999988887777":
  "{DEV}":
    oidc_providers: [{{issuer: github}}]
    policies:
      little: [{{Effect: Allow, Action: "s3:Get*", Resource: "*"}}]
    users:
      alice: {{inline: {{own: [{{Effect: Allow, Action: ["s3:*", "sts:*"], Resource: "*"}}]}}}}
      bob: {{boundary: little, inline: {{all: [{{Effect: Allow, Action: "*", Resource: "*"}}]}}}}
      carol: {{}}
    roles:
      worker:
        trust: [{{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: ["sts:AssumeRole", "sts:TagSession"]}}]
        inline:
          own:
            - Effect: Allow
              Action: s3:PutObject
              Resource: "arn:aws:s3:::work/${{aws:PrincipalTag/project}}/*"
            - Effect: Allow
              Action: s3:ListBucket
              Resource: "arn:aws:s3:::work"
              Condition: {{StringLike: {{s3:prefix: "shared/*"}}}}
      deploy:
        trust:
          - Effect: Allow
            Principal: {{Federated: "arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"}}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {{StringEquals: {{"token.actions.githubusercontent.com:sub": "repo:acme/shop:ref:refs/heads/main"}}}}
        inline: {{own: [{{Effect: Allow, Action: s3:PutObject, Resource: "*"}}]}}
"""


def outcome(lab: Lab, entry: str) -> Outcome:
    (only,) = Rehearsal(lab.server, parse(STAGE + "expect:\n" + yaml(f"  - {entry}\n"))).outcomes()
    return only


ALLOWED = [
    "{may: s3:GetObject on arn:aws:s3:::any/key, caller: {user: alice}}",
    "{may: s3:GetObject on arn:aws:s3:::any/key, caller: {user: bob}}",
    "{may: s3:PutObject on arn:aws:s3:::work/apollo/x, assume: worker, tags: {project: apollo}, caller: {user: alice}}",
    "{may: s3:PutObject on arn:aws:s3:::work/apollo/x, caller: {role: worker, tags: {project: apollo}}}",
    "{may: s3:ListBucket on arn:aws:s3:::work, caller: {role: worker}, keys: {s3:prefix: shared/a}}",
    "{may: s3:PutObject on arn:aws:s3:::site/x, assume: deploy, with: {github: {repo: acme/shop, branch: main}}}",
    f'{{may: s3:ListAllMyBuckets on *, caller: {{root: "{DEV}"}}}}',
    f'{{may: "sqs:SendMessage on arn:aws:sqs:us-east-1:{DEV}:q", caller: {{user: carol}}, resource_policy: [{{Effect: Allow, Principal: {{AWS: "arn:aws:iam::{DEV}:user/carol"}}, Action: "sqs:*", Resource: "*"}}]}}',
    f'{{may: "s3:GetObject on arn:aws:s3:::theirs/k", resource_account: "{PROD}", caller: {{user: alice}}, resource_policy: [{{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: s3:GetObject, Resource: "*"}}]}}',
]
DENIED = [
    ("{may: s3:PutObject on arn:aws:s3:::any/key, caller: {user: bob}}", "boundary"),
    ("{may: s3:GetObject on arn:aws:s3:::any/key, caller: {user: carol}}", "identity"),
    (
        "{may: s3:PutObject on arn:aws:s3:::work/apollo/x, assume: worker, tags: {project: x}, caller: {user: alice}}",
        "identity",
    ),
    ("{may: s3:ListBucket on arn:aws:s3:::work, caller: {role: worker}, keys: {s3:prefix: ''}}", "identity"),
    ("{may: s3:DeleteBucket on arn:aws:s3:::any, caller: {user: alice}}", "scp"),
    ("{may: s3:GetObject on arn:aws:s3:::secret/k, caller: {user: alice}}", "rcp"),
    (
        '{may: s3:GetObject on arn:aws:s3:::any/key, assume: worker, caller: {user: alice}, policy: [{Effect: Allow, Action: "sqs:*", Resource: "*"}]}',
        "identity",
    ),
    (f'{{may: "sqs:SendMessage on arn:aws:sqs:us-east-1:{PROD}:q", caller: {{user: bob}}}}', "trust"),
    (
        '{may: s3:PutObject on arn:aws:s3:::site/x, assume: deploy, with: {github: {repo: acme/shop, branch: main}}, resource_policy: [{Effect: Deny, Principal: "*", Action: "s3:*", Resource: "*"}]}',
        "trust",
    ),
]


@pytest.mark.parametrize("entry", ALLOWED)
def test_what_somebody_may_do(lab, entry):
    assert outcome(lab, entry).mismatch == ""


@pytest.mark.parametrize(("entry", "layer"), DENIED)
def test_what_somebody_may_not_do_and_because_of_which_layer(lab, entry, layer):
    refused = outcome(lab, f"{entry[:-1]}, result: deny, because: {{layer: {layer}}}}}")
    assert refused.mismatch == ""


def test_a_role_that_is_not_assumed_does_nothing(lab):
    entry = "{may: s3:PutObject on arn:aws:s3:::site/x, assume: deploy, with: {github: {repo: acme/shop, branch: x}}, result: deny, because: {layer: trust}}"
    assert outcome(lab, entry).mismatch == ""


def test_the_reason_of_an_allow_is_that_of_the_permission(lab):
    entry = "{may: s3:PutObject on arn:aws:s3:::work/a/x, assume: worker, tags: {project: a}, caller: {user: alice}, because: {layer: identity, statement: 0}}"
    assert outcome(lab, entry).mismatch == ""


def test_a_denial_is_in_aws_words(lab):
    refused = outcome(lab, "{may: s3:GetObject on arn:aws:s3:::b/k, caller: {user: carol}}")
    assert refused.mismatch == (
        f"expected allow, got deny: AccessDenied: User: arn:aws:iam::{DEV}:user/carol is not authorized to perform: "
        "s3:GetObject on resource: arn:aws:s3:::b/k because no identity-based policy allows the s3:GetObject action"
    )


def test_a_resource_policy_that_denies_is_named_as_aws_names_it(lab):
    deny = '[{Effect: Deny, Principal: "*", Action: "s3:*", Resource: "*"}]'
    refused = outcome(
        lab, f"{{may: s3:GetObject on arn:aws:s3:::b/k, caller: {{user: alice}}, resource_policy: {deny}}}"
    )
    assert refused.mismatch.endswith("with an explicit deny in a resource-based policy")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{caller: {user: alice}}", "an expectation needs `assume`, `may`, or both"),
        ("{may: s3:GetObject, caller: {user: alice}}", "expected an action on a resource"),
        ("{may: s3:Get* on arn:aws:s3:::b/k, caller: {user: alice}}", "a request is for one action, without wildcards"),
        ("{may: s3:GetObject on bucket, caller: {user: alice}}", "expected an action on a resource"),
        ("{may: s3:GetObject on arn:aws:s3:::b/k, with: {github: {}}}", "say which one it is to `assume`"),
        ("{may: s3:GetObject on arn:aws:s3:::b/k, caller: ec2.amazonaws.com}", "a service has no policies"),
        ("{assume: worker, resource_policy: [], caller: {user: alice}}", "are of what one `may` do"),
        ("{may: s3:GetObject on arn:aws:s3:::b/k, caller: {user: nobody}}", "no user `nobody`"),
    ],
)
def test_expectations_of_permissions_that_make_no_sense(lab, entry, problem):
    with pytest.raises(ScenarioError, match=problem.replace("`", ".")) as refused:
        outcome(lab, entry)
    assert refused.value.problems[0].where.line > 0
