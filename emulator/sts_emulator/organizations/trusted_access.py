"""Which services may work in all accounts of an organization: kept and listed; here no service does."""

from __future__ import annotations

from typing import Unpack

from sts_emulator.organizations.membership import Paging, change, manage, page, without
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("organizations", "EnableAWSServiceAccess")
def enable_aws_service_access(ctx: Context, *, ServicePrincipal: str) -> Result:
    """Trust a service; once more changes nothing."""
    manage(ctx, "EnableAWSServiceAccess", keys=service_keys(ServicePrincipal))
    now = int(ctx.world.now())
    change(ctx, lambda body: {**body, "trusted": {ServicePrincipal: now, **body.get("trusted", {})}})
    return {}


@operation("organizations", "DisableAWSServiceAccess")
def disable_aws_service_access(ctx: Context, *, ServicePrincipal: str) -> Result:
    """Trust a service no longer; one that was not trusted is no error."""
    manage(ctx, "DisableAWSServiceAccess", keys=service_keys(ServicePrincipal))
    change(ctx, lambda body: {**body, "trusted": without(body.get("trusted", {}), ServicePrincipal)})
    return {}


@operation("organizations", "ListAWSServiceAccessForOrganization")
def list_aws_service_access_for_organization(ctx: Context, **paging: Unpack[Paging]) -> Result:
    """The services that are trusted, and since when."""
    trusted = manage(ctx, "ListAWSServiceAccessForOrganization").get("trusted", {})
    services = [{"ServicePrincipal": name, "DateEnabled": since} for name, since in sorted(trusted.items())]
    return page(ctx, "EnabledServicePrincipals", services, paging)


def service_keys(principal: str) -> dict[str, tuple[str, ...]]:
    return {"organizations:serviceprincipal": (principal,)}
