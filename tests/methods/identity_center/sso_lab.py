"""What tests of Identity Center's sign-in share: a directory with jane and omar, and a tool that signs them in."""

from __future__ import annotations

import json

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from sts_emulator.accounts import directory, documents
from sts_emulator.accounts.resources import key_of
from sts_emulator.core import names
from sts_emulator.core.backends import open_store
from sts_emulator.core.world import World, Worlds

DEV, PROD = "111122223333", "444455556666"
START_URL = "https://d-9067000000.awsapps.com/start"
SSOINS, STORE = "ssoins-1111222233334444", "d-9067000000"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
SCOPES = ["sso:account:access"]


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


def plant(state, name: str) -> None:
    """Fill a world of a state file, until the scenario section is there."""
    store = open_store(str(state))
    world = Worlds(store).get(name)
    with world.unit():
        _directory(world)
        for account, permission_set in ((DEV, "Developer"), (PROD, "ReadOnly")):
            _assign(world, account, permission_set)
    store.close()


def _directory(world: World) -> None:
    world.add(
        directory.INSTANCE,
        SSOINS,
        {
            "id": SSOINS,
            "arn": f"arn:aws:sso:::instance/{SSOINS}",
            "account": DEV,
            "kind": "organization",
            "name": "",
            "created": 0,
            "store": STORE,
            "region": "us-east-1",
            "start_url": START_URL,
            "source": "directory",
            "portal_session": 28800,
            "tags": {},
        },
        uid=STORE,
    )
    for number, user in enumerate(("jane", "omar")):
        identifier = f"00000000-0000-4000-8000-00000000000{number}"
        world.add(
            directory.USERS,
            f"{STORE}/{identifier}",
            {
                "store": STORE,
                "id": identifier,
                "name": user,
                "enabled": True,
                "profile": {"UserName": user},
                "external_ids": [],
                "created": 0,
                "created_by": "",
                "updated": 0,
                "updated_by": "",
                "revision": 1,
            },
            uid=f"{STORE}/{user}",
        )


def _assign(world: World, account: str, name: str) -> None:
    arn = f"arn:aws:sso:::permissionSet/{SSOINS}/ps-{name.lower():0<16.16}"
    instance = world.get(directory.INSTANCE, SSOINS)
    world.add(
        directory.PERMISSION_SET,
        arn,
        {
            "arn": arn,
            "instance": SSOINS,
            "name": name,
            "description": "",
            "created": 0,
            "duration": "PT2H",
            "relay_state": "",
            "managed": [],
            "customer_managed": [],
            "inline": "",
            "tags": {},
        },
    )
    role = f"AWSReservedSSO_{name}_0123456789abcdef"
    world.add(
        directory.PROVISIONED,
        f"{arn}/{account}",
        {
            "account": account,
            "permission_set": arn,
            "role": role,
            "state": "",
            "duration": "PT2H",
            "relay_state": "",
        },
    )
    jane = directory.user_by_name(world, STORE, "jane")
    world.add(
        directory.ASSIGNMENT,
        f"{arn}/{account}/USER/{jane['id']}",
        {
            "account": account,
            "permission_set": arn,
            "principal_type": "USER",
            "principal": jane["id"],
        },
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": directory.provider_arn(instance, account)},
                "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
                "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
            }
        ],
    }
    identifier = names.unique_id("AROA", account)
    path = directory.RESERVED_PATH
    world.add(
        documents.ROLE,
        key_of(account, role),
        {
            "account": account,
            "name": role,
            "path": path,
            "id": identifier,
            "arn": names.iam_arn(account, "role", path, role),
            "created": 0,
            "inline": {},
            "attached": [],
            "tags": {},
            "trust": json.dumps(trust),
            "description": "",
            "max_duration": 43200,
        },
        uid=identifier,
    )


def changed(state, name: str, user: str, members: dict) -> None:
    store = open_store(str(state))
    world = Worlds(store).get(name)
    person = directory.user_by_name(world, STORE, user)
    world.update(directory.USERS, f"{STORE}/{person['id']}", lambda stored: {**stored, **members})
    store.close()
