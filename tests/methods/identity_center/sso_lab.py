"""What tests of Identity Center's sign-in share: a directory with jane and omar, and a tool that signs them in."""

from __future__ import annotations

import boto3
from botocore import UNSIGNED
from botocore.config import Config

DEV, PROD = "111122223333", "444455556666"
START_URL = "https://d-9067000000.awsapps.com/start"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ["sso:account:access"]

SCENARIO = """
accounts:
  "111122223333":
    name: dev
    users: {alice: {}}
  "444455556666": {name: prod}
organization:
  management: "111122223333"
  accounts: {"444455556666": {}}
identity_center:
  start_url: https://d-9067000000.awsapps.com/start
  attributes: {Department: enterprise.department}
  groups: {auditors: {}}
  users:
    jane: {}
    omar: {}
    mary: {password: "tr0ub4dor-3-X", totp: {phone: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}}
    gone: {disabled: true}
  permission_sets:
    Developer: {session_duration: PT2H, inline: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
    ReadOnly: {policies: [ReadOnlyAccess]}
  assignments:
    - {users: [jane, mary], permission_sets: [Developer], accounts: ["111122223333"]}
    - {users: [jane], permission_sets: [ReadOnly], accounts: ["444455556666"]}
    - {groups: [auditors], permission_sets: [ReadOnly], accounts: ["111122223333"]}
"""
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


class Tool:
    """A tool such as the AWS CLI, signing somebody in by device code."""

    def __init__(self, aws, **registration) -> None:
        self.aws = aws
        options = {"endpoint_url": aws.endpoint_url, "region_name": "us-east-1"}
        unsigned = Config(signature_version=UNSIGNED)
        self.oidc = boto3.client("sso-oidc", config=unsigned, **options)
        self.portal = boto3.client("sso", config=unsigned, **options)
        wish = {"clientName": "tool", "clientType": "public", "scopes": SCOPES, **registration}
        client = self.oidc.register_client(**wish)
        self.client = {"clientId": client["clientId"], "clientSecret": client["clientSecret"]}

    def start(self, start_url: str = START_URL) -> dict:
        return self.oidc.start_device_authorization(**self.client, startUrl=start_url)

    def token(self, device: dict) -> dict:
        return self.oidc.create_token(**self.client, grantType=DEVICE_CODE, deviceCode=device["deviceCode"])

    def sign_in(self, user: str) -> dict:
        device = self.start()
        self.aws.approve(device["userCode"], user)
        return self.token(device)

    def refresh(self, tokens: dict) -> dict:
        return self.oidc.create_token(**self.client, grantType="refresh_token", refreshToken=tokens["refreshToken"])

    def credentials(self, tokens: dict, account: str = DEV, role: str = "Developer") -> dict:
        answer = self.portal.get_role_credentials(accessToken=tokens["accessToken"], accountId=account, roleName=role)
        return answer["roleCredentials"]


def key_of_credentials(credentials: dict) -> dict[str, str]:
    return {
        "AccessKeyId": credentials["accessKeyId"],
        "SecretAccessKey": credentials["secretAccessKey"],
        "SessionToken": credentials["sessionToken"],
    }
