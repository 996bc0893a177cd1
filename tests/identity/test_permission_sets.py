"""Permission sets and the roles that they become in accounts.

Source of the rules: docs/aws/identity-center.md, "Reserved roles" and "Control plane"; operations and errors: the model.
"""

from __future__ import annotations

import json
import re

import pytest
from identity_stories import EMPTY, MANAGEMENT, MEMBER, OTHER, POLICY, STAFFED, refusal

pytestmark = pytest.mark.scenario(EMPTY)

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ABSENT = "ResourceNotFoundException"


@pytest.fixture
def jane(lab):
    return lab.new_user("jane")


# -- the role ---------------------------------------------------------------------------------------------------------


def test_an_assignment_makes_a_reserved_role_in_the_account(lab, jane):
    permission_set = lab.new_set("Developer", Description="Who writes", SessionDuration="PT8H")
    lab.sso.attach_managed_policy_to_permission_set(
        **lab.of, PermissionSetArn=permission_set, ManagedPolicyArn=READ_ONLY
    )
    lab.sso.put_inline_policy_to_permission_set(**lab.of, PermissionSetArn=permission_set, InlinePolicy=POLICY)
    assert lab.assign(permission_set, jane)["Status"] == "SUCCEEDED"
    (role,) = lab.reserved()
    assert re.fullmatch(r"AWSReservedSSO_Developer_[0-9a-f]{16}", role["RoleName"])
    assert role["Path"] == "/aws-reserved/sso.amazonaws.com/"  # us-east-1 does not stand in it
    assert (role["MaxSessionDuration"], role["Description"]) == (43200, "Who writes")
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    provider = statement["Principal"]["Federated"]
    assert re.fullmatch(rf"arn:aws:iam::{MEMBER}:saml-provider/AWSSSO_[0-9a-f]{{16}}_DO_NOT_DELETE", provider)
    assert statement["Action"] == ["sts:AssumeRoleWithSAML", "sts:TagSession"]
    assert statement["Condition"] == {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
    iam = lab.iam()
    assert iam.get_saml_provider(SAMLProviderArn=provider)["ValidUntil"].year > 2100
    attached = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [READ_ONLY]
    inline = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="AwsSSOInlinePolicy")["PolicyDocument"]
    assert inline == json.loads(POLICY)


def test_the_account_cannot_change_the_role(lab, jane):
    lab.assign(lab.new_set("Developer"), jane)
    (role,) = lab.reserved()
    code, message = refusal(lab.iam().delete_role, RoleName=role["RoleName"])
    assert code == "UnmodifiableEntity"
    assert message == (
        f"Cannot perform the operation on the protected role '{role['RoleName']}' - this role is only modifiable by AWS"
    )


def test_the_role_dies_with_the_last_assignment_and_comes_back_with_another_suffix(lab, jane):
    omar = lab.new_user("omar")
    permission_set = lab.new_set("Developer")
    lab.assign(permission_set, jane)
    lab.assign(permission_set, omar)
    (first,) = lab.reserved()
    assert lab.unassign(permission_set, jane)["Status"] == "SUCCEEDED"
    assert lab.reserved() == [first]
    lab.unassign(permission_set, omar)
    assert lab.reserved() == []
    lab.assign(permission_set, jane)
    (second,) = lab.reserved()
    assert second["RoleName"] != first["RoleName"]


def test_changes_reach_accounts_when_they_are_provisioned(lab, jane):
    permission_set = lab.new_set("Developer")
    of_set = {**lab.of, "PermissionSetArn": permission_set}
    lab.assign(permission_set, jane)
    (role,) = lab.reserved()
    lab.sso.attach_managed_policy_to_permission_set(**of_set, ManagedPolicyArn=READ_ONLY)
    assert not lab.iam().list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert accounts(lab, permission_set, "LATEST_PERMISSION_SET_NOT_PROVISIONED") == [MEMBER]
    assert accounts(lab, permission_set, "LATEST_PERMISSION_SET_PROVISIONED") == []
    assert lab.provision(permission_set)["Status"] == "SUCCEEDED"
    assert lab.iam().list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert accounts(lab, permission_set, "LATEST_PERMISSION_SET_PROVISIONED") == [MEMBER]
    listed = lab.sso.list_permission_sets_provisioned_to_account(
        **lab.of, AccountId=MEMBER, ProvisioningStatus="LATEST_PERMISSION_SET_PROVISIONED"
    )
    assert listed["PermissionSets"] == [permission_set]


def accounts(lab, permission_set: str, status: str) -> list[str]:
    return lab.sso.list_accounts_for_provisioned_permission_set(
        **lab.of, PermissionSetArn=permission_set, ProvisioningStatus=status
    )["AccountIds"]


