"""What the stories of the account access manager share: an organization with roles, its owner, and people's tokens."""

from __future__ import annotations

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from sso_lab import DEV, PROD, Tool

SERVICE = "account-access.amazonaws.com"
SCOPES = ["account_access:read_only", "account_access:assume"]
BUILD, DEPLOY, PLAIN, BARE = (
    f"arn:aws:iam::{DEV}:role/build",
    f"arn:aws:iam::{PROD}:role/team/deploy",
    f"arn:aws:iam::{DEV}:role/plain",
    f"arn:aws:iam::{DEV}:role/bare",
)
_ALL = '["sts:AssumeRole", "sts:SetContext", "sts:TagSession"]'
_TRUST = f"{{Effect: Allow, Principal: {{Service: {SERVICE}}}, Action: {_ALL}"
_BOUND = f'{_TRUST}, Condition: {{StringEquals: {{"aws:SourceAccount": "{DEV}"}}}}}}'

SCENARIO = f"""
organization: {{management: "{DEV}", accounts: {{"{PROD}": {{}}}}}}
identity_center:
  start_url: https://d-9067000000.awsapps.com/start
  groups: {{builders: {{}}}}
  users: {{jane: {{groups: builders}}, omar: {{}}}}
accounts:
  "{DEV}":
    name: dev
    users:
      alice: {{}}
      reader: {{inline: {{read: [{{Effect: Allow, Action: ["account-access:List*", "account-access:Get*"], Resource: "*"}}]}}}}
      manager: {{inline: {{all: [{{Effect: Allow, Action: "account-access:*", Resource: "*"}}]}}}}
    roles:
      build: {{max_session_duration: 7200, trust: [{_BOUND}]}}
      plain: {{trust: [{{Effect: Allow, Principal: {{AWS: "{DEV}"}}, Action: "sts:AssumeRole"}}]}}
      bare: {{trust: [{{Effect: Allow, Principal: {{Service: {SERVICE}}}, Action: ["sts:AssumeRole", "sts:SetContext"]}}]}}
  "{PROD}":
    name: prod
    roles: {{deploy: {{path: /team/, trust: [{_TRUST}}}]}}}}
  "777788889999": {{roles: {{other: {{trust: [{_TRUST}}}]}}}}}}
"""


class Firm:
    """The owner's clients, and an application if one is wanted."""

    def __init__(self, aws) -> None:
        self.aws = aws
        self.owner = aws.credentials(account=DEV)
        self.manager = aws.client("account-access", self.owner)
        self.sso = aws.client("sso-admin", self.owner)
        self.store = aws.client("identitystore", self.owner)
        self.organizations = aws.client("organizations", self.owner)
        (instance,) = self.sso.list_instances()["Instances"]
        self.instance, self.directory = instance["InstanceArn"], instance["IdentityStoreId"]
        self.source = {"identityCenter": {"instanceArn": self.instance}}

    def abroad(self):
        """The owner's client in another Region."""
        return self.aws.client("account-access", self.owner, region_name="eu-west-1")

    def enable(self, **more) -> str:
        self.organizations.enable_aws_service_access(ServicePrincipal=SERVICE)
        self.application = self.manager.create_application(identitySource=self.source, **more)["applicationArn"]
        self.tenant = self.manager.get_application(applicationArn=self.application)["tenantId"]
        return self.application

    def user(self, name: str) -> str:
        attribute = {"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": name}}
        return self.store.get_user_id(IdentityStoreId=self.directory, AlternateIdentifier=attribute)["UserId"]

    def group(self, name: str) -> str:
        attribute = {"UniqueAttribute": {"AttributePath": "displayName", "AttributeValue": name}}
        return self.store.get_group_id(IdentityStoreId=self.directory, AlternateIdentifier=attribute)["GroupId"]

    def wish(self, role: str, *, user: str = "", group: str = "") -> dict:
        """The parameters of CreateEntitlement."""
        principal = {"userId": self.user(user)} if user else {"groupId": self.group(group)}
        mapping = {"principal": {"identityCenter": principal}, "roleArn": role}
        return {"applicationArn": self.application, "entitlement": {"principalRole": mapping}}

    def entitle(self, role: str, **who: str) -> str:
        return self.manager.create_entitlement(**self.wish(role, **who))["entitlementId"]

    def token(self, user: str, scopes: list[str] = SCOPES) -> str:
        """An access token, by device code."""
        return Tool(self.aws, scopes=scopes).sign_in(user)["accessToken"]

    def runtime(self, token: str):
        """A client of the runtime that sends a token; without one it sends none.

        botocore signs with bearer tokens over https only, so here the header is added (test_account_access_by_https
        does without).
        """
        client = boto3.client(
            "account-access-runtime",
            endpoint_url=self.aws.endpoint_url,
            region_name="us-east-1",
            config=Config(signature_version=UNSIGNED),
        )

        def bear(request, **_) -> None:
            request.headers["Authorization"] = f"Bearer {token}"

        if token:
            client.meta.events.register("before-sign.account-access-runtime", bear)
        return client

    def ask(self, role: str, **more) -> dict:
        return {"tenantId": self.tenant, "roleArn": role, "accessType": "PROGRAMMATIC_ACCESS", **more}
