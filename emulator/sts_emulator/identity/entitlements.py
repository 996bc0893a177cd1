"""Entitlements of the account access manager: which user or group may have which role.

Sources: docs/aws/identity-center.md, "Account access manager", and the model. Its sentences are ours.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import account_access, directory, resources
from sts_emulator.accounts.account_access import AccessApplication, Entitlement
from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.identity import stores
from sts_emulator.identity.access_applications import absent, chosen, find, page, reach
from sts_emulator.identity.permission import invalid, present
from sts_emulator.policy.arns import parse_arn
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_WIRE = {directory.USER: "userId", directory.GROUP: "groupId"}
_KINDS = {member: kind for kind, member in _WIRE.items()}


@operation("account-access", "CreateEntitlement")
def create_entitlement(ctx: Context, *, applicationArn: str, entitlement: Mapping[str, Any]) -> Result:
    """Let a user or group have a role in an account of the organization; once more is the same one.

    Whether AWS looks for the role is not recorded; here it must be there, which is the strict reading.
    """
    application = reach(ctx, applicationArn)
    wanted = chosen(entitlement, "entitlement")
    kind, principal = _principal(wanted["principal"])
    _check_principal(ctx, application, kind, principal)
    _check_role(ctx, wanted["roleArn"])
    meant = (kind, principal, wanted["roleArn"])
    for known in account_access.entitlements(ctx.world, applicationArn):
        if (known["principal_type"], known["principal"], known["role"]) == meant:
            return {"entitlementId": known["id"]}
    made: Entitlement = {
        "id": str(uuid.uuid4()),
        "application": applicationArn,
        "principal_type": kind,
        "principal": principal,
        "role": wanted["roleArn"],
        "created": int(ctx.world.now()),
    }
    ctx.world.add(account_access.ENTITLEMENT, f"{applicationArn}/{made['id']}", made)
    return {"entitlementId": made["id"]}


@operation("account-access", "GetEntitlement")
def get_entitlement(ctx: Context, *, applicationArn: str, entitlementId: str) -> Result:
    reach(ctx, applicationArn)
    known = ctx.world.get(account_access.ENTITLEMENT, f"{applicationArn}/{entitlementId}")
    return {"applicationArn": applicationArn, **_shown(ctx, required(known, absent("entitlement")))}


@operation("account-access", "ListEntitlements")
def list_entitlements(
    ctx: Context,
    *,
    applicationArn: str,
    filter: Mapping[str, Any],  # noqa: A002 - the wire's name
    nextToken: str = "",
    maxResults: int | None = None,
) -> Result:
    """An application's entitlements to which all that the filter says applies; an empty one lists all."""
    reach(ctx, applicationArn)
    wanted = filter.get("principalRole", {})
    principal = _principal(wanted["principal"]) if "principal" in wanted else None
    kept = [
        known
        for known in account_access.entitlements(ctx.world, applicationArn)
        if principal in (None, (known["principal_type"], known["principal"]))
        and wanted.get("roleArn", known["role"]) == known["role"]
        and wanted.get("account", _account(known["role"])) == _account(known["role"])
    ]
    return page(ctx, "entitlements", kept, nextToken, maxResults, lambda known: _shown(ctx, known), of=applicationArn)


@operation("account-access", "DeleteEntitlement")
def delete_entitlement(ctx: Context, *, applicationArn: str, entitlementId: str) -> Result:
    """Take an entitlement away; one that is not there is no error. Running sessions go on."""
    if find(ctx, applicationArn) is not None:
        ctx.world.take(account_access.ENTITLEMENT, f"{applicationArn}/{entitlementId}")
    return {}


def _principal(given: Mapping[str, Any]) -> tuple[str, str]:
    """The kind and id of a principal. Raises AwsError: ValidationException."""
    named = chosen(given, "principal")
    identifier: str = chosen(named, "identityCenter")
    return _KINDS[next(iter(named))], identifier


def _check_principal(ctx: Context, application: AccessApplication, kind: str, principal: str) -> None:
    instance = ctx.world.get(directory.INSTANCE, application["instance"])
    assert instance is not None, "an application goes with its instance"
    noun = kind.capitalize()
    # It looks with its caller's permission: IAM User Guide, "Security in account access manager".
    authorize(ctx, f"identitystore:Describe{noun}", directory.store_arn(instance))
    if stores.principal(ctx.world, instance, kind, principal) is None:
        raise AwsError("ResourceNotFoundException", f"{noun} not found in the identity store.")


def _check_role(ctx: Context, arn: str) -> None:
    if not account_access.is_member(ctx.world, _account(arn)):
        raise invalid("The role's account is not one of the organization.")
    if resources.role_by_arn(ctx.world, arn) is None:
        raise AwsError("ResourceNotFoundException", "The role does not exist.")


def _account(role: str) -> str:
    named = parse_arn(role)
    return named.account if named else ""


def _shown(ctx: Context, known: Entitlement) -> Result:
    account = _account(known["role"])
    details: Result = {
        "principal": {"identityCenter": {_WIRE[known["principal_type"]]: known["principal"]}},
        "roleArn": known["role"],
        "account": account,
        **present({"accountName": resources.account_name(ctx.world, account)}),
    }
    return {
        "entitlementId": known["id"],
        "entitlement": {"principalRole": details},
        "createdAt": known["created"],
    }
