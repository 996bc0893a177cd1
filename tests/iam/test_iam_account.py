"""What is about an account as a whole: alias, summary, password policy, reports, switches, services' own roles."""

import csv
import json
import re
import time

import pytest
from iam_stories import ACCOUNT, EC2, EMPTY, allow, arn, refusal, result, trust

OTHER = "444455556666"
PASSWORD = "Correct-Horse-7"
VIOLATION = (400, "PasswordPolicyViolation")

pytestmark = pytest.mark.scenario(f'{EMPTY[:-1]}, "{OTHER}": {{name: prod}}}}')


@pytest.fixture
def iam(aws):
    return aws.client("iam")


# -- alias and summary ------------------------------------------------------------------------------------------------


def test_an_account_has_one_alias_and_nobody_else_has_it(aws, iam):
    iam.create_account_alias(AccountAlias="acme-dev")
    assert iam.list_account_aliases()["AccountAliases"] == ["acme-dev"]

    prod = aws.client("iam", aws.credentials(account=OTHER))
    assert refusal(prod.create_account_alias, AccountAlias="acme-dev") == (
        409,
        "EntityAlreadyExists",
        "The account alias acme-dev already exists.",
    )
    iam.create_account_alias(AccountAlias="acme")
    assert iam.list_account_aliases()["AccountAliases"] == ["acme"]
    prod.create_account_alias(AccountAlias="acme-dev")
    iam.delete_account_alias(AccountAlias="acme")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_summary_counts_and_names_the_quotas(iam):
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="staff")
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
    policy = iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:*"))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="app", PolicyArn=policy)
    iam.create_open_id_connect_provider(Url="https://idp.example.com")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")

    summary = iam.get_account_summary()["SummaryMap"]
    counts = ("Users", "Groups", "Roles", "Policies", "Providers", "InstanceProfiles", "MFADevices", "MFADevicesInUse")
    assert [summary[name] for name in counts] == [1, 1, 1, 1, 1, 0, 1, 0]
    quotas = ("UsersQuota", "GroupsQuota", "RolesQuota", "PoliciesQuota", "AccessKeysPerUserQuota", "PolicySizeQuota")
    assert [summary[name] for name in quotas] == [5000, 300, 1000, 1500, 2, 6144]
    assert (summary["AccountAccessKeysPresent"], summary["AccountMFAEnabled"]) == (1, 0)


# -- passwords --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ann(aws, iam):
    """IAM as ann, who may change her password."""
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password=PASSWORD, PasswordResetRequired=True)
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=allow("iam:ChangePassword"))
    return aws.client("iam", iam.create_access_key(UserName="ann")["AccessKey"])


def test_a_login_profile_is_made_changed_and_taken_away(iam):
    iam.create_user(UserName="ann")
    made = iam.create_login_profile(UserName="ann", Password=PASSWORD)["LoginProfile"]
    assert (made["UserName"], made["PasswordResetRequired"]) == ("ann", False)
    iam.update_login_profile(UserName="ann", PasswordResetRequired=True)
    assert iam.get_login_profile(UserName="ann")["LoginProfile"]["PasswordResetRequired"] is True
    iam.delete_login_profile(UserName="ann")
    assert refusal(iam.get_login_profile, UserName="ann")[:2] == (404, "NoSuchEntity")


def test_people_change_their_own_password(iam, ann):
    assert refusal(ann.change_password, OldPassword="guess", NewPassword="Better-Horse-8") == (
        403,
        "AccessDenied",
        "The old password was incorrect.",
    )
    ann.change_password(OldPassword=PASSWORD, NewPassword="Better-Horse-8")
    assert iam.get_login_profile(UserName="ann")["LoginProfile"]["PasswordResetRequired"] is False
    assert refusal(ann.change_password, OldPassword=PASSWORD, NewPassword="Third-Horse-9")[1] == "AccessDenied"


