"""Which services may work in all accounts of an organization: kept and listed; here no service does."""

from __future__ import annotations

from typing import Any

from sts_emulator.organizations.membership import change, manage, page
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

    def without(body: dict[str, Any]) -> Result:
        trusted = body.get("trusted", {})
        return {**body, "trusted": {name: since for name, since in trusted.items() if name != ServicePrincipal}}

    change(ctx, without)
    return {}


@operation("organizations", "ListAWSServiceAccessForOrganization")
def list_aws_service_access_for_organization(
    ctx: Context, *, NextToken: str | None = None, MaxResults: int | None = None
) -> Result:
    """The services that are trusted, and since when."""
    trusted = manage(ctx, "ListAWSServiceAccessForOrganization").get("trusted", {})
    return page(
        ctx,
        "EnabledServicePrincipals",
        sorted(trusted),
        NextToken,
        MaxResults,
        lambda name: {"ServicePrincipal": name, "DateEnabled": trusted[name]},
    )


def service_keys(principal: str) -> dict[str, tuple[str, ...]]:
    """The condition key of calls about a service."""
    return {"organizations:serviceprincipal": (principal,)}
