"""Terraform's sequences of calls: create, read back without drift, change in place, destroy.

The calls are those of terraform-provider-aws (docs/aws/iam.md, "Calls of Terraform"), made by boto3. "No drift" means
that what is read back equals what was asked for: a provider that finds a difference plans a change for ever.
"""

import json

import pytest
from iam_stories import ACCOUNT, EC2, EMPTY, ROOT, allow, arn, refusal, result, trust

pytestmark = pytest.mark.scenario(EMPTY)

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
THUMBPRINT = "6938fd4d98bab03faadb97b34396831e3780aea1"


@pytest.fixture
def iam(aws):
    return aws.client("iam")


def pairs(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def plain(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


class TestRole:
    """aws_iam_role with inline_policy, aws_iam_role_policy_attachment."""

    @pytest.fixture
    def role(self, iam):
        iam.create_role(
            RoleName="app",
            Path="/service/",
            Description="What the shop runs as",
            MaxSessionDuration=7200,
            AssumeRolePolicyDocument=ROOT,
            PermissionsBoundary=BOUNDARY,
            Tags=pairs({"team": "shop", "stage": "dev"}),
        )
        return "app"

    def test_what_was_created_is_read_back(self, iam, role):
        read = iam.get_role(RoleName=role)["Role"]

        assert {name: read[name] for name in ("RoleName", "Path", "Arn", "Description", "MaxSessionDuration")} == {
            "RoleName": "app",
            "Path": "/service/",
            "Arn": arn("role", "service/app"),
            "Description": "What the shop runs as",
            "MaxSessionDuration": 7200,
        }
        assert read["AssumeRolePolicyDocument"] == json.loads(ROOT.replace('["', '"').replace('"]', '"'))
        assert read["PermissionsBoundary"] == {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": BOUNDARY,
        }
        assert plain(read["Tags"]) == {"team": "shop", "stage": "dev"}
        assert read["RoleLastUsed"] == {}

    def test_reading_twice_gives_the_same(self, iam, role):
        assert result(iam.get_role(RoleName=role)) == result(iam.get_role(RoleName=role))

    def test_everything_is_changed_in_place(self, iam, role):
        before = iam.get_role(RoleName=role)["Role"]

        # when
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=EC2)
        iam.update_role(RoleName=role, Description="What the shop runs as now", MaxSessionDuration=3600)
        iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=READ_ONLY)
        iam.untag_role(RoleName=role, TagKeys=["stage"])
        iam.tag_role(RoleName=role, Tags=pairs({"team": "platform"}))

        # then
        after = iam.get_role(RoleName=role)["Role"]
        assert after["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com"}
        assert (after["Description"], after["MaxSessionDuration"]) == ("What the shop runs as now", 3600)
        assert after["PermissionsBoundary"]["PermissionsBoundaryArn"] == READ_ONLY
        assert plain(after["Tags"]) == {"team": "platform"}
        # and it is still the same role
        assert [after[name] for name in ("RoleId", "Arn", "CreateDate")] == [
            before[name] for name in ("RoleId", "Arn", "CreateDate")
        ]

        # when everything optional is taken away
        iam.delete_role_permissions_boundary(RoleName=role)
        iam.untag_role(RoleName=role, TagKeys=["team"])
        iam.update_role_description(RoleName=role, Description="")

        # then nothing of it is shown
        assert not {"PermissionsBoundary", "Tags", "Description"} & set(iam.get_role(RoleName=role)["Role"])

    def test_inline_policies_are_what_they_were_put_as(self, iam, role):
        read, write = allow("s3:GetObject"), allow("s3:PutObject", resource="arn:aws:s3:::shop/*")
        iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=read)
        iam.put_role_policy(RoleName=role, PolicyName="write", PolicyDocument=write)

        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        documents = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
        assert documents == {"read": json.loads(read), "write": json.loads(write)}

        iam.delete_role_policy(RoleName=role, PolicyName="write")
        assert iam.list_role_policies(RoleName=role)["PolicyNames"] == ["read"]

    def test_attaching_twice_is_attaching_once(self, iam, role):
        iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
        iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == [
            {"PolicyName": "ReadOnlyAccess", "PolicyArn": READ_ONLY}
        ]

        iam.detach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
        assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []

    def test_destroy_takes_the_role_out_of_everything_first(self, iam, role):
        # given a role that is used everywhere
        iam.create_instance_profile(InstanceProfileName="app")
        iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName=role)
        iam.attach_role_policy(RoleName=role, PolicyArn=READ_ONLY)
        iam.put_role_policy(RoleName=role, PolicyName="read", PolicyDocument=allow("s3:GetObject"))

        # when
        for profile in iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=profile["InstanceProfileName"], RoleName=role)
        for attached in iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=role, PolicyArn=attached["PolicyArn"])
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            iam.delete_role_policy(RoleName=role, PolicyName=name)
        iam.delete_role(RoleName=role)

        # then
        assert refusal(iam.get_role, RoleName=role)[:2] == (404, "NoSuchEntity")

    def test_a_name_generated_by_prefix_is_found_by_path(self, iam, role):
        iam.create_role(RoleName="app-20260101120000000000000001", AssumeRolePolicyDocument=EC2)
        listed = iam.list_roles(PathPrefix="/service/")["Roles"]
        assert [entry["RoleName"] for entry in listed] == [role]

    def test_a_role_whose_user_was_replaced_shows_the_dead_id_until_it_is_applied_again(self, iam):
        # given a role that trusts a user
        iam.create_user(UserName="ann")
        document = trust(arn("user", "ann"))
        iam.create_role(RoleName="for-ann", AssumeRolePolicyDocument=document)
        trusted = iam.get_role(RoleName="for-ann")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
        assert trusted == {"AWS": arn("user", "ann")}

        # when the user is destroyed and created again
        old = iam.get_user(UserName="ann")["User"]["UserId"]
        iam.delete_user(UserName="ann")
        iam.create_user(UserName="ann")

        # then the trust means nobody, which Terraform sees as drift and repairs
        trusted = iam.get_role(RoleName="for-ann")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
        assert trusted == {"AWS": old}
        iam.update_assume_role_policy(RoleName="for-ann", PolicyDocument=document)
        trusted = iam.get_role(RoleName="for-ann")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]
        assert trusted == {"AWS": arn("user", "ann")}