def test_provisioning_where_nothing_is_assigned_fails_by_name(lab):
    ended = lab.provision(lab.new_set("Developer"), MEMBER)
    assert (ended["Status"], ended["AccountId"]) == ("FAILED", MEMBER)
    assert ended["FailureReason"] == "Received a 404 status error: Assignment not found."


def test_provisioning_everywhere_is_no_failure_while_it_is_nowhere(lab):
    # Terraform provisions after each attachment, before anything is assigned.
    assert lab.provision(lab.new_set("Developer"))["Status"] == "SUCCEEDED"


def test_a_missing_customer_managed_policy_fails_the_assignment_and_leaves_no_role(lab, jane):
    permission_set = lab.new_set("Developer")
    reference = {"Name": "deploy", "Path": "/team/"}
    lab.sso.attach_customer_managed_policy_reference_to_permission_set(
        **lab.of, PermissionSetArn=permission_set, CustomerManagedPolicyReference=reference
    )
    ended = lab.assign(permission_set, jane)
    assert ended["Status"] == "FAILED"
    assert f"arn:aws:iam::{MEMBER}:policy/team/deploy" in ended["FailureReason"]
    assert lab.reserved() == []
    listed = lab.sso.list_account_assignments(**lab.of, AccountId=MEMBER, PermissionSetArn=permission_set)
    assert listed["AccountAssignments"] == []
    lab.iam().create_policy(PolicyName="deploy", Path="/team/", PolicyDocument=POLICY)
    assert lab.assign(permission_set, jane)["Status"] == "SUCCEEDED"
    (role,) = lab.reserved()
    attached = lab.iam().list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [policy["PolicyName"] for policy in attached] == ["deploy"]


