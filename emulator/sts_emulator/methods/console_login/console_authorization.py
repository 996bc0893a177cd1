"""Operations on an account's policy for AWS Sign-In, and on whether it is enforced.

Sources: docs/aws/console-sign-in.md, "Console access control"; what is ours there is marked so.
"""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import organizations
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login import console_policies
from sts_emulator.methods.console_login.console_policies import PermissionStatement
from sts_emulator.methods.console_login.sign_in_errors import (
    INSUFFICIENT_PERMISSIONS,
    LISTING,
    conflict,
    denied,
    invalid,
    not_found,
)
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_HOME: Final = "us-east-1"
_MOST: Final = 100  # statements of an account: AWS publishes no number
_NETWORKS: Final = ("sourceVpc", "signinSourceVpce", "consoleSourceVpce")


@operation("signin", "PutResourcePermissionStatement")
def put_resource_permission_statement(
    ctx: Context,
    *,
    sourceVpc: str = "",
    signinSourceVpce: str = "",
    consoleSourceVpce: str = "",
    vpcSourceIp: str = "",
    sourceIp: str = "",
    requestedRegion: str = "",
    excludedPrincipal: str = "",
    clientToken: str = "",
) -> Result:
    """Deny sign-ins that come from anywhere else, but for the excluded principal."""
    _write(ctx, "PutResourcePermissionStatement")
    given = {
        "sourceVpc": sourceVpc,
        "signinSourceVpce": signinSourceVpce,
        "consoleSourceVpce": consoleSourceVpce,
        "vpcSourceIp": vpcSourceIp,
        "sourceIp": sourceIp,
        "requestedRegion": requestedRegion,
        "excludedPrincipal": excludedPrincipal,
    }
    asked = {name: value for name, value in given.items() if value}
    _check(asked)
    account = ctx.identity.account
    known = console_policies.statements(ctx.world, account)
    same = next((statement for statement in known if clientToken and statement["client_token"] == clientToken), None)
    if same is not None and same["asked"] != asked:
        raise conflict("The client token was used for another statement")
    if same is None and len(known) >= _MOST:
        message = f"An account has at most {_MOST} permission statements"
        raise AwsError("ServiceQuotaExceededException", message, members={"error": "SERVICE_QUOTA_EXCEEDED"})
    return {"statementId": (same or _add(ctx, asked, clientToken))["sid"]}


@operation("signin", "DeleteResourcePermissionStatement")
def delete_resource_permission_statement(ctx: Context, *, statementId: str, clientToken: str = "") -> None:
    del clientToken  # who deletes twice is told that there is none, as the model has it
    _write(ctx, "DeleteResourcePermissionStatement")
    if ctx.world.take(console_policies.STATEMENT, f"{ctx.identity.account}/{statementId}") is None:
        raise not_found("The permission statement was not found.")


@operation("signin", "ListResourcePermissionStatements")
def list_resource_permission_statements(ctx: Context, *, maxResults: int = LISTING.size, nextToken: str = "") -> Result:
    authorize(ctx, "signin:ListResourcePermissionStatements", "*")
    known, rest = LISTING.rows(ctx, console_policies.STATEMENT, f"{ctx.identity.account}/", nextToken, maxResults)
    shown: list[Result] = [
        {"sid": statement["sid"], "condition": console_policies.condition(statement)} for statement in known
    ]
    return {"permissionStatements": shown, **rest}


@operation("signin", "GetResourcePolicy")
def get_resource_policy(ctx: Context) -> Result:
    """The whole policy, also while it is not enforced."""
    authorize(ctx, "signin:GetResourcePolicy", "*")
    known = console_policies.statements(ctx.world, ctx.identity.account)
    if not known:
        raise not_found("The account has no resource policy.")
    shown = [{name.lower(): value for name, value in entry.items()} for entry in console_policies.entries(known)]
    return {"signinResourceBasedPolicy": {"version": console_policies.VERSION, "statement": shown}}


