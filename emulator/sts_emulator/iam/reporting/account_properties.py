"""Switches of an account that belong to a namespace of their own: that of the role manager is the only one there is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.iam.permits import permit
from sts_emulator.iam.principals import service_linked_roles
from sts_emulator.iam.reporting import account
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

NAMESPACE: Final = "RoleManager"
ENABLED: Final = f"{NAMESPACE}/Enabled"
SERVICE: Final = "role-manager.iam.amazonaws.com"


@operation("iam", "GetAccountProperties")
def get_account_properties(ctx: Context) -> Result:
    """The switches, as texts."""
    permit(ctx, "GetAccountProperties", "*", {"iam:accountpropertynamespaces": (NAMESPACE,)})
    enabled = account.settings(ctx.world, ctx.identity.account).get("role_manager", False)
    return {"Properties": {ENABLED: "true" if enabled else "false"}}


@operation("iam", "PutAccountProperties")
def put_account_properties(ctx: Context, *, Properties: Mapping[str, str]) -> Result:
    """Set switches of one namespace; what is named beside a known one is ignored, as AWS does (recorded 2026-09)."""
    namespaces = tuple(sorted({name.partition("/")[0] for name in Properties}))
    permit(ctx, "PutAccountProperties", "*", {"iam:accountpropertynamespaces": namespaces})
    enabled = _read(Properties)
    if enabled:
        service_linked_roles.ensure(ctx, SERVICE)
    account.change(ctx, role_manager=enabled)
    return {}


def _read(properties: Mapping[str, str]) -> bool:
    """AWS's sentences of 2026-09.

    Raises:
        AwsError: InvalidInput.
    """
    for name in sorted(properties):
        if "/" not in name:
            raise AwsError("InvalidInput", f"Property key must be in format Namespace/PropertyName: {name}")
    namespaces = sorted({name.partition("/")[0] for name in properties})
    if len(namespaces) > 1:
        raise AwsError("InvalidInput", "All properties must belong to the same namespace")
    if namespaces != [NAMESPACE]:
        raise AwsError("InvalidInput", f"Unsupported namespace: {''.join(namespaces)}")
    value = properties.get(ENABLED)
    if value is None:
        raise AwsError("InvalidInput", f"{NAMESPACE} namespace requires Enabled property")
    if value not in ("true", "false"):
        raise AwsError("InvalidInput", "Enabled must be 'true' or 'false'")
    return value == "true"
