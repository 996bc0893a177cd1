"""Roles from AWS's templates: what comes of them, who may, and what becomes of a role that somebody changed.

Source: docs/aws/iam.md, "Role templates".
"""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from iam_stories import ACCOUNT, EMPTY, allow, arn, document, refusal, result

pytestmark = pytest.mark.scenario(EMPTY)

TEMPLATES = "arn:aws:iam::aws:role-template"
POWER = f"{TEMPLATES}/iam.amazonaws.com/PowerUserRoleTemplate:1"
BACKUP = f"{TEMPLATES}/backup.amazonaws.com/AWSBackupDefaultServiceRoleTemplate:1"
ROTATION = f"{TEMPLATES}/secretsmanager.amazonaws.com/AWSSecretsManagerRotationRoleTemplate:1"
STUDIO = f"{TEMPLATES}/datazone.amazonaws.com/AmazonSageMakerUserIAMPermissiveExecutionRoleTemplate:1"
KEYS = [f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{digit * 8}" for digit in "12"]


@pytest.fixture
def iam(aws):
    return aws.client("iam")


def values(**given: str | list[str]) -> dict:
    return {name: {"Values": value if isinstance(value, list) else [value]} for name, value in given.items()}


LAMBDA = values(AWSServiceName="lambda.amazonaws.com")
SECRET = values(accountId=ACCOUNT, region="us-east-1", resourceType="probe")


class TestTemplates:
    def test_a_template_tells_what_it_makes(self, iam):
        told = iam.get_role_template_version(TemplateArn=POWER)["RoleTemplateVersion"]
        assert (told["TemplateName"], told["MinorVersion"], told["Enabled"]) == ("PowerUserRoleTemplate", 0, True)
        assert told["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/PowerUserAccess"]
        assert told["AssumeRolePolicyDocumentTemplate"]["Statement"][0]["Principal"] == {"Service": "@{AWSServiceName}"}
        required = {parameter["Name"]: parameter["IsRequired"] for parameter in told["ParametersDefinition"]}
        assert required == {"AWSServiceName": True, "RoleName": False}
        assert told["CreateTimestamp"].isoformat() == "2026-06-12T02:57:08+00:00"

    def test_inline_policies_are_told_as_they_will_be(self, iam):
        told = iam.get_role_template_version(TemplateArn=ROTATION, MinorVersion=0)["RoleTemplateVersion"]
        (policy,) = told["InlinePolicyTemplates"]
        assert policy["PolicyDocument"]["Statement"][2]["@Enabled"] == "ADMIN_RESOURCE_ENABLED"

    @pytest.mark.parametrize(
        "asked",
        [
            {"TemplateArn": f"{TEMPLATES}/iam.amazonaws.com/PowerUserRoleTemplate:99"},
            {"TemplateArn": arn("role", "somebody")},
            {"TemplateArn": POWER, "MinorVersion": 999},
            {"TemplateArn": POWER, "MinorVersion": -1},
        ],
    )
    def test_there_are_no_others(self, iam, asked):
        assert refusal(iam.get_role_template_version, **asked)[:2] == (404, "NoSuchEntity")


class TestRoles:
    def test_a_role_comes_of_a_template(self, iam):
        made = iam.acquire_role(TemplateArn=POWER, ReplacementValues=LAMBDA)["Role"]
        assert (made["RoleName"], made["Path"]) == ("PowerUserRole", "/")
        assert "SourceRoleTemplate" not in made

        role = iam.get_role(RoleName="PowerUserRole")["Role"]
        assert role["SourceRoleTemplate"] == {"TemplateArn": POWER, "TemplateMinorVersion": 0}
        assert role["Description"] == "Power user role for lambda.amazonaws.com"
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]
        (attached,) = iam.list_attached_role_policies(RoleName="PowerUserRole")["AttachedPolicies"]
        assert attached["PolicyName"] == "PowerUserAccess"
        assert iam.list_roles()["Roles"][0]["SourceRoleTemplate"]["TemplateArn"] == POWER

    def test_a_path_and_a_condition(self, iam):
        made = iam.acquire_role(TemplateArn=BACKUP, ReplacementValues=values(accountId=ACCOUNT, RoleName="mine"))
        assert made["Role"]["Arn"] == arn("role", "service-role/mine")
        trust = iam.get_role(RoleName="mine")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}

    @pytest.mark.parametrize("switch", ["True", "true"])
    def test_statements_are_switched_on(self, iam, switch):
        more = values(ADMIN_RESOURCE_ENABLED=switch, CMK_ENABLED=switch, adminType="admin", kmsKeyArn=KEYS)
        iam.acquire_role(TemplateArn=ROTATION, ReplacementValues={**SECRET, **more})
        name = "AWSSecretsManagerSecretRotationRole"
        policy = iam.get_role_policy(RoleName=name, PolicyName="SecretRotationPermissionPolicy")["PolicyDocument"]
        assert [statement["Sid"] for statement in policy["Statement"]] == [
            "AllowRotationAccessGeneric",
            "AllowPasswordGenerationAccessAdmin",
            "AllowRotationAccess",
            "KMSAccessForCustomerSecret",
        ]
        assert policy["Statement"][3]["Resource"] == KEYS
        assert all("@Enabled" not in statement for statement in policy["Statement"])

    def test_what_is_off_needs_no_values(self, iam):
        iam.acquire_role(TemplateArn=ROTATION, ReplacementValues=SECRET)
        name = "AWSSecretsManagerSecretRotationRole"
        policy = iam.get_role_policy(RoleName=name, PolicyName="SecretRotationPermissionPolicy")["PolicyDocument"]
        assert len(policy["Statement"]) == 2

    def test_the_service_can_use_it(self, aws, iam):
        """A role as any other: its trust policy is decided on."""
        iam.acquire_role(TemplateArn=POWER, ReplacementValues=LAMBDA)
        iam.update_assume_role_policy(
            RoleName="PowerUserRole",
            PolicyDocument=document({"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}),
        )
        iam.create_user(UserName="alice")
        iam.create_access_key(UserName="alice")
        iam.put_user_policy(UserName="alice", PolicyName="all", PolicyDocument=allow("sts:*"))
        sts = aws.client("sts", aws.credentials(user="alice"))
        assert sts.assume_role(RoleArn=arn("role", "PowerUserRole"), RoleSessionName="who")

    @pytest.mark.parametrize(
        ("given", "code", "message"),
        [
            ({}, "InvalidInput", "Failed to render template: Parameter 'AWSServiceName' not found."),
            (
                {**LAMBDA, **values(Colour="red")},
                "InvalidInput",
                "Failed to render template: Unrecognized parameter: Colour",
            ),
            (
                values(AWSServiceName=["a.amazonaws.com", "b.amazonaws.com"]),
                "ValidationError",
                "AWSServiceName replacement value must contain exactly one value, got 2",
            ),
        ],
    )
    def test_values_that_do_not_fit(self, iam, given, code, message):
        assert refusal(iam.acquire_role, TemplateArn=POWER, ReplacementValues=given) == (400, code, message)

    @pytest.mark.parametrize("name", ["with space", "x" * 65, "../up", '"}'])
    def test_a_name_that_is_none(self, iam, name):
        asked = {**LAMBDA, **values(RoleName=name)}
        assert refusal(iam.acquire_role, TemplateArn=POWER, ReplacementValues=asked)[:2] == (400, "ValidationError")

    @pytest.mark.parametrize("service", ["not-a-service", '"},"Effect":"Allow","Principal":"*'])
    def test_a_value_does_not_write_policy(self, iam, service):
        asked = values(AWSServiceName=service)
        assert refusal(iam.acquire_role, TemplateArn=POWER, ReplacementValues=asked)[1] == "MalformedPolicyDocument"
        assert iam.list_roles()["Roles"] == []

    def test_a_policy_that_is_not_in_the_catalogue(self, iam):
        asked = {"TemplateArn": STUDIO, "ReplacementValues": values(accountId=ACCOUNT)}
        assert refusal(iam.acquire_role, **asked)[:2] == (404, "NoSuchEntity")
        assert iam.list_roles()["Roles"] == []


class TestAgain:
    """Asked for again, the role is given again, unless it or what is asked for is another."""

    @pytest.fixture
    def acquire(self, iam):
        def acquire(**more: str) -> dict:
            given = {**LAMBDA, **values(**more)}
            return result(iam.acquire_role(TemplateArn=POWER, ReplacementValues=given))

        acquire()
        return acquire

    def test_the_same_role(self, iam, acquire):
        first = acquire()
        iam.update_role(RoleName="PowerUserRole", Description="mine", MaxSessionDuration=7200)
        assert acquire() == first

    @pytest.mark.parametrize(
        ("operation", "more"),
        [
            ("attach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
            ("detach_role_policy", {"PolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess"}),
            ("put_role_policy", {"PolicyName": "own", "PolicyDocument": allow("s3:*")}),
            ("tag_role", {"Tags": [{"Key": "team", "Value": "shop"}]}),
            (
                "put_role_permissions_boundary",
                {"PermissionsBoundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
            ),
            (
                "update_assume_role_policy",
                {
                    "PolicyDocument": document(
                        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}
                    )
                },
            ),
        ],
    )
    def test_a_changed_one_is_not_managed_any_more(self, iam, acquire, operation, more):
        getattr(iam, operation)(RoleName="PowerUserRole", **more)
        message = "Role PowerUserRole has been modified since it was created and is no longer managed."
        assert refusal(acquire) == (409, "RoleModified", message)

    def test_the_same_trust_in_other_words_is_no_change(self, iam, acquire):
        statement = {
            "Action": ["sts:AssumeRole"],
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com"]},
        }
        same = json.dumps({"Statement": [statement], "Version": "2012-10-17"}, indent=4)
        iam.update_assume_role_policy(RoleName="PowerUserRole", PolicyDocument=same)
        assert acquire()

    @pytest.mark.parametrize("more", [{"AWSServiceName": "ec2.amazonaws.com"}, {"RoleName": "POWERUSERROLE"}])
    def test_other_values_are_another_role(self, acquire, more):
        message = "A role with this name already exists but was not created from this template and parameters."
        assert refusal(acquire, **more) == (409, "NameConflict", message)

    def test_a_role_of_somebody_s_own(self, iam, acquire):
        iam.detach_role_policy(RoleName="PowerUserRole", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
        iam.delete_role(RoleName="PowerUserRole")
        trust = document(
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        )
        iam.create_role(RoleName="PowerUserRole", AssumeRolePolicyDocument=trust)
        iam.attach_role_policy(RoleName="PowerUserRole", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
        assert refusal(acquire)[1] == "NameConflict"


class TestWhoMay:
    @pytest.fixture
    def bob(self, aws, iam):
        """`bob(*statements)`: IAM as bob, who may these."""
        iam.create_user(UserName="bob")
        iam.create_access_key(UserName="bob")

        def client(*statements: dict):
            iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=document(*statements))
            return aws.client("iam", aws.credentials(user="bob"))

        return client

    READ: ClassVar = {"Effect": "Allow", "Action": "iam:GetRoleTemplateVersion", "Resource": POWER}
    OF_TEMPLATE: ClassVar = {"ArnEquals": {"iam:RoleTemplateARN": POWER}}
    ASKED: ClassVar = {"TemplateArn": POWER, "ReplacementValues": LAMBDA}

    def may(self, *actions: str, **condition: dict) -> dict:
        role = arn("role", "*")
        return {
            "Effect": "Allow",
            "Action": list(actions),
            "Resource": role,
            "Condition": {**self.OF_TEMPLATE, **condition},
        }

    def test_what_it_does_is_what_it_takes(self, bob):
        assert refusal(bob(self.may("iam:CreateRole", "iam:AttachRolePolicy")).acquire_role, **self.ASKED)[0] == 403
        assert refusal(bob(self.READ, self.may("iam:CreateRole")).acquire_role, **self.ASKED)[0] == 403
        power = {"iam:PolicyARN": "arn:aws:iam::aws:policy/PowerUserAccess"}
        attach = self.may("iam:AttachRolePolicy", ArnEquals={**self.OF_TEMPLATE["ArnEquals"], **power})
        may = bob(self.READ, self.may("iam:CreateRole"), attach)
        assert may.acquire_role(**self.ASKED)

    def test_reading_is_enough_for_one_that_is_there(self, iam, bob):
        iam.acquire_role(**self.ASKED)
        assert bob(self.READ, self.may("iam:GetRole")).acquire_role(**self.ASKED)
        assert refusal(bob(self.READ).acquire_role, **self.ASKED)[0] == 403
        assert refusal(bob(self.may("iam:GetRole")).get_role, RoleName="PowerUserRole")[0] == 403

    def test_all_use_of_templates_is_denied_by_its_key(self, bob):
        """UG id_roles_create_role-manager_enable-use, `DenyTemplatedRoleCreation`."""
        everything = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}
        deny = {**everything, "Effect": "Deny", "Condition": {"Null": {"iam:RoleTemplateARN": "false"}}}
        client = bob(everything, deny)
        assert client.get_role_template_version(TemplateArn=POWER)
        assert refusal(client.acquire_role, **self.ASKED)[:2] == (403, "AccessDenied")
        trust = document(
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        )
        assert client.create_role(RoleName="plain", AssumeRolePolicyDocument=trust)


def test_the_trail_has_one_event(aws, iam):
    iam.acquire_role(TemplateArn=POWER, ReplacementValues=LAMBDA)
    event = aws.events()[-1]
    assert (event["eventName"], event["readOnly"]) == ("AcquireRole", False)
    assert event["requestParameters"]["replacementValues"] == {"AWSServiceName": {"values": ["lambda.amazonaws.com"]}}
    assert event["responseElements"]["role"]["roleName"] == "PowerUserRole"
