"""Which accounts administer a service for the whole organization in the management account's place.

The services here that heed it are IAM Identity Center and the account access manager; any may be registered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Unpack

from sts_emulator.accounts.organizations import IDENTITY_CENTER
from sts_emulator.core.errors import AwsError
from sts_emulator.organizations.membership import Org, Paging, change, constraint, manage, page, without
from sts_emulator.organizations.structure import known_account, shown_account
from sts_emulator.organizations.trusted_access import service_keys
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("organizations", "RegisterDelegatedAdministrator")
def register_delegated_administrator(ctx: Context, *, AccountId: str, ServicePrincipal: str) -> Result:
    """Let a member account administer a service."""
    org = manage(ctx, "RegisterDelegatedAdministrator", AccountId, keys=service_keys(ServicePrincipal))
    if known_account(org, AccountId) == org["management"]:
        message = "You cannot register master account/yourself as delegated administrator for your organization."
        raise constraint("CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR", message)
    accounts = _accounts(org, ServicePrincipal)
    if AccountId in accounts:
        message = "The provided account is already a delegated administrator for your organization."
        raise AwsError("AccountAlreadyRegisteredException", message)
    if accounts and ServicePrincipal == IDENTITY_CENTER:  # its user guide, "Delegated administration": one account
        message = "You have reached the maximum number of delegated administrators for this service."
        raise constraint("MAX_DELEGATED_ADMINISTRATORS_FOR_SERVICE_LIMIT_EXCEEDED", message)
    _store(ctx, ServicePrincipal, {**accounts, AccountId: int(ctx.world.now())})
    return {}


@operation("organizations", "DeregisterDelegatedAdministrator")
def deregister_delegated_administrator(ctx: Context, *, AccountId: str, ServicePrincipal: str) -> Result:
    """Let it do so no longer."""
    org = manage(ctx, "DeregisterDelegatedAdministrator", AccountId, keys=service_keys(ServicePrincipal))
    accounts = _accounts(org, ServicePrincipal)
    if known_account(org, AccountId) not in accounts:
        raise _unregistered()
    _store(ctx, ServicePrincipal, without(accounts, AccountId))
    return {}


@operation("organizations", "ListDelegatedAdministrators")
def list_delegated_administrators(
    ctx: Context, *, ServicePrincipal: str | None = None, **paging: Unpack[Paging]
) -> Result:
    org = manage(ctx, "ListDelegatedAdministrators")
    since: dict[str, int] = {}
    for service, accounts in org.get("delegated", {}).items():
        if ServicePrincipal in (None, service):
            since |= {account: min(moment, since.get(account, moment)) for account, moment in accounts.items()}
    shown = [{**_brief(ctx, org, account), "DelegationEnabledDate": since[account]} for account in sorted(since)]
    return page(ctx, "DelegatedAdministrators", shown, paging)


@operation("organizations", "ListDelegatedServicesForAccount")
def list_delegated_services_for_account(ctx: Context, *, AccountId: str, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListDelegatedServicesForAccount", AccountId)
    known_account(org, AccountId)
    services = [
        {"ServicePrincipal": name, "DelegationEnabledDate": accounts[AccountId]}
        for name, accounts in sorted(org.get("delegated", {}).items())
        if AccountId in accounts
    ]
    if not services:
        raise _unregistered()
    return page(ctx, "DelegatedServices", services, paging)


def _accounts(org: Org, service: str) -> Mapping[str, int]:
    return org.get("delegated", {}).get(service, {})


def _store(ctx: Context, service: str, accounts: Mapping[str, int]) -> None:
    change(ctx, lambda body: {**body, "delegated": {**body.get("delegated", {}), service: accounts}})


def _brief(ctx: Context, org: Org, account: str) -> Result:
    shown = shown_account(ctx, org, account)
    return {name: shown[name] for name in ("Id", "Arn", "Email", "Name", "Status", "JoinedMethod", "JoinedTimestamp")}


def _unregistered() -> AwsError:
    message = "The provided account is not a registered delegated administrator for your organization."
    return AwsError("AccountNotRegisteredException", message)
