"""Instances: who sees and administers them, their regions, attributes for access control, and account instances.

Source: docs/aws/identity-center.md, "Recorded in 2026" (sso-admin model limits); operations and errors: the model.
"""

from __future__ import annotations

import re

import pytest
from identity_stories import EMPTY, MANAGEMENT, MEMBER, ORGANIZATION, OTHER, START, STORE, Lab, refusal

pytestmark = pytest.mark.scenario(EMPTY)

DENIED = "AccessDeniedException"


def test_the_organizations_instance_is_described(lab):
    shown = lab.sso.describe_instance(**lab.of)
    assert re.fullmatch(r"arn:aws:sso:::instance/ssoins-[0-9a-f]{16}", shown["InstanceArn"])
    assert (shown["IdentityStoreId"], shown["OwnerAccountId"], shown["Status"]) == (STORE, MANAGEMENT, "ACTIVE")
    assert shown["IdentityStoreArn"] == f"arn:aws:identitystore::{MANAGEMENT}:identitystore/{STORE}"
    assert (shown["PrimaryRegion"], shown["PermissionSetsEnabled"]) == ("us-east-1", True)
    assert shown["EncryptionConfigurationDetails"]["KeyType"] == "AWS_OWNED_KMS_KEY"
    lab.sso.update_instance(**lab.of, Name="people")
    assert lab.sso.describe_instance(**lab.of)["Name"] == "people"
    network = {"VpceAccessRequired": False, "AllowSourceIps": ["192.0.2.1"]}
    lab.sso.update_instance(**lab.of, NetworkConfiguration=network)
    assert lab.sso.describe_instance(**lab.of)["NetworkConfigurationDetails"] == network
    two = {"NetworkConfiguration": network, "PermissionSetsEnabled": True}
    assert refusal(lab.sso.update_instance, **lab.of, **two)[0] == "ValidationException"


def test_members_see_the_instance_and_may_nothing(aws, lab):
    member = aws.client("sso-admin", aws.credentials(account=MEMBER))
    assert [seen["InstanceArn"] for seen in member.list_instances()["Instances"]] == [lab.arn]
    assert refusal(member.describe_instance, **lab.of)[0] == DENIED
    assert refusal(member.create_permission_set, **lab.of, Name="Mine")[0] == DENIED
    stranger = aws.client("sso-admin", aws.credentials(account=OTHER))
    assert stranger.list_instances()["Instances"] == []
    assert refusal(stranger.list_permission_sets, **lab.of)[0] == DENIED
    gone = {"InstanceArn": "arn:aws:sso:::instance/ssoins-0123456789abcdef"}
    assert refusal(lab.sso.describe_instance, **gone)[0] == DENIED  # as the model says of deleted ones
    assert refusal(lab.sso.describe_instance, InstanceArn="arn:aws:sso:::instance/what")[0] == "ValidationException"


def test_policies_of_the_owners_users_are_asked(aws, lab):
    eve = aws.client("sso-admin", aws.credentials(account=MANAGEMENT, user="eve"))
    assert eve.list_permission_sets(**lab.of)["PermissionSets"] == []
    code, message = refusal(eve.create_permission_set, **lab.of, Name="Mine")
    assert code == DENIED
    assert f"not authorized to perform: sso:CreatePermissionSet on resource: {lab.arn}" in message


@pytest.mark.scenario(
    f"""{ORGANIZATION}
identity_center: {{start_url: {START}, delegated_administrator: "{MEMBER}", users: {{jane: {{}}}}}}
"""
)
def test_a_delegated_administrator_manages_all_but_the_management_account(aws):
    lab = Lab(aws)
    owners_set = lab.new_set("Owner")
    lab.assign(owners_set, lab.user("jane"), MANAGEMENT)
    lab.sso = aws.client("sso-admin", aws.credentials(account=MEMBER))
    mine = lab.new_set("Mine")
    assert lab.assign(mine, lab.user("jane"), MEMBER)["Status"] == "SUCCEEDED"
    there = lab.assignment(mine, lab.user("jane"), MANAGEMENT, "USER")
    assert refusal(lab.sso.create_account_assignment, **there)[0] == DENIED
    assert refusal(lab.sso.delete_permission_set, **lab.of, PermissionSetArn=owners_set)[0] == DENIED
    assert refusal(lab.sso.delete_instance, **lab.of)[0] == DENIED