def test_a_boundary_becomes_the_roles(lab, jane):
    permission_set = lab.new_set("Developer")
    of_set = {**lab.of, "PermissionSetArn": permission_set}
    assert refusal(lab.sso.get_permissions_boundary_for_permission_set, **of_set)[0] == ABSENT
    lab.sso.put_permissions_boundary_to_permission_set(**of_set, PermissionsBoundary={"ManagedPolicyArn": READ_ONLY})
    lab.assign(permission_set, jane)
    (role,) = lab.reserved()
    boundary = lab.iam().get_role(RoleName=role["RoleName"])["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == READ_ONLY
    lab.sso.delete_permissions_boundary_from_permission_set(**of_set)
    lab.provision(permission_set)
    assert "PermissionsBoundary" not in lab.iam().get_role(RoleName=role["RoleName"])["Role"]


def test_in_the_management_account_the_provider_is_the_callers_to_make(aws, lab, jane):
    # The service-linked role may not create SAML providers there.
    iam = lab.iam(MANAGEMENT)
    iam.create_user(UserName="admin")
    statement = [{"Effect": "Allow", "Action": "sso:*", "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    iam.put_user_policy(UserName="admin", PolicyName="sso", PolicyDocument=policy)
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    lab.sso = aws.client(
        "sso-admin", {"access_key_id": key["AccessKeyId"], "secret_access_key": key["SecretAccessKey"]}
    )
    permission_set = lab.new_set("Developer")
    assert lab.assign(permission_set, jane, MEMBER)["Status"] == "SUCCEEDED"
    ended = lab.assign(permission_set, jane, MANAGEMENT)
    assert ended["Status"] == "FAILED"
    assert "iam:GetSAMLProvider" in ended["FailureReason"]


# -- the sets ---------------------------------------------------------------------------------------------------------


def test_a_permission_set_lives_a_whole_life(lab):
    tags = [{"Key": "team", "Value": "shop"}]
    arn = lab.new_set("Developer", RelayState="https://console.aws.amazon.com/s3", Tags=tags)
    of_set = {**lab.of, "PermissionSetArn": arn}
    shown = lab.sso.describe_permission_set(**of_set)["PermissionSet"]
    assert (shown["Name"], shown["SessionDuration"]) == ("Developer", "PT1H")
    assert shown["RelayState"] == "https://console.aws.amazon.com/s3"
    lab.sso.update_permission_set(**of_set, Description="new", SessionDuration="PT2H")
    shown = lab.sso.describe_permission_set(**of_set)["PermissionSet"]
    assert (shown["Description"], shown["SessionDuration"]) == ("new", "PT2H")
    assert "RelayState" not in shown  # what is left out of an update is cleared: terraform-provider-aws#17411
    assert lab.sso.list_tags_for_resource(**lab.of, ResourceArn=arn)["Tags"] == tags
    lab.sso.tag_resource(**lab.of, ResourceArn=arn, Tags=[{"Key": "cost", "Value": "7"}])
    lab.sso.untag_resource(**lab.of, ResourceArn=arn, TagKeys=["team"])
    assert lab.sso.list_tags_for_resource(**lab.of, ResourceArn=arn)["Tags"] == [{"Key": "cost", "Value": "7"}]
    lab.sso.delete_permission_set(**of_set)
    assert refusal(lab.sso.describe_permission_set, **of_set)[0] == ABSENT
    assert lab.sso.list_permission_sets(**lab.of)["PermissionSets"] == []


def test_policies_come_and_go(lab):
    of_set = {**lab.of, "PermissionSetArn": lab.new_set("Developer")}
    sso = lab.sso
    sso.attach_managed_policy_to_permission_set(**of_set, ManagedPolicyArn=READ_ONLY)
    again = refusal(sso.attach_managed_policy_to_permission_set, **of_set, ManagedPolicyArn=READ_ONLY)
    assert again[0] == "ConflictException"
    (attached,) = sso.list_managed_policies_in_permission_set(**of_set)["AttachedManagedPolicies"]
    assert attached == {"Name": "ReadOnlyAccess", "Arn": READ_ONLY}
    sso.detach_managed_policy_from_permission_set(**of_set, ManagedPolicyArn=READ_ONLY)
    assert refusal(sso.detach_managed_policy_from_permission_set, **of_set, ManagedPolicyArn=READ_ONLY)[0] == ABSENT
    reference = {"Name": "own", "Path": "/"}
    named = {**of_set, "CustomerManagedPolicyReference": {"Name": "own"}}
    sso.attach_customer_managed_policy_reference_to_permission_set(**named)
    assert refusal(sso.attach_customer_managed_policy_reference_to_permission_set, **named)[0] == "ConflictException"
    listed = sso.list_customer_managed_policy_references_in_permission_set(**of_set)
    assert listed["CustomerManagedPolicyReferences"] == [reference]
    sso.detach_customer_managed_policy_reference_from_permission_set(**named)
    assert refusal(sso.detach_customer_managed_policy_reference_from_permission_set, **named)[0] == ABSENT
    assert sso.get_inline_policy_for_permission_set(**of_set)["InlinePolicy"] == ""
    sso.put_inline_policy_to_permission_set(**of_set, InlinePolicy=POLICY)
    assert sso.get_inline_policy_for_permission_set(**of_set)["InlinePolicy"] == POLICY
    sso.delete_inline_policy_from_permission_set(**of_set)
    assert refusal(sso.delete_inline_policy_from_permission_set, **of_set)[0] == ABSENT
    boundary = {"CustomerManagedPolicyReference": reference}
    sso.put_permissions_boundary_to_permission_set(**of_set, PermissionsBoundary=boundary)
    assert sso.get_permissions_boundary_for_permission_set(**of_set)["PermissionsBoundary"] == boundary


def test_what_aws_refuses_in_a_permission_set(lab):
    of_set = {**lab.of, "PermissionSetArn": lab.new_set("Developer")}
    sso = lab.sso
    assert refusal(lab.new_set, "developer")[0] == "ConflictException"
    assert refusal(lab.new_set, "x" * 33)[0] == "ValidationException"
    assert refusal(lab.new_set, "no spaces")[0] == "ValidationException"
    for duration in ("PT13H", "PT59M", "P1D", "PT0S", "an hour"):
        assert refusal(lab.new_set, "Other", SessionDuration=duration)[0] == "ValidationException", duration
    assert refusal(sso.put_inline_policy_to_permission_set, **of_set, InlinePolicy="{")[0] == "ValidationException"
    too_long = "x" * 32_769
    assert refusal(sso.put_inline_policy_to_permission_set, **of_set, InlinePolicy=too_long)[0] == "ValidationException"
    mine = f"arn:aws:iam::{MEMBER}:policy/own"
    wrong = refusal(sso.attach_managed_policy_to_permission_set, **of_set, ManagedPolicyArn=mine)
    assert wrong[0] == "ValidationException"  # the pattern takes AWS's only
    nothing = "arn:aws:iam::aws:policy/NoSuchThing"
    assert refusal(sso.attach_managed_policy_to_permission_set, **of_set, ManagedPolicyArn=nothing)[0] == ABSENT
    both = {"ManagedPolicyArn": READ_ONLY, "CustomerManagedPolicyReference": {"Name": "own"}}
    wrong = refusal(sso.put_permissions_boundary_to_permission_set, **of_set, PermissionsBoundary=both)
    assert wrong[0] == "ValidationException"
    elsewhere = {
        **lab.of,
        "PermissionSetArn": "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-0123456789abcdef",
    }
    assert refusal(sso.describe_permission_set, **elsewhere)[0] == ABSENT
    malformed = {**lab.of, "PermissionSetArn": "arn:aws:sso:::permissionSet/what"}
    assert refusal(sso.describe_permission_set, **malformed)[0] == "ValidationException"
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert refusal(lab.new_set, "Other", Tags=twice)[0] == "ValidationException"


def test_a_permission_set_in_use_is_a_conflict(lab, jane):
    permission_set = lab.new_set("Developer")
    lab.assign(permission_set, jane)
    assert refusal(lab.sso.delete_permission_set, **lab.of, PermissionSetArn=permission_set)[0] == "ConflictException"
    lab.unassign(permission_set, jane)
    lab.sso.delete_permission_set(**lab.of, PermissionSetArn=permission_set)


# -- assignments ------------------------------------------------------------------------------------------------------


@pytest.mark.scenario(STAFFED)
def test_assignments_are_listed_by_account_and_by_principal(lab):
    jane, developer = lab.user("jane"), lab.set("Developer")
    listed = lab.sso.list_account_assignments(**lab.of, AccountId=MANAGEMENT, PermissionSetArn=developer)
    (through_group,) = listed["AccountAssignments"]
    assert through_group["PrincipalType"] == "GROUP"
    mine = lab.sso.list_account_assignments_for_principal(**lab.of, PrincipalId=jane, PrincipalType="USER")
    assert {(entry["AccountId"], entry["PrincipalType"]) for entry in mine["AccountAssignments"]} == {
        (MANAGEMENT, "GROUP"),
        (MEMBER, "USER"),
    }
    of_member = lab.sso.list_account_assignments_for_principal(
        **lab.of, PrincipalId=jane, PrincipalType="USER", Filter={"AccountId": MEMBER}
    )
    assert len(of_member["AccountAssignments"]) == 1
    group = lab.sso.list_account_assignments_for_principal(
        **lab.of, PrincipalId=through_group["PrincipalId"], PrincipalType="GROUP"
    )
    assert [entry["PermissionSetArn"] for entry in group["AccountAssignments"]] == [developer]


def test_once_more_is_no_error_and_requests_are_kept(lab, jane):
    permission_set = lab.new_set("Developer")
    lab.assign(permission_set, jane)
    lab.assign(permission_set, jane)
    nobody = "00000000-0000-4000-8000-000000000000"
    ended = lab.assign(permission_set, nobody)
    assert (ended["Status"], ended["FailureReason"]) == ("FAILED", "Received a 404 status error: USER not found.")
    failed = lab.sso.list_account_assignment_creation_status(**lab.of, Filter={"Status": "FAILED"})
    assert [made["RequestId"] for made in failed["AccountAssignmentsCreationStatus"]] == [ended["RequestId"]]
    assert len(lab.sso.list_account_assignment_creation_status(**lab.of)["AccountAssignmentsCreationStatus"]) == 3
    lab.unassign(permission_set, jane)
    assert len(lab.sso.list_account_assignment_deletion_status(**lab.of)["AccountAssignmentsDeletionStatus"]) == 1
    lab.provision(permission_set)
    assert len(lab.sso.list_permission_set_provisioning_status(**lab.of)["PermissionSetsProvisioningStatus"]) == 1
    again = lab.assignment(permission_set, jane, MEMBER, "USER")
    assert refusal(lab.sso.delete_account_assignment, **again)[0] == ABSENT
    unknown = {**lab.of, "AccountAssignmentCreationRequestId": nobody}
    assert refusal(lab.sso.describe_account_assignment_creation_status, **unknown)[0] == ABSENT


def test_an_account_outside_the_organization_cannot_be_assigned(lab, jane):
    ended = lab.assign(lab.new_set("Developer"), jane, OTHER)
    assert ended["Status"] == "FAILED"
    assert lab.reserved(OTHER) == []


@pytest.mark.scenario(STAFFED)
def test_who_is_deleted_loses_assignments(lab):
    group = lab.store.list_groups(**lab.of_store)["Groups"][0]["GroupId"]
    assert lab.reserved(MANAGEMENT)
    lab.store.delete_group(**lab.of_store, GroupId=group)
    assert lab.reserved(MANAGEMENT) == []
    lab.store.delete_user(**lab.of_store, UserId=lab.user("jane"))
    assert lab.reserved(MEMBER) == []


def test_lists_have_pages(lab):
    arns = {lab.new_set(f"Set{number}") for number in range(5)}
    paginator = lab.sso.get_paginator("list_permission_sets")
    pages = [page["PermissionSets"] for page in paginator.paginate(**lab.of, PaginationConfig={"PageSize": 2})]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {arn for page in pages for arn in page} == arns
    assert refusal(lab.sso.list_permission_sets, **lab.of, NextToken="made-up")[0] == "ValidationException"