def test_the_account_may_let_all_its_users_change_theirs(aws, iam):
    iam.create_user(UserName="eve")
    iam.create_login_profile(UserName="eve", Password=PASSWORD)
    eve = aws.client("iam", iam.create_access_key(UserName="eve")["AccessKey"])
    wish = {"OldPassword": PASSWORD, "NewPassword": "Better-Horse-8"}
    status, code, message = refusal(eve.change_password, **wish)
    assert (status, code) == (403, "AccessDenied")
    assert "not authorized to perform: iam:ChangePassword on resource: user eve because no identity-based" in message
    iam.update_account_password_policy(AllowUsersToChangePassword=True, MinimumPasswordLength=8)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="eve", PolicyName="no", PolicyDocument=json.dumps(deny))
    assert "explicit deny" in refusal(eve.change_password, **wish)[2]
    iam.delete_user_policy(UserName="eve", PolicyName="no")
    eve.change_password(**wish)


@pytest.mark.parametrize("password", ["short-1", "onlylowercase", "ONLY-UPPERCASE", "ann"])
def test_without_a_policy_eight_characters_of_three_kinds_are_asked_for(iam, password):
    iam.create_user(UserName="ann")
    assert refusal(iam.create_login_profile, UserName="ann", Password=password)[:2] == VIOLATION


def test_the_accounts_own_policy_takes_the_place_of_the_default(iam, ann):
    iam.update_account_password_policy(
        MinimumPasswordLength=12, RequireNumbers=True, RequireSymbols=True, PasswordReusePrevention=1, MaxPasswordAge=90
    )
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 12,
        "RequireSymbols": True,
        "RequireNumbers": True,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": True,
        "MaxPasswordAge": 90,
        "PasswordReusePrevention": 1,
    }
    for bad in ("short-1", "long-enough-but-no-number", "longenoughbutnosymbol1", PASSWORD):
        assert refusal(iam.update_login_profile, UserName="ann", Password=bad)[:2] == VIOLATION
    ann.change_password(OldPassword=PASSWORD, NewPassword="only-lower-case-1")

    # what is left out next time has its default again
    iam.update_account_password_policy()
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert (policy["MinimumPasswordLength"], policy["ExpirePasswords"]) == (6, False)
    assert "MaxPasswordAge" not in policy
    iam.delete_account_password_policy()
    assert refusal(iam.get_account_password_policy)[:2] == (404, "NoSuchEntity")


def test_passwords_are_nowhere_to_be_read(aws, ann):
    ann.change_password(OldPassword=PASSWORD, NewPassword="Better-Horse-8")
    log = json.dumps(aws.events())
    assert PASSWORD not in log
    assert "Better-Horse-8" not in log


# -- reports ----------------------------------------------------------------------------------------------------------


def report(iam) -> dict[str, dict[str, str]]:
    """The rows of the credential report by user."""
    read = iam.get_credential_report()
    assert read["ReportFormat"] == "text/csv"
    return {row["user"]: row for row in csv.DictReader(read["Content"].decode().splitlines())}


def test_the_credential_report(aws, iam, ann):
    # given two keys, of which one is used and one switched off
    aws.client("sts", region_name="eu-west-1").get_caller_identity()
    second = iam.create_access_key(UserName="ann")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="ann", AccessKeyId=second, Status="Inactive")
    ann.change_password(OldPassword=PASSWORD, NewPassword="Better-Horse-8")

    # when
    assert refusal(iam.get_credential_report)[:2] == (410, "ReportNotPresent")
    started = result(iam.generate_credential_report())
    assert started == {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
    assert result(iam.generate_credential_report()) == {"State": "COMPLETE"}

    # then
    rows = report(iam)
    assert set(rows) == {"<root_account>", "ann"}
    row = rows["ann"]
    assert row["arn"] == arn("user", "ann")
    assert (row["password_enabled"], row["password_last_used"], row["mfa_active"]) == (
        "true",
        "no_information",
        "false",
    )
    assert (row["access_key_1_active"], row["access_key_1_last_used_service"]) == ("true", "iam")
    assert (row["access_key_2_active"], row["access_key_2_last_used_date"]) == ("false", "N/A")
    assert (rows["<root_account>"]["access_key_1_last_used_region"], row["cert_1_active"]) == ("us-east-1", "false")

    # and it is old after four hours
    aws.advance(hours=4)
    assert refusal(iam.get_credential_report)[:2] == (410, "ReportExpired")


def test_when_a_key_was_last_used(aws, iam):
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    aws.client("sts", key, region_name="eu-west-1").get_caller_identity()
    used = iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])
    assert used["UserName"] == "ann"
    assert (used["AccessKeyLastUsed"]["ServiceName"], used["AccessKeyLastUsed"]["Region"]) == ("sts", "eu-west-1")
    assert abs(used["AccessKeyLastUsed"]["LastUsedDate"].timestamp() - time.time()) < 60