class TestOpenIDConnectProvider:
    """aws_iam_openid_connect_provider."""

    URL = "https://token.actions.githubusercontent.com"
    ARN = arn("oidc-provider", "token.actions.githubusercontent.com")

    @pytest.fixture
    def provider(self, iam):
        created = iam.create_open_id_connect_provider(
            Url=self.URL, ClientIDList=["sts.amazonaws.com"], Tags=pairs({"team": "shop"})
        )
        assert created["OpenIDConnectProviderArn"] == self.ARN
        return self.ARN

    def test_what_was_created_is_read_back(self, iam, provider):
        read = result(iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider))

        assert read.pop("CreateDate")
        assert read == {
            "Url": "token.actions.githubusercontent.com",
            "ClientIDList": ["sts.amazonaws.com"],
            "ThumbprintList": [],
            "Tags": pairs({"team": "shop"}),
        }

    def test_everything_is_changed_in_place(self, iam, provider):
        iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=provider, ClientID="https://acme.example"
        )
        iam.remove_client_id_from_open_id_connect_provider(
            OpenIDConnectProviderArn=provider, ClientID="sts.amazonaws.com"
        )
        iam.update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=provider, ThumbprintList=[THUMBPRINT.upper()]
        )
        iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=provider, Tags=pairs({"stage": "dev"}))
        iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=provider, TagKeys=["team"])

        read = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
        assert read["ClientIDList"] == ["https://acme.example"]
        assert read["ThumbprintList"] == [THUMBPRINT]
        assert read["Tags"] == pairs({"stage": "dev"})
        listed = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=provider)
        assert listed["Tags"] == pairs({"stage": "dev"})

    def test_destroy(self, iam, provider):
        iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=provider)
        assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []

    @pytest.mark.parametrize(
        ("url", "name"),
        [
            ("https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
             "oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"),
            ("https://idp.example.com/", "idp.example.com/"),
            ("https://idp.example.com:443/realm", "idp.example.com/realm"),
            ("https://idp.example.com:8443/realm", "idp.example.com:8443/realm"),
        ],
        ids=["with a path", "with a slash at the end", "with the default port", "with a port"],
    )  # fmt: skip
    def test_the_arn_is_the_url_without_its_scheme(self, iam, url, name):
        created = iam.create_open_id_connect_provider(Url=url, ClientIDList=["a"])
        assert created["OpenIDConnectProviderArn"] == arn("oidc-provider", name)


