"""Roles that services own: made on request, named and trusted by rule, changed by nobody."""

from __future__ import annotations

import json
import re
import uuid

from sts_emulator.accounts import documents
from sts_emulator.accounts.managed_policies import PREFIX
from sts_emulator.accounts.resources import key_of
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.nouns import ROLE
from sts_emulator.iam.permits import permit, reach
from sts_emulator.iam.policies.policy_documents import quoted
from sts_emulator.iam.principals import linked_services, roles
from sts_emulator.iam.principals.protected_roles import SERVICE_LINKED, is_service_linked
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

TASK = re.compile(r"task/aws-service-role/[^/]{1,128}/[^/]{1,64}/[0-9a-f-]{36}")


@operation("iam", "CreateServiceLinkedRole")
def create_service_linked_role(
    ctx: Context, *, AWSServiceName: str, Description: str = "", CustomSuffix: str | None = None
) -> Result:
    """Make the role of a service."""
    known = linked_services.find(AWSServiceName)
    path = f"{SERVICE_LINKED}{AWSServiceName}/"
    base = f"AWSServiceRoleFor{known.role}" if known else "*"
    name = f"{base}_{CustomSuffix}" if CustomSuffix else base
    arn = ROLE.arn(ctx.identity.account, path, name)
    permit(ctx, "CreateServiceLinkedRole", arn, {"iam:awsservicename": (AWSServiceName,)})
    if known is None:
        raise AwsError("InvalidInput", f"Service role creation is not supported for service {AWSServiceName}.")
    if CustomSuffix and not known.suffix:
        raise AwsError("InvalidInput", f"Custom suffix is not allowed for {AWSServiceName}")
    if ctx.world.get(ROLE.kind, key_of(ctx.identity.account, name)) is not None:
        raise AwsError(
            "InvalidInput", f"Service role name {name} has been taken in this account, please try a different suffix."
        )
    role = _make(ctx, AWSServiceName, known, name, Description)
    return {"Role": {**roles.shown(ctx.world, role), "AssumeRolePolicyDocument": quoted(role["trust"])}}


def ensure(ctx: Context, service: str) -> None:
    """Make the role of a service that needs one, unless it is there; the caller must be allowed to.

    Raises:
        AwsError: AccessDenied.
    """
    known = linked_services.find(service)
    assert known is not None
    account, name = ctx.identity.account, f"AWSServiceRoleFor{known.role}"
    arn = ROLE.arn(account, f"{SERVICE_LINKED}{service}/", name)
    permit(ctx, "CreateServiceLinkedRole", arn, {"iam:awsservicename": (service,)})
    if ctx.world.get(ROLE.kind, key_of(account, name)) is None:
        _make(ctx, service, known, name, "")


def _make(
    ctx: Context, service: str, known: linked_services.LinkedService, name: str, description: str
) -> documents.Role:
    attached = [f"{PREFIX}aws-service-role/{known.policy}"] if known.policy else []
    path = f"{SERVICE_LINKED}{service}/"
    return roles.add(ctx, path, name, _trust(service), description=description, attached=attached)


@operation("iam", "DeleteServiceLinkedRole")
def delete_service_linked_role(ctx: Context, *, RoleName: str) -> Result:
    """Delete a service's role; no service here holds on to it, so it is gone at once."""
    role = reach(ctx, ROLE, RoleName)
    if not is_service_linked(role):
        raise AwsError("NoSuchEntity", f"{role['name']} exists but is not a service role.")
    service = role["path"].split("/")[2]
    task = f"task/aws-service-role/{service}/{role['name']}/{uuid.uuid4()}"
    ctx.world.take(ROLE.kind, ROLE.key(role))
    deletion = documents.RoleDeletion(account=role["account"], role=role["arn"])
    ctx.world.add(documents.ROLE_DELETION, f"{role['account']}/{task}", deletion)
    return {"DeletionTaskId": task}


@operation("iam", "GetServiceLinkedRoleDeletionStatus")
def get_service_linked_role_deletion_status(ctx: Context, *, DeletionTaskId: str) -> Result:
    """How a deletion went."""
    account = ctx.identity.account
    task = ctx.world.get(documents.ROLE_DELETION, f"{account}/{DeletionTaskId}")
    permit(ctx, "GetServiceLinkedRoleDeletionStatus", task["role"] if task else ROLE.arn(account, "/", "*"))
    if not TASK.fullmatch(DeletionTaskId):
        raise AwsError("InvalidInput", "Invalid task id")
    if task is None:
        raise AwsError("NoSuchEntity", "Cannot find deletion status for given id.")
    return {"Status": "SUCCEEDED"}


def _trust(service: str) -> str:
    """As AWS writes it when it answers the creation: lists, not single values (recorded 2026-09)."""
    statement = {"Action": ["sts:AssumeRole"], "Effect": "Allow", "Principal": {"Service": [service]}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