def test_which_services_somebody_reached(aws, iam):
    iam.create_user(UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=allow("iam:Get*", "s3:*", "sqs:SendMessage"))
    aws.client("iam", iam.create_access_key(UserName="ann")["AccessKey"]).get_user()

    job = iam.generate_service_last_accessed_details(Arn=arn("user", "ann"))["JobId"]
    details = iam.get_service_last_accessed_details(JobId=job)
    assert details["JobStatus"] == "COMPLETED"
    listed = {entry["ServiceNamespace"]: "LastAuthenticated" in entry for entry in details["ServicesLastAccessed"]}
    assert listed == {"iam": True, "s3": False, "sqs": False}
    assert refusal(iam.get_service_last_accessed_details, JobId="0" * 36)[:2] == (404, "NoSuchEntity")


def test_everything_about_authorization_at_once(iam):
    iam.create_user(UserName="ann", Tags=[{"Key": "team", "Value": "shop"}])
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="ann")
    iam.put_user_policy(UserName="ann", PolicyName="own", PolicyDocument=allow("s3:GetObject"))
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=trust(arn("user", "ann")))
    iam.create_instance_profile(InstanceProfileName="app")
    iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="app")
    own = iam.create_policy(PolicyName="p", PolicyDocument=allow("s3:PutObject"))["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="app", PolicyArn=own)
    iam.attach_group_policy(GroupName="staff", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")

    details = iam.get_account_authorization_details()
    (user,), (group,), (role,) = details["UserDetailList"], details["GroupDetailList"], details["RoleDetailList"]
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": json.loads(allow("s3:GetObject"))}]
    assert (user["GroupList"], user["Tags"]) == (["staff"], [{"Key": "team", "Value": "shop"}])
    assert [entry["PolicyName"] for entry in group["AttachedManagedPolicies"]] == ["ReadOnlyAccess"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": arn("user", "ann")}
    assert [entry["InstanceProfileName"] for entry in role["InstanceProfileList"]] == ["app"]
    # of AWS's policies only what is in use
    policies = {entry["PolicyName"]: entry for entry in details["Policies"]}
    assert set(policies) == {"p", "ReadOnlyAccess"}
    assert policies["p"]["PolicyVersionList"][0]["Document"] == json.loads(allow("s3:PutObject"))

    only_roles = iam.get_account_authorization_details(Filter=["Role"])
    assert [len(only_roles[name]) for name in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")] == [
        *(0, 0, 1, 0)
    ]


def test_authorization_details_come_in_pages_of_one_filter(iam):
    for number in range(3):
        iam.create_user(UserName=f"user-{number}")
        iam.create_role(RoleName=f"role-{number}", AssumeRolePolicyDocument=EC2)
    pages = list(
        iam.get_paginator("get_account_authorization_details").paginate(
            Filter=["User", "Role"], PaginationConfig={"PageSize": 2}
        )
    )
    assert [len(page["UserDetailList"]) + len(page["RoleDetailList"]) for page in pages] == [2, 2, 2]
    marker = iam.get_account_authorization_details(Filter=["User"], MaxItems=1)["Marker"]
    assert refusal(iam.get_account_authorization_details, Filter=["Role"], Marker=marker) == (
        400,
        "ValidationError",
        "Marker and Filter do not match",
    )


# -- switches ---------------------------------------------------------------------------------------------------------


def test_outbound_federation_is_switched_on_and_off_and_keeps_its_issuer(iam):
    disabled = (404, "FeatureDisabled", f"Outbound identity federation is disabled for account {ACCOUNT}")
    assert refusal(iam.get_outbound_web_identity_federation_info) == disabled
    assert refusal(iam.disable_outbound_web_identity_federation) == disabled

    issuer = iam.enable_outbound_web_identity_federation()["IssuerIdentifier"]
    assert result(iam.get_outbound_web_identity_federation_info()) == {
        "IssuerIdentifier": issuer,
        "JwtVendingEnabled": True,
    }
    assert refusal(iam.enable_outbound_web_identity_federation)[:2] == (409, "FeatureEnabled")

    iam.disable_outbound_web_identity_federation()
    assert refusal(iam.get_outbound_web_identity_federation_info) == disabled
    assert iam.enable_outbound_web_identity_federation()["IssuerIdentifier"] == issuer


def test_the_version_of_global_tokens_is_kept(iam):
    assert iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"] == 1
    iam.set_security_token_service_preferences(GlobalEndpointTokenVersion="v2Token")
    assert iam.get_account_summary()["SummaryMap"]["GlobalEndpointTokenVersion"] == 2


# -- what services own ------------------------------------------------------------------------------------------------


def test_the_life_of_a_service_linked_role(iam):
    made = iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com", Description="ours")["Role"]
    assert made["Arn"] == arn("role", "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS")
    assert made["AssumeRolePolicyDocument"]["Statement"] == [
        {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": ["ecs.amazonaws.com"]}}
    ]
    attached = iam.list_attached_role_policies(RoleName="AWSServiceRoleForECS")["AttachedPolicies"]
    assert [entry["PolicyArn"] for entry in attached] == [
        "arn:aws:iam::aws:policy/aws-service-role/AmazonECSServiceRolePolicy"
    ]

    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForECS")["DeletionTaskId"]
    assert re.fullmatch(r"task/aws-service-role/ecs\.amazonaws\.com/AWSServiceRoleForECS/[0-9a-f-]{36}", task)
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    assert iam.list_roles()["Roles"] == []


def test_nobody_else_changes_a_service_linked_role(iam):
    iam.create_service_linked_role(AWSServiceName="ecs.amazonaws.com")
    named = {"RoleName": "AWSServiceRoleForECS"}
    for call, arguments in (
        (iam.put_role_policy, {"PolicyName": "p", "PolicyDocument": allow("s3:*")}),
        (iam.attach_role_policy, {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        (iam.update_assume_role_policy, {"PolicyDocument": EC2}),
        (iam.put_role_permissions_boundary, {"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
        (iam.delete_role, {}),
    ):
        status, code, message = refusal(call, **named, **arguments)
        assert (status, code) == (400, "UnmodifiableEntity")
        assert "AWSServiceRoleForECS" in message


def test_a_role_of_ones_own_is_no_service_linked_role(iam):
    iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
    assert refusal(iam.delete_service_linked_role, RoleName="app") == (
        404,
        "NoSuchEntity",
        "app exists but is not a service role.",
    )
    ask = {"RoleName": "mine", "Path": "/aws-service-role/ecs.amazonaws.com/", "AssumeRolePolicyDocument": EC2}
    assert refusal(iam.create_role, **ask)[:2] == (400, "ValidationError")


@pytest.mark.parametrize(
    ("service", "secret"),
    [("codecommit.amazonaws.com", "ServicePassword"), ("bedrock.amazonaws.com", "ServiceCredentialSecret")],
)
def test_the_life_of_a_credential_of_one_service(iam, service, secret):
    iam.create_user(UserName="ann")
    made = iam.create_service_specific_credential(UserName="ann", ServiceName=service)["ServiceSpecificCredential"]
    named = {"UserName": "ann", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
    assert made[secret]
    assert made["Status"] == "Active"

    iam.update_service_specific_credential(**named, Status="Inactive")
    (listed,) = iam.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"]
    assert listed["Status"] == "Inactive"
    assert secret not in listed
    again = iam.reset_service_specific_credential(**named)["ServiceSpecificCredential"]
    assert again[secret] != made[secret]
    iam.delete_service_specific_credential(**named)
    assert iam.list_service_specific_credentials(UserName="ann")["ServiceSpecificCredentials"] == []


def test_two_credentials_of_a_service_and_no_more(iam):
    iam.create_user(UserName="ann")
    ask = {"UserName": "ann", "ServiceName": "codecommit.amazonaws.com"}
    for _ in range(2):
        iam.create_service_specific_credential(**ask)
    assert refusal(iam.create_service_specific_credential, **ask) == (
        409,
        "LimitExceeded",
        "Cannot exceed quota for ContextSpecificCredentialsPerUserPerContext: 2",
    )