class TestUser:
    """aws_iam_user, aws_iam_access_key, aws_iam_user_login_profile, aws_iam_group, aws_iam_user_group_membership."""

    @pytest.fixture
    def user(self, iam):
        iam.create_user(UserName="ann", Path="/people/", PermissionsBoundary=BOUNDARY, Tags=pairs({"team": "shop"}))
        return "ann"

    def test_what_was_created_is_read_back(self, iam, user):
        read = iam.get_user(UserName=user)["User"]

        assert read.pop("CreateDate")
        assert read.pop("UserId").startswith("AIDA")
        assert read == {
            "UserName": "ann",
            "Path": "/people/",
            "Arn": arn("user", "people/ann"),
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": BOUNDARY},
            "Tags": pairs({"team": "shop"}),
        }

    def test_renamed_and_moved_it_is_still_itself(self, iam, user, aws):
        # given
        key = iam.create_access_key(UserName=user)["AccessKey"]
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=allow("sts:*"))
        iam.create_group(GroupName="staff")
        iam.add_user_to_group(GroupName="staff", UserName=user)
        before = iam.get_user(UserName=user)["User"]

        # when
        iam.update_user(UserName=user, NewUserName="anna", NewPath="/")

        # then
        after = iam.get_user(UserName="anna")["User"]
        assert after["UserId"] == before["UserId"]
        assert after["Arn"] == arn("user", "anna")
        assert iam.list_user_policies(UserName="anna")["PolicyNames"] == ["p"]
        assert iam.get_group(GroupName="staff")["Users"][0]["UserName"] == "anna"
        assert iam.list_access_keys(UserName="anna")["AccessKeyMetadata"][0]["AccessKeyId"] == key["AccessKeyId"]
        assert refusal(iam.get_user, UserName=user)[:2] == (404, "NoSuchEntity")
        # and its key still signs, for the new name
        assert aws.client("sts", key).get_caller_identity()["Arn"] == arn("user", "anna")

    def test_a_key_is_switched_off_and_on_and_deleted(self, iam, user, aws):
        key = iam.create_access_key(UserName=user)["AccessKey"]
        caller = aws.client("sts", key)
        assert key["Status"] == "Active"
        assert caller.get_caller_identity()["Arn"] == arn("user", "people/ann")

        iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Inactive")
        assert refusal(caller.get_caller_identity)[1] == "InvalidClientTokenId"
        listed = iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
        assert [(entry["AccessKeyId"], entry["Status"]) for entry in listed] == [(key["AccessKeyId"], "Inactive")]
        assert "SecretAccessKey" not in listed[0]

        iam.update_access_key(UserName=user, AccessKeyId=key["AccessKeyId"], Status="Active")
        assert caller.get_caller_identity()["UserId"] == iam.get_user(UserName=user)["User"]["UserId"]

        iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        assert refusal(caller.get_caller_identity)[1] == "InvalidClientTokenId"
        assert iam.list_access_keys(UserName=user)["AccessKeyMetadata"] == []

    def test_a_group_and_its_members(self, iam, user):
        iam.create_group(GroupName="staff", Path="/people/")
        iam.add_user_to_group(GroupName="staff", UserName=user)
        iam.add_user_to_group(GroupName="staff", UserName=user)
        iam.attach_group_policy(GroupName="staff", PolicyArn=READ_ONLY)

        group = iam.get_group(GroupName="staff")
        assert group["Group"]["Arn"] == arn("group", "people/staff")
        assert [member["UserName"] for member in group["Users"]] == ["ann"]
        assert [entry["GroupName"] for entry in iam.list_groups_for_user(UserName=user)["Groups"]] == ["staff"]

        iam.update_group(GroupName="staff", NewGroupName="crew")
        assert [entry["GroupName"] for entry in iam.list_groups_for_user(UserName=user)["Groups"]] == ["crew"]
        attached = iam.list_attached_group_policies(GroupName="crew")["AttachedPolicies"]
        assert [entry["PolicyArn"] for entry in attached] == [READ_ONLY]

    def test_destroy_with_force(self, iam, user):
        # given all that force_destroy looks for
        iam.create_access_key(UserName=user)
        iam.create_login_profile(UserName=user, Password="Correct-Horse-7")
        iam.create_group(GroupName="staff")
        iam.add_user_to_group(GroupName="staff", UserName=user)
        iam.attach_user_policy(UserName=user, PolicyArn=READ_ONLY)
        iam.put_user_policy(UserName=user, PolicyName="p", PolicyDocument=allow("s3:GetObject"))

        # when
        for group in iam.list_groups_for_user(UserName=user)["Groups"]:
            iam.remove_user_from_group(GroupName=group["GroupName"], UserName=user)
        for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=user, AccessKeyId=key["AccessKeyId"])
        for attached in iam.list_attached_user_policies(UserName=user)["AttachedPolicies"]:
            iam.detach_user_policy(UserName=user, PolicyArn=attached["PolicyArn"])
        for name in iam.list_user_policies(UserName=user)["PolicyNames"]:
            iam.delete_user_policy(UserName=user, PolicyName=name)
        assert iam.list_mfa_devices(UserName=user)["MFADevices"] == []
        assert iam.list_service_specific_credentials(UserName=user)["ServiceSpecificCredentials"] == []
        assert iam.list_ssh_public_keys(UserName=user)["SSHPublicKeys"] == []
        assert iam.list_signing_certificates(UserName=user)["Certificates"] == []
        iam.delete_login_profile(UserName=user)
        iam.delete_user(UserName=user)

        # then
        assert iam.list_users()["Users"] == []


