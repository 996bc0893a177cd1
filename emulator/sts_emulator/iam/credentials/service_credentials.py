"""Service-specific credentials: user names and passwords, or API keys, that a single service accepts."""

from __future__ import annotations

import base64
import os
from typing import Final, TypedDict, Unpack

from sts_emulator.accounts.documents import User
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import unique_id
from sts_emulator.core.store import Kind
from sts_emulator.iam.nouns import USER, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import permit, reach, reach_user
from sts_emulator.iam.principals import users
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, Wire, operation


class Credential(TypedDict):
    """A user's credential for one service; its secret is not kept."""

    id: str
    owner: str  # a user's unique id
    service: str
    alias: str
    status: str  # Active, Inactive
    created: int
    expires: int  # 0: never


KIND: Final[Kind[Credential]] = Kind("service-credential")  # key: `owner/id`
PER_SERVICE = 2
DAY = 86_400
PASSWORDS = ("codecommit.amazonaws.com", "cassandra.amazonaws.com")
API_KEYS = ("bedrock.amazonaws.com", "logs.amazonaws.com")


@operation("iam", "CreateServiceSpecificCredential")
def create_service_specific_credential(
    ctx: Context, *, UserName: str, ServiceName: str, CredentialAgeDays: int | None = None
) -> Result:
    """A new credential of a user for a service; its secret is shown this once."""
    keys = {"iam:servicespecificcredentialservicename": (ServiceName.lower(),)}
    user = reach(ctx, USER, UserName, keys)
    service = _service(ServiceName)
    same = [credential for credential in _of_user(ctx, user) if credential["service"] == service]
    if len(same) >= PER_SERVICE:
        raise over_quota("ContextSpecificCredentialsPerUserPerContext", PER_SERVICE)
    now = int(ctx.world.now())
    credential: Credential = {
        "id": unique_id("ACCA", user["account"]),
        "owner": user["id"],
        "service": service,
        "alias": f"{user['name']}{_number(user, same)}-at-{user['account']}",
        "status": "Active",
        "created": now,
        "expires": now + CredentialAgeDays * DAY if CredentialAgeDays else 0,
    }
    secret = _secret(service)
    ctx.world.add(KIND, f"{user['id']}/{credential['id']}", credential)
    return {"ServiceSpecificCredential": {**_shown(user, credential), **secret}}


@operation("iam", "ListServiceSpecificCredentials")
def list_service_specific_credentials(
    ctx: Context,
    *,
    UserName: str | None = None,
    ServiceName: str | None = None,
    AllUsers: bool = False,
    **paging: Unpack[Paging],
) -> Result:
    """The credentials of a user, of the caller, or of all users, without their secrets."""
    pairs: list[tuple[User | None, Credential]]
    if AllUsers:
        permit(ctx, "ListServiceSpecificCredentials", "*")
        pairs = [(users.by_id(ctx.world, credential["owner"]), credential) for credential in ctx.world.page(KIND)]
    else:
        user = reach_user(ctx, UserName)
        pairs = [(user, credential) for credential in _of_user(ctx, user)] if user else []
    service = _service(ServiceName) if ServiceName else None
    account = ctx.identity.account
    wanted = [
        (user, credential)
        for user, credential in pairs
        if user is not None and user["account"] == account and service in (None, credential["service"])
    ]
    return page(ctx, "ServiceSpecificCredentials", wanted, paging, lambda pair: _shown(*pair))


@operation("iam", "UpdateServiceSpecificCredential")
def update_service_specific_credential(
    ctx: Context, *, ServiceSpecificCredentialId: str, Status: str, UserName: str | None = None
) -> Result:
    """Switch a credential on or off."""
    user, credential = _find(ctx, UserName, ServiceSpecificCredentialId)
    if Status == "Expired":
        raise AwsError("InvalidInput", f"Operation does not support status {Status}")
    ctx.world.update(KIND, f"{user['id']}/{credential['id']}", lambda body: {**body, "status": Status})
    return {}


@operation("iam", "ResetServiceSpecificCredential")
def reset_service_specific_credential(
    ctx: Context, *, ServiceSpecificCredentialId: str, UserName: str | None = None
) -> Result:
    """A new secret for a credential; everything else stays."""
    user, credential = _find(ctx, UserName, ServiceSpecificCredentialId)
    return {"ServiceSpecificCredential": {**_shown(user, credential), **_secret(credential["service"])}}


@operation("iam", "DeleteServiceSpecificCredential")
def delete_service_specific_credential(
    ctx: Context, *, ServiceSpecificCredentialId: str, UserName: str | None = None
) -> Result:
    user, credential = _find(ctx, UserName, ServiceSpecificCredentialId)
    ctx.world.take(KIND, f"{user['id']}/{credential['id']}")
    return {}


def _service(name: str) -> str:
    service = name.lower()
    if service not in (*PASSWORDS, *API_KEYS):
        raise AwsError("NoSuchEntity", f"No such service {name} is supported for Service Specific Credentials")
    return service


def _of_user(ctx: Context, user: User) -> list[Credential]:
    return sorted(ctx.world.page(KIND, f"{user['id']}/"), key=lambda credential: credential["created"])


def _find(ctx: Context, name: str | None, identifier: str) -> tuple[User, Credential]:
    user = reach_user(ctx, name)
    everything = ctx.world.page(KIND)
    credential = next((credential for credential in everything if credential["id"] == identifier), None)
    if credential is None:
        raise AwsError("NoSuchEntity", f"No such credential {identifier} exists")
    if user is None or credential["owner"] != user["id"]:
        message = f"User {user['name'] if user else 'root'} does not have a service specific credential with id"
        raise AwsError("ValidationError", f"{message} {identifier}")
    return user, credential


def _number(user: User, same: list[Credential]) -> str:
    taken = {credential["alias"] for credential in same}
    return "+1" if f"{user['name']}-at-{user['account']}" in taken else ""


def _secret(service: str) -> dict[str, str]:
    """A secret of the length and members that AWS gives; nothing here accepts it, so it is not kept."""
    if service in PASSWORDS:
        return {"ServicePassword": base64.b64encode(os.urandom(45)).decode()}
    return {"ServiceCredentialSecret": base64.b64encode(os.urandom(111)).decode()}


def _shown(user: User, credential: Credential) -> Result:
    label = "ServiceUserName" if credential["service"] in PASSWORDS else "ServiceCredentialAlias"
    result: dict[str, Wire] = {
        "CreateDate": credential["created"],
        "ServiceName": credential["service"],
        label: credential["alias"],
        "ServiceSpecificCredentialId": credential["id"],
        "UserName": user["name"],
        "Status": credential["status"],
    }
    if credential["expires"]:
        result["ExpirationDate"] = credential["expires"]
    return result
