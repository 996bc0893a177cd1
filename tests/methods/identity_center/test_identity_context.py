"""On whose behalf a role is used: the context of a user reaches AssumeRole, policies and the trail."""

from __future__ import annotations

import base64
import json

import pytest
from botocore.exceptions import ClientError
from propagation_lab import DISABLED_JANE, PROVIDER, Company
from propagation_lab import SCENARIO as PROPAGATION
from sso_lab import DEV, key_of_credentials

INVALID = (400, "InvalidContextAssertion")


def events(company, name: str) -> list[dict]:
    return [event for event in company.aws.events() if event["eventName"] == name]


def claims_of(token: str) -> dict:
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


# -- what it does -------------------------------------------------------------------------------------------------


def test_a_session_acts_for_a_user_and_the_trail_tells(company):
    credentials = company.assume(company.role("carrier"), company.context())
    sts = company.aws.client("sts", credentials)
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{DEV}:assumed-role/carrier/for-jane"

    event = events(company, "GetCallerIdentity")[-1]
    jane = {"userId": company.user("jane"), "identityStoreArn": company.store_arn}
    assert event["userIdentity"]["onBehalfOf"] == jane
    assumed = events(company, "AssumeRole")[-1]
    assert "onBehalfOf" not in assumed["userIdentity"]  # the backend itself
    assert assumed["requestParameters"]["providedContexts"] == [{"providerArn": PROVIDER}]
    actions = [decision["action"] for decision in assumed["additionalEventData"]["decisions"]]
    assert actions == ["sts:AssumeRole", "sts:SetContext"]


def test_the_trust_policy_must_let_the_context_be_set(company, refusal):
    role = company.role("deaf", actions=["sts:AssumeRole"])
    refused = refusal(company.aws.client("sts", user="backend").assume_role, **company_request(company, role))
    assert refused[:2] == (403, "AccessDenied")
    assert "is not authorized to perform: sts:SetContext on resource" in refused[2]
    assert company.assume(company.role("hearing"), company.context())


def company_request(company, role: str, *contexts: str) -> dict:
    given = contexts or (company.context(),)
    return {
        "RoleArn": role,
        "RoleSessionName": "for-jane",
        "ProvidedContexts": [{"ProviderArn": PROVIDER, "ContextAssertion": context} for context in given],
    }