class TestPolicy:
    """aws_iam_policy."""

    ARN = arn("policy", "shop/read")

    @pytest.fixture
    def policy(self, iam):
        created = iam.create_policy(
            PolicyName="read",
            Path="/shop/",
            Description="Reads",
            PolicyDocument=allow("s3:GetObject"),
            Tags=pairs({"a": "b"}),
        )
        assert created["Policy"]["Arn"] == self.ARN
        return self.ARN

    def test_what_was_created_is_read_back(self, iam, policy):
        read = iam.get_policy(PolicyArn=policy)["Policy"]

        assert read.pop("CreateDate") == read.pop("UpdateDate")
        assert read.pop("PolicyId").startswith("ANPA")
        assert read == {
            "PolicyName": "read",
            "Path": "/shop/",
            "Arn": policy,
            "Description": "Reads",
            "DefaultVersionId": "v1",
            "AttachmentCount": 0,
            "PermissionsBoundaryUsageCount": 0,
            "IsAttachable": True,
            "Tags": pairs({"a": "b"}),
        }
        version = iam.get_policy_version(PolicyArn=policy, VersionId="v1")["PolicyVersion"]
        assert version["Document"] == json.loads(allow("s3:GetObject"))

    def test_a_new_document_is_a_new_version_and_the_oldest_makes_room(self, iam, policy):
        for number in range(2, 7):
            if len(iam.list_policy_versions(PolicyArn=policy)["Versions"]) == 5:
                oldest = min(
                    (
                        entry
                        for entry in iam.list_policy_versions(PolicyArn=policy)["Versions"]
                        if not entry["IsDefaultVersion"]
                    ),
                    key=lambda entry: int(entry["VersionId"][1:]),
                )
                iam.delete_policy_version(PolicyArn=policy, VersionId=oldest["VersionId"])
            made = iam.create_policy_version(
                PolicyArn=policy, PolicyDocument=allow(f"s3:Get{number}"), SetAsDefault=True
            )
            assert made["PolicyVersion"]["VersionId"] == f"v{number}"

        versions = iam.list_policy_versions(PolicyArn=policy)["Versions"]
        assert [entry["VersionId"] for entry in versions] == ["v6", "v5", "v4", "v3", "v2"]
        assert iam.get_policy(PolicyArn=policy)["Policy"]["DefaultVersionId"] == "v6"

    def test_a_version_number_is_never_given_again(self, iam, policy):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=allow("s3:PutObject"))
        iam.delete_policy_version(PolicyArn=policy, VersionId="v2")
        made = iam.create_policy_version(PolicyArn=policy, PolicyDocument=allow("s3:PutObject"))
        assert made["PolicyVersion"]["VersionId"] == "v3"

    def test_going_back_is_choosing_an_old_version(self, iam, policy):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=allow("s3:PutObject"), SetAsDefault=True)
        iam.set_default_policy_version(PolicyArn=policy, VersionId="v1")
        versions = iam.list_policy_versions(PolicyArn=policy)["Versions"]
        assert {entry["VersionId"]: entry["IsDefaultVersion"] for entry in versions} == {"v1": True, "v2": False}

    def test_attachments_are_counted_and_listed(self, iam, policy):
        iam.create_user(UserName="ann", PermissionsBoundary=policy)
        iam.create_group(GroupName="staff")
        iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
        iam.attach_group_policy(GroupName="staff", PolicyArn=policy)
        iam.attach_role_policy(RoleName="app", PolicyArn=policy)

        read = iam.get_policy(PolicyArn=policy)["Policy"]
        assert (read["AttachmentCount"], read["PermissionsBoundaryUsageCount"]) == (2, 1)
        entities = iam.list_entities_for_policy(PolicyArn=policy)
        assert [entry["UserName"] for entry in entities["PolicyUsers"]] == ["ann"]
        assert [entry["GroupName"] for entry in entities["PolicyGroups"]] == ["staff"]
        assert [entry["RoleName"] for entry in entities["PolicyRoles"]] == ["app"]
        permissions = iam.list_entities_for_policy(PolicyArn=policy, PolicyUsageFilter="PermissionsPolicy")
        assert permissions["PolicyUsers"] == []
        used = iam.list_policies(Scope="Local", OnlyAttached=True)["Policies"]
        assert [entry["Arn"] for entry in used] == [policy]

    def test_destroy_deletes_the_versions_first(self, iam, policy):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=allow("s3:PutObject"), SetAsDefault=True)
        for version in iam.list_policy_versions(PolicyArn=policy)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=policy, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=policy)
        assert iam.list_policies(Scope="Local")["Policies"] == []