@pytest.mark.scenario(f"{ORGANIZATION}\nidentity_center: {{start_url: {START}, users: {{jane: {{}}}}}}")
def test_organizations_registers_the_delegated_administrator(aws):
    lab = Lab(aws)
    org = aws.client("organizations", aws.credentials(account=MANAGEMENT))
    wish = {"AccountId": MEMBER, "ServicePrincipal": "sso.amazonaws.com"}
    member = aws.client("sso-admin", aws.credentials(account=MEMBER))
    assert refusal(member.list_permission_sets, **lab.of)[0] == DENIED
    org.register_delegated_administrator(**wish)
    assert member.list_permission_sets(**lab.of)["PermissionSets"] == []
    org.deregister_delegated_administrator(**wish)
    assert refusal(member.list_permission_sets, **lab.of)[0] == DENIED


def test_regions_are_stored(lab):
    named = {**lab.of, "RegionName": "eu-west-1"}
    assert refusal(lab.sso.describe_region, **named)[0] == "ResourceNotFoundException"
    assert lab.sso.add_region(**named)["Status"] == "ADDING"
    assert lab.sso.describe_region(**named)["Status"] == "ACTIVE"
    assert refusal(lab.sso.add_region, **named)[0] == "ConflictException"
    listed = {region["RegionName"]: region["IsPrimaryRegion"] for region in lab.sso.list_regions(**lab.of)["Regions"]}
    assert listed == {"us-east-1": True, "eu-west-1": False}
    assert lab.sso.remove_region(**named)["Status"] == "REMOVING"
    assert refusal(lab.sso.remove_region, **lab.of, RegionName="us-east-1")[0] == "ValidationException"
    assert len(lab.sso.list_regions(**lab.of)["Regions"]) == 1


def test_attributes_for_access_control_live_a_whole_life(lab):
    def configuration(**attributes: str) -> dict:
        listed = [{"Key": key, "Value": {"Source": [path]}} for key, path in attributes.items()]
        return {**lab.of, "InstanceAccessControlAttributeConfiguration": {"AccessControlAttributes": listed}}

    sso, absent = lab.sso, "ResourceNotFoundException"
    assert refusal(sso.describe_instance_access_control_attribute_configuration, **lab.of)[0] == absent
    first = configuration(department="${path:enterprise.department}")
    sso.create_instance_access_control_attribute_configuration(**first)
    assert refusal(sso.create_instance_access_control_attribute_configuration, **first)[0] == "ConflictException"
    second = configuration(email="${path:emails[primary eq true].value}")
    sso.update_instance_access_control_attribute_configuration(**second)
    shown = sso.describe_instance_access_control_attribute_configuration(**lab.of)
    assert shown["Status"] == "ENABLED"
    (attribute,) = shown["InstanceAccessControlAttributeConfiguration"]["AccessControlAttributes"]
    assert attribute["Key"] == "email"
    sso.delete_instance_access_control_attribute_configuration(**lab.of)
    assert refusal(sso.delete_instance_access_control_attribute_configuration, **lab.of)[0] == absent


def test_an_account_instance_has_no_permission_sets(aws, lab):
    stranger = aws.client("sso-admin", aws.credentials(account=OTHER))
    arn = stranger.create_instance(Name="ours")["InstanceArn"]
    shown = stranger.describe_instance(InstanceArn=arn)
    assert (shown["Name"], shown["OwnerAccountId"], shown["PermissionSetsEnabled"]) == ("ours", OTHER, False)
    assert refusal(stranger.create_instance)[0] == "ConflictException"
    assert refusal(stranger.create_permission_set, InstanceArn=arn, Name="Mine")[0] == DENIED
    assert refusal(lab.sso.create_instance)[0] == "ValidationException"  # in the management account
    assert refusal(lab.sso.describe_instance, InstanceArn=arn)[0] == DENIED
    stranger.delete_instance(InstanceArn=arn)
    assert refusal(stranger.describe_instance, InstanceArn=arn)[0] == DENIED
    assert stranger.list_instances()["Instances"] == []


def test_a_deleted_instance_takes_its_roles_with_it(lab):
    jane = lab.new_user("jane")
    lab.assign(lab.new_set("Developer"), jane)
    lab.sso.delete_instance(**lab.of)
    assert lab.reserved() == []
    assert lab.sso.list_instances()["Instances"] == []
    assert refusal(lab.store.list_users, **lab.of_store)[0] == "ResourceNotFoundException"
