"""The world of a fresh server: an organization, its Identity Center, jane and omar. It is planted when one looks."""

from __future__ import annotations

import pytest
from identity_stories import MANAGEMENT, MEMBER, START, STORE, Lab


def test_jane_is_developer_in_dev_and_may_read_in_prod(aws):
    lab = Lab(aws)
    assert (lab.instance["IdentityStoreId"], lab.instance["OwnerAccountId"]) == (STORE, MANAGEMENT)
    jane = lab.user("jane")
    mine = lab.sso.list_account_assignments_for_principal(**lab.of, PrincipalId=jane, PrincipalType="USER")
    assert {(entry["AccountId"], entry["PermissionSetArn"]) for entry in mine["AccountAssignments"]} == {
        (MANAGEMENT, lab.set("Developer")),
        (MEMBER, lab.set("ReadOnly")),
    }
    omar = lab.sso.list_account_assignments_for_principal(**lab.of, PrincipalId=lab.user("omar"), PrincipalType="USER")
    assert omar["AccountAssignments"] == []


def test_the_roles_are_there_for_whoever_looks_in_iam_first(aws):
    roles = aws.client("iam", aws.credentials(account=MEMBER)).list_roles(PathPrefix="/aws-reserved/")["Roles"]
    assert [role["RoleName"].rpartition("_")[0] for role in roles] == ["AWSReservedSSO_ReadOnly"]


def test_a_tool_signs_in_first(aws):
    # The portal is asked before anything of the control plane.
    oidc = aws.client("sso-oidc")
    client = oidc.register_client(clientName="tool", clientType="public")
    of_client = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}
    started = oidc.start_device_authorization(**of_client, startUrl=START)
    aws.approve(started["userCode"], "jane")
    token = oidc.create_token(
        **of_client, grantType="urn:ietf:params:oauth:grant-type:device_code", deviceCode=started["deviceCode"]
    )["accessToken"]
    portal = aws.client("sso")
    accounts = portal.list_accounts(accessToken=token)["accountList"]
    assert {account["accountId"] for account in accounts} == {MANAGEMENT, MEMBER}
    credentials = portal.get_role_credentials(accessToken=token, accountId=MANAGEMENT, roleName="Developer")
    key = credentials["roleCredentials"]
    arn = aws.client(
        "sts",
        {
            "access_key_id": key["accessKeyId"],
            "secret_access_key": key["secretAccessKey"],
            "session_token": key["sessionToken"],
        },
    ).get_caller_identity()["Arn"]
    assert arn.endswith("/jane")
    assert ":assumed-role/AWSReservedSSO_Developer_" in arn


@pytest.mark.scenario("accounts: {'111122223333': {}}")
def test_other_scenarios_have_none(aws):
    assert aws.client("sso-admin").list_instances()["Instances"] == []