class TestInstanceProfile:
    """aws_iam_instance_profile."""

    def test_create_change_the_role_and_destroy(self, iam):
        # given
        iam.create_role(RoleName="old", AssumeRolePolicyDocument=EC2)
        iam.create_role(RoleName="new", AssumeRolePolicyDocument=EC2)
        iam.create_instance_profile(InstanceProfileName="app", Path="/shop/", Tags=pairs({"team": "shop"}))
        iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="old")

        # then it is read back
        read = iam.get_instance_profile(InstanceProfileName="app")["InstanceProfile"]
        assert read["Arn"] == arn("instance-profile", "shop/app")
        assert read["InstanceProfileId"].startswith("AIPA")
        assert [role["RoleName"] for role in read["Roles"]] == ["old"]
        assert read["Tags"] == pairs({"team": "shop"})

        # when another role takes the place
        iam.remove_role_from_instance_profile(InstanceProfileName="app", RoleName="old")
        iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="new")

        # then
        read = iam.get_instance_profile(InstanceProfileName="app")["InstanceProfile"]
        assert [role["Arn"] for role in read["Roles"]] == [arn("role", "new")]
        assert iam.list_instance_profiles_for_role(RoleName="old")["InstanceProfiles"] == []

        # when
        iam.remove_role_from_instance_profile(InstanceProfileName="app", RoleName="new")
        iam.delete_instance_profile(InstanceProfileName="app")

        # then
        assert iam.list_instance_profiles()["InstanceProfiles"] == []

    def test_waiters_find_what_exists(self, iam):
        iam.create_role(RoleName="app", AssumeRolePolicyDocument=EC2)
        iam.create_user(UserName="ann")
        iam.create_instance_profile(InstanceProfileName="app")
        policy = iam.create_policy(PolicyName="read", PolicyDocument=allow("s3:GetObject"))["Policy"]["Arn"]
        once = {"MaxAttempts": 1}

        iam.get_waiter("role_exists").wait(RoleName="app", WaiterConfig=once)
        iam.get_waiter("user_exists").wait(UserName="ann", WaiterConfig=once)
        iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="app", WaiterConfig=once)
        iam.get_waiter("policy_exists").wait(PolicyArn=policy, WaiterConfig=once)


def test_the_provider_learns_its_account_at_the_start(aws):
    assert aws.client("sts").get_caller_identity()["Account"] == ACCOUNT
    assert aws.client("iam").get_user()["User"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"