@operation("signin", "PutConsoleAuthorizationConfiguration")
def put_console_authorization_configuration(ctx: Context, *, targetId: str = "") -> Result:
    """Enforce the policies of an account, or those of all accounts of the organization."""
    _write(ctx, "PutConsoleAuthorizationConfiguration")
    target, scope = _target(ctx, targetId)
    if ctx.world.get(console_policies.AUTHORIZATION, target) is not None:
        raise conflict("Console authorization is enabled already.")
    now = int(ctx.world.now())
    enabled = console_policies.ConsoleAuthorization(target=target, scope=scope, enabled=now)
    ctx.world.add(console_policies.AUTHORIZATION, target, enabled)
    return _told(target, scope, enabled=True)


@operation("signin", "GetConsoleAuthorizationConfiguration")
def get_console_authorization_configuration(ctx: Context, *, targetId: str = "") -> Result:
    authorize(ctx, "signin:GetConsoleAuthorizationConfiguration", "*")
    target, scope = _target(ctx, targetId)
    return _told(target, scope, enabled=ctx.world.get(console_policies.AUTHORIZATION, target) is not None)


@operation("signin", "DeleteConsoleAuthorizationConfiguration")
def delete_console_authorization_configuration(ctx: Context, *, targetId: str = "") -> Result:
    """Sign-ins are free again; the statements stay."""
    _write(ctx, "DeleteConsoleAuthorizationConfiguration")
    target, scope = _target(ctx, targetId)
    if ctx.world.take(console_policies.AUTHORIZATION, target) is None:
        raise not_found("Console authorization is not enabled.")
    return _told(target, scope, enabled=False)


# -- parts --------------------------------------------------------------------------------------------------------


def _write(ctx: Context, name: str) -> None:
    """Raises AwsError: AccessDenied; ValidationException: AWS takes changes in one Region only."""
    authorize(ctx, f"signin:{name}", "*")
    if ctx.region != _HOME:
        raise invalid(f"{name} must be called in {_HOME}")


def _check(asked: Mapping[str, str]) -> None:
    """Raises AwsError: ValidationException."""
    networks = [name for name in _NETWORKS if name in asked]
    if not set(asked) - {"excludedPrincipal"}:
        raise invalid("A statement needs a network, an address or a Region")
    if networks and "requestedRegion" not in asked:
        raise invalid(f"requestedRegion is required with {networks[0]}")
    if "vpcSourceIp" in asked and not networks:
        raise invalid("vpcSourceIp goes with sourceVpc or a VPC endpoint only")
    for name in ("sourceIp", "vpcSourceIp"):
        try:
            ipaddress.ip_network(asked.get(name, "0.0.0.0/0"), strict=False)
        except ValueError:
            raise invalid(f"{name} is neither an address nor a range of addresses") from None


def _add(ctx: Context, asked: dict[str, str], client_token: str) -> PermissionStatement:
    sid = base64.b64encode(os.urandom(48), altchars=b"AB").decode()
    account = ctx.identity.account
    statement: PermissionStatement = {"account": account, "sid": sid, "asked": asked, "client_token": client_token}
    ctx.world.add(console_policies.STATEMENT, f"{account}/{sid}", statement)
    return statement


def _target(ctx: Context, target: str) -> tuple[str, str]:
    """The target and its scope, which the caller must own: its account, or as management account its organization.

    Raises:
        AwsError: AccessDeniedException.
    """
    account = ctx.identity.account
    if target in ("", account):
        return account, "ACCOUNT"
    org = organizations.organization(ctx.world)
    own = org is not None and org["management"] == account
    if org is not None and own and (target == org["id"] or org["parents"].get(account, "") == target):
        return target, "ORGANIZATION"
    raise denied(INSUFFICIENT_PERMISSIONS, f"{target} is neither your account nor an organization that you manage")


def _told(target: str, scope: str, *, enabled: bool) -> JsonObject:
    return {"targetId": target, "scope": scope, "consoleAuthorizationEnabled": enabled}
