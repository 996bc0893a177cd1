"""Which condition keys a kind of caller can ever have, and which one was meant where it cannot."""

from __future__ import annotations

import pytest
from strategies import CALLERS

from sts_emulator.idp import oidc
from sts_emulator.idp.presets import PRESETS
from sts_emulator.methods.tokens import id_token, oidc_context
from sts_emulator.methods.tokens.issuers import Provider
from sts_emulator.policy.caller_keys import ANY_AWS, CallerClass, can_send, meant, never_there
from sts_emulator.policy.deciding.engine import Principal

HOME = "111122223333"
CLUSTER = "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
OTHER = "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
GITHUB = "token.actions.githubusercontent.com"


def provider(issuer: str) -> CallerClass:
    return CallerClass("oidc", f"arn:aws:iam::{HOME}:oidc-provider/{issuer}")


EKS, ACTIONS = provider(CLUSTER), provider(GITHUB)
OKTA = CallerClass("saml", f"arn:aws:iam::{HOME}:saml-provider/Okta")
EC2 = CallerClass("service", "ec2.amazonaws.com")
SCHEDULER = CallerClass("service", "scheduler.amazonaws.com")
ALICE = CALLERS[0]
NOW = 1_795_435_200


# The first three are the classic IRSA mistakes (aws/karpenter-provider-aws#1666, aws/amazon-eks-pod-identity-webhook#30,
# external-secrets/kubernetes-external-secrets#287); the rest follow from docs/aws/policy-evaluation.md, "Condition keys".
@pytest.mark.parametrize(
    ("caller", "key", "wanted"),
    [
        (EKS, f"arn:aws:iam::{HOME}:oidc-provider/{CLUSTER}:sub", f"{CLUSTER}:sub"),
        (EKS, f"{OTHER}:sub", f"{CLUSTER}:sub"),
        (EKS, f"https://{CLUSTER}:aud", f"{CLUSTER}:aud"),
        (EKS, "oidc.eks.us-east-1.amazonaws.com:sub", f"{CLUSTER}:sub"),
        (EKS, f"{CLUSTER}:namespace", f"{CLUSTER}:sub"),
        (EKS, f"{CLUSTER}/:sub", f"{CLUSTER}:sub"),
        (EKS, f"{CLUSTER}:amr", f"{CLUSTER}:sub"),
        (EKS, "sub", f"{CLUSTER}:sub"),
        (EKS, f"{CLUSTER}/aud", f"{CLUSTER}:aud"),
        (EKS, "saml:sub", f"{CLUSTER}:sub"),
        (ACTIONS, "github.com:repository", f"{GITHUB}:repository"),
        (ACTIONS, f"{GITHUB}:run_id", f"{GITHUB}:sub"),
        (ACTIONS, "aws:PrincipalArn", f"{GITHUB}:sub"),
        (ACTIONS, "sts:ExternalId", f"{GITHUB}:sub"),
        (OKTA, f"{GITHUB}:aud", "saml:aud"),
        (OKTA, "okta.example.org:groups", "saml:sub"),
        (OKTA, "saml:groups", ""),
        (OKTA, "aws:username", ""),
        (EC2, "aws:SourceArn", ""),
        (EC2, f"{GITHUB}:sub", ""),
        (SCHEDULER, "aws:PrincipalOrgID", ""),
        (ANY_AWS, f"{GITHUB}:sub", ""),
        (ANY_AWS, "aws:SourceAccount", ""),
        (ANY_AWS, "sts:DurationSeconds", ""),
    ],
)
def test_a_key_that_such_a_caller_never_has_is_told_with_the_one_that_was_meant(caller, key, wanted):
    assert never_there(key, caller)
    assert meant(key, caller) == wanted


@pytest.mark.parametrize(
    ("caller", "key"),
    [
        (EKS, f"{CLUSTER}:sub"),
        (EKS, f"{CLUSTER.upper()}:SUB"),
        (ACTIONS, f"{GITHUB}:job_workflow_ref"),
        (ACTIONS, "aws:SourceIp"),
        (ACTIONS, "aws:RequestTag/team"),
        (OKTA, "saml:eduPersonAffiliation"),
        (OKTA, "SAML:aud"),
        (SCHEDULER, "aws:SourceArn"),
        (ANY_AWS, "saml:sub"),
        (ANY_AWS, "accounts.google.com:sub"),
        (ANY_AWS, "sts:ExternalId"),
        (ANY_AWS, "aws:PrincipalTag/a.b:c"),
        (ANY_AWS, "aws:MultiFactorAuthAge"),
    ],
)
def test_a_key_that_such_a_caller_may_have_is_let_pass(caller, key):
    assert never_there(key, caller) == ""


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_whatever_a_token_of_a_known_issuer_brings_is_no_impossible_key(name):
    """The table is compared with the issuers' own claims and with what is made of them."""
    url = PRESETS[name].url or "https://idp.example.org"
    claims = oidc.compose({"preset": name, "url": url}, {}, NOW)
    host = url.removeprefix("https://")
    known = Provider(provider(host).name, url, host, HOME)

    keys = oidc_context.at_login(known, id_token.read({"sub": "s", **claims}, NOW), claims)

    assert f"{host}:sub".lower() in keys
    assert [(key, why) for key in keys if keys[key] and (why := never_there(key, provider(host)))] == []


@pytest.mark.parametrize(
    ("caller", "key", "possible"),
    [
        (ALICE, "aws:MultiFactorAuthPresent", True),
        (CALLERS[2], "aws:MultiFactorAuthPresent", False),  # a role session has the MFA that it began with
        (ALICE, "aws:PrincipalArn", False),
        (ALICE, "iam:ResourceTag/team", False),
        (Principal("oidc", EKS.name, HOME), f"{CLUSTER}:sub", True),
        (Principal("oidc", EKS.name, HOME), f"{OTHER}:sub", False),
        (Principal("oidc", EKS.name, HOME), "aws:RequestTag/team", False),
        (Principal("oidc", f"arn:aws:iam::{HOME}:oidc-provider/idp.example.org"), "aws:RequestTag/team", True),
        (Principal("saml", OKTA.name, HOME), "saml:aud", True),
        (Principal("saml", OKTA.name, HOME), f"{GITHUB}:sub", False),
        (Principal("service", "rolesanywhere.amazonaws.com"), "aws:PrincipalTag/x509Subject/CN", True),
        (Principal("service", "rolesanywhere.amazonaws.com"), "aws:PrincipalTag/team", False),
        (Principal("service", "pods.eks.amazonaws.com"), "aws:RequestTag/kubernetes-namespace", True),
        (Principal("service", "pods.eks.amazonaws.com"), "sts:ExternalId", False),
        (Principal("service", "ec2.amazonaws.com"), "aws:SourceArn", False),
        (CALLERS[-1], "aws:SourceIp", False),
    ],
)
def test_what_a_caller_could_send(caller, key, possible):
    assert can_send(key, caller) is possible