@pytest.mark.parametrize(
    ("key", "right", "wrong"),
    [
        ("identitystore:UserId", "user", "00000000-0000-4000-8000-000000000000"),
        ("identitystore:IdentityStoreArn", "store_arn", f"arn:aws:identitystore::{DEV}:identitystore/d-0000000000"),
        ("identitycenter:InstanceArn", "instance", "arn:aws:sso:::instance/ssoins-0000000000000000"),
        ("identitycenter:ApplicationArn", "application", "arn:aws:sso::1:application/x/apl-0"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "sts:RequestContext/"])
def test_a_trust_policy_says_for_whom_and_through_what(company, refusal, key, right, wrong, prefix):
    value = company.user("jane") if right == "user" else getattr(company, right)
    open_to = company.role("right", {"StringEquals": {f"{prefix}{key}": value}})
    closed = company.role("wrong", {"StringEquals": {f"{prefix}{key}": wrong}})
    assert company.assume(open_to, company.context())
    assert refusal(company.aws.client("sts", user="backend").assume_role, **company_request(company, closed))[0] == 403


def test_a_trust_policy_names_the_provider_of_contexts(company, refusal):
    condition = {
        "ForAllValues:ArnEquals": {"sts:RequestContextProviders": [PROVIDER]},
        "Null": {"sts:RequestContextProviders": "false"},
    }
    role = company.role("guarded", condition)
    assert company.assume(role, company.context())
    sts = company.aws.client("sts", user="backend")
    refused = refusal(sts.assume_role, RoleArn=role, RoleSessionName="nobody")
    assert refused[:2] == (403, "AccessDenied")


def test_the_session_may_do_what_awss_list_allows_and_no_more(company):
    """STS attaches AWSIAMIdentityCenterAllowListForIdentityContext, which denies all that is not in it."""
    iam = company.aws.client("iam", company.assume(company.role("carrier"), company.context()))
    with pytest.raises(ClientError, match="with an explicit deny in a session policy"):
        iam.list_roles()
    decision = events(company, "ListRoles")[-1]["additionalEventData"]["decisions"][-1]
    context = decision["explanation"]["request"]["context"]
    assert context["identitystore:userid"] == [company.user("jane")]
    # nor another role, so that nobody sheds the list
    chained = company.aws.client("sts", company.assume(company.role("first"), company.context()))
    with pytest.raises(ClientError, match="sts:AssumeRole"):
        chained.assume_role(RoleArn=company.role("second"), RoleSessionName="again")


def test_a_context_for_the_trail_only_tells_policies_nothing(company):
    token = claims_of(company.exchange(company.token())["idToken"])
    iam = company.aws.client("iam", company.assume(company.role("audited"), token["sts:audit_context"]))
    assert iam.list_roles()["Roles"]
    event = events(company, "ListRoles")[-1]
    assert event["userIdentity"]["onBehalfOf"]["userId"] == company.user("jane")
    (decision,) = event["additionalEventData"]["decisions"]
    assert not [key for key in decision["explanation"]["request"]["context"] if key.startswith("identity")]


def test_sessions_of_the_portal_tell_on_whose_behalf_too(company):
    company.scope("sso:account:access")
    token = company.exchange(company.token())["accessToken"]
    role = {"accountId": DEV, "roleName": "Developer"}
    keys = company.portal().get_role_credentials(accessToken=token, **role)["roleCredentials"]
    company.aws.client("sts", key_of_credentials(keys)).get_caller_identity()
    event = events(company, "GetCallerIdentity")[-1]
    assert event["userIdentity"]["onBehalfOf"]["userId"] == company.user("jane")


# -- refused ------------------------------------------------------------------------------------------------------


def test_contexts_that_nobody_made(company, refusal):
    role, sts = company.role("carrier"), company.aws.client("sts", user="backend")
    good = company.context()
    access = company.exchange(company.token())["accessToken"]
    turned = good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB")
    for text in ("none", turned, good + "A", access, "x" * 3_000, "ж" * 40):
        assert refusal(sts.assume_role, **company_request(company, role, text))[:2] == INVALID
    too_long = refusal(sts.assume_role, **company_request(company, role, "x" * 3_073))
    assert too_long[:2] == (400, "ValidationError")
    assert refusal(sts.assume_role, **company_request(company, role, good, good))[:2] == INVALID
    request = company_request(company, role, good)
    request["ProvidedContexts"][0]["ProviderArn"] = "arn:aws:iam::aws:contextProvider/QuickSight"
    assert refusal(sts.assume_role, **request)[:2] == INVALID
    assert company.assume(role, good)


def test_a_context_ends_with_its_hour_and_its_user(company, refusal):
    role, sts = company.role("carrier"), company.aws.client("sts", user="backend")
    over, orphaned = company.context(), company.context()
    company.aws.load(DISABLED_JANE)
    assert refusal(sts.assume_role, **company_request(company, role, orphaned))[:2] == INVALID
    company.aws.load(PROPAGATION)
    assert company.assume(role, orphaned)
    company.aws.advance(3_601)
    refused = refusal(sts.assume_role, **company_request(company, role, over))
    assert refused == (*INVALID, "The context assertion has expired.")


def test_a_context_of_another_world(company, emulator_server, refusal):
    with emulator_server.world(PROPAGATION) as world:
        elsewhere = Company(world)
        sts = elsewhere.aws.client("sts", user="backend")
        request = company_request(elsewhere, elsewhere.role("carrier"), company.context())
        assert refusal(sts.assume_role, **request)[:2] == INVALID
