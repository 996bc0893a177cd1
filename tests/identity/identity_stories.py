"""What the stories of Identity Center share: an organization of two accounts, an instance, and clients of its owner."""

from __future__ import annotations

import json

import pytest

MANAGEMENT, MEMBER, OTHER = "111122223333", "444455556666", "777788889999"
START = "https://d-9067000000.awsapps.com/start"
STORE = "d-9067000000"
ORGANIZATION = f"""
organization:
  management: "{MANAGEMENT}"
  accounts: {{"{MEMBER}": {{}}}}
accounts:
  "{MANAGEMENT}":
    name: dev
    users: {{eve: {{inline: {{read: [{{Effect: Allow, Action: "sso:List*", Resource: "*"}}]}}}}}}
  "{MEMBER}": {{name: prod}}
  "{OTHER}": {{name: stranger}}
"""
EMPTY = f"""
{ORGANIZATION}
identity_center: {{start_url: {START}}}
"""
STAFFED = f"""
{ORGANIZATION}
identity_center:
  start_url: {START}
  users:
    jane: {{given_name: Jane, family_name: Doe, email: jane@example.com, groups: developers}}
    omar: {{}}
  groups: {{developers: {{description: Who writes}}}}
  permission_sets:
    Developer: {{session_duration: PT8H, policies: PowerUserAccess}}
    ReadOnly: {{policies: ReadOnlyAccess}}
  assignments:
    - {{groups: developers, permission_sets: Developer, accounts: "{MANAGEMENT}"}}
    - {{users: jane, permission_sets: ReadOnly, accounts: "{MEMBER}"}}
"""
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})


class Lab:
    """Clients of the instance's owner, and the ids that every call needs."""

    def __init__(self, aws):
        self.aws = aws
        owner = aws.credentials(account=MANAGEMENT)
        self.sso = aws.client("sso-admin", owner)
        self.store = aws.client("identitystore", owner)
        (self.instance,) = self.sso.list_instances()["Instances"]
        self.arn = self.instance["InstanceArn"]
        self.of = {"InstanceArn": self.arn}
        self.of_store = {"IdentityStoreId": self.instance["IdentityStoreId"]}

    def user(self, name: str) -> str:
        """The id of a user."""
        attribute = {"AttributePath": "userName", "AttributeValue": name}
        return self.store.get_user_id(**self.of_store, AlternateIdentifier={"UniqueAttribute": attribute})["UserId"]

    def new_user(self, name: str, **more) -> str:
        made = self.store.create_user(
            **self.of_store, UserName=name, DisplayName=name, Name={"GivenName": name, "FamilyName": "Doe"}, **more
        )
        return made["UserId"]

    def new_set(self, name: str, **more) -> str:
        return self.sso.create_permission_set(**self.of, Name=name, **more)["PermissionSet"]["PermissionSetArn"]

    def set(self, name: str) -> str:
        """The ARN of a permission set."""
        arns = self.sso.list_permission_sets(**self.of)["PermissionSets"]
        shown = [self.sso.describe_permission_set(**self.of, PermissionSetArn=arn)["PermissionSet"] for arn in arns]
        return next(known["PermissionSetArn"] for known in shown if known["Name"] == name)

    def assign(self, permission_set: str, user: str, account: str = MEMBER, kind: str = "USER") -> dict:
        """Assign, and how that ended."""
        made = self.sso.create_account_assignment(**self.assignment(permission_set, user, account, kind))
        pending = made["AccountAssignmentCreationStatus"]
        assert pending["Status"] == "IN_PROGRESS"
        return self.sso.describe_account_assignment_creation_status(
            **self.of, AccountAssignmentCreationRequestId=pending["RequestId"]
        )["AccountAssignmentCreationStatus"]

    def unassign(self, permission_set: str, user: str, account: str = MEMBER, kind: str = "USER") -> dict:
        made = self.sso.delete_account_assignment(**self.assignment(permission_set, user, account, kind))
        pending = made["AccountAssignmentDeletionStatus"]
        assert pending["Status"] == "IN_PROGRESS"
        return self.sso.describe_account_assignment_deletion_status(
            **self.of, AccountAssignmentDeletionRequestId=pending["RequestId"]
        )["AccountAssignmentDeletionStatus"]

    def provision(self, permission_set: str, account: str = "") -> dict:
        target = (
            {"TargetType": "AWS_ACCOUNT", "TargetId": account}
            if account
            else {"TargetType": "ALL_PROVISIONED_ACCOUNTS"}
        )
        made = self.sso.provision_permission_set(**self.of, PermissionSetArn=permission_set, **target)
        pending = made["PermissionSetProvisioningStatus"]
        assert pending["Status"] == "IN_PROGRESS"
        return self.sso.describe_permission_set_provisioning_status(
            **self.of, ProvisionPermissionSetRequestId=pending["RequestId"]
        )["PermissionSetProvisioningStatus"]

    def assignment(self, permission_set: str, principal: str, account: str, kind: str) -> dict:
        return {
            **self.of,
            "PermissionSetArn": permission_set,
            "TargetId": account,
            "TargetType": "AWS_ACCOUNT",
            "PrincipalType": kind,
            "PrincipalId": principal,
        }

    def iam(self, account: str = MEMBER):
        return self.aws.client("iam", self.aws.credentials(account=account))

    def reserved(self, account: str = MEMBER) -> list[dict]:
        """The account's reserved roles."""
        return self.iam(account).list_roles(PathPrefix="/aws-reserved/")["Roles"]


def refusal(call, *arguments, **parameters) -> tuple[str, str]:
    """Code and message of the refusal."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
