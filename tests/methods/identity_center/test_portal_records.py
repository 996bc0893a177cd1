"""What people do at Identity Center, in the trail (docs/aws/cloudtrail.md, "Identity Center")."""

from __future__ import annotations

import pytest
from sso_lab import DEV, PROD


def record(aws, name: str) -> dict:
    return next(known for known in reversed(aws.events()) if known["eventName"] == name)


@pytest.fixture
def jane(aws) -> dict[str, str]:
    store = aws.client("identitystore")
    instance = aws.client("sso-admin").list_instances()["Instances"][0]
    name = {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": "jane"}}
    user = store.get_user_id(IdentityStoreId=instance["IdentityStoreId"], AlternateIdentifier=name)
    arn = f"arn:aws:identitystore::{DEV}:identitystore/{instance['IdentityStoreId']}"
    return {"userId": user["UserId"], "identityStoreArn": arn}


def test_calls_of_the_portal_are_those_of_a_person(aws, tool, jane):
    # given a person of the organization's instance, which dev owns, who becomes a role of prod
    tokens = tool.sign_in("jane")
    access = {"accessToken": tokens["accessToken"]}
    tool.portal.list_accounts(**access)
    tool.portal.list_account_roles(**access, accountId=PROD)
    tool.credentials(tokens, PROD, "ReadOnly")
    asked = {
        "ListAccounts": None,
        "ListAccountRoles": {"account_id": PROD},
        "GetRoleCredentials": {"role_name": "ReadOnly", "account_id": PROD},
    }
    for name, details in asked.items():
        told = record(aws, name)
        identity = told["userIdentity"]
        assert (identity["type"], identity["accountId"], identity["onBehalfOf"]) == ("IdentityCenterUser", DEV, jane)
        assert (told["eventSource"], told["eventType"]) == ("sso.amazonaws.com", "AwsServiceEvent")
        assert (told["requestParameters"], told["responseElements"]) == (None, None)
        assert told.get("serviceEventDetails") == details
        assert told["recipientAccountId"] == DEV
        assert identity["credentialId"] == record(aws, "CreateToken")["userIdentity"]["credentialId"]
        assert tokens["accessToken"] not in str(told)


def test_the_token_itself_is_given_to_a_person(aws, tool, jane):
    tool.sign_in("jane")
    told = record(aws, "CreateToken")
    assert (told["eventSource"], told["eventType"]) == ("sso.amazonaws.com", "AwsApiCall")
    assert told["userIdentity"]["onBehalfOf"] == jane
    assert told["responseElements"]["accessToken"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_who_is_refused_is_told_and_a_stranger_is_unknown(aws, tool, refusal):
    tokens = tool.sign_in("omar")
    assert refusal(tool.credentials, tokens=tokens)[2] == "No access"
    told = record(aws, "GetRoleCredentials")
    assert (told["errorCode"], told["userIdentity"]["type"]) == ("ForbiddenException", "IdentityCenterUser")
    assert refusal(tool.credentials, tokens={"accessToken": "made-up"})[0] == 401
    assert record(aws, "GetRoleCredentials")["userIdentity"] == {"type": "Unknown"}


def test_administration_is_of_the_same_source(aws):
    aws.client("sso-admin").list_instances()
    assert record(aws, "ListInstances")["eventSource"] == "sso.amazonaws.com"
