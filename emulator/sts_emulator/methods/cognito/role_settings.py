"""Which roles a pool gives, and which claims become its sessions' tags: what is set for a pool and read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import resources
from sts_emulator.accounts.documents import IdentityPool
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.cognito.identity_pools import absent, change, invalid, reach, unauthorized
from sts_emulator.policy.federated import COGNITO
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

DEFAULT_TAGS = {"username": "sub", "client": "aud"}
"""What `UseDefaults` maps (docs/aws/cognito.md, "Identity pools in 2026")."""


@operation("cognito-identity", "SetIdentityPoolRoles")
def set_identity_pool_roles(
    ctx: Context,
    *,
    IdentityPoolId: str,
    Roles: Mapping[str, str],
    RoleMappings: Mapping[str, Mapping[str, Any]] | None = None,
) -> Result:
    """Say which roles the pool gives, as a whole; the caller must be allowed to pass each."""
    pool = reach(ctx, "SetIdentityPoolRoles", IdentityPoolId)
    mappings = dict(RoleMappings or {})
    for mapping in mappings.values():
        _check_mapping(mapping)
    rules = [rule for mapping in mappings.values() for rule in mapping.get("RulesConfiguration", {}).get("Rules", ())]
    for arn in dict.fromkeys([*Roles.values(), *(rule["RoleARN"] for rule in rules)]):
        _pass(ctx, arn)
    change(ctx, pool, {"roles": dict(Roles), "mappings": mappings})
    return {}


@operation("cognito-identity", "GetIdentityPoolRoles")
def get_identity_pool_roles(ctx: Context, *, IdentityPoolId: str) -> Result:
    pool = reach(ctx, "GetIdentityPoolRoles", IdentityPoolId)
    mappings = {"RoleMappings": pool["mappings"]} if pool["mappings"] else {}
    return {"IdentityPoolId": pool["id"], "Roles": pool["roles"], **mappings}


@operation("cognito-identity", "SetPrincipalTagAttributeMap")
def set_principal_tag_attribute_map(
    ctx: Context,
    *,
    IdentityPoolId: str,
    IdentityProviderName: str,
    UseDefaults: bool = False,
    PrincipalTags: Mapping[str, str] | None = None,
) -> Result:
    """Say which claims of a provider become tags of the sessions."""
    pool = reach(ctx, "SetPrincipalTagAttributeMap", IdentityPoolId)
    entry = {"UseDefaults": UseDefaults, "PrincipalTags": DEFAULT_TAGS if UseDefaults else dict(PrincipalTags or {})}
    change(ctx, pool, {"principal_tags": {**pool["principal_tags"], IdentityProviderName: entry}})
    return _map_shown(pool, IdentityProviderName, entry)


@operation("cognito-identity", "GetPrincipalTagAttributeMap")
def get_principal_tag_attribute_map(ctx: Context, *, IdentityPoolId: str, IdentityProviderName: str) -> Result:
    """What is mapped for a provider; one for which nothing was ever set is unknown (as derived, not recorded)."""
    pool = reach(ctx, "GetPrincipalTagAttributeMap", IdentityPoolId)
    entry = pool["principal_tags"].get(IdentityProviderName)
    if entry is None:
        raise absent(f"No principal tag attribute map for '{IdentityProviderName}' found.")
    return _map_shown(pool, IdentityProviderName, entry)


def _map_shown(pool: IdentityPool, provider: str, entry: Mapping[str, Any]) -> Result:
    return {"IdentityPoolId": pool["id"], "IdentityProviderName": provider, **entry}


def _check_mapping(mapping: JsonObject) -> None:
    """API reference of RoleMapping: both types need a resolution, rules need rules. AWS's words are not recorded."""
    if "AmbiguousRoleResolution" not in mapping:
        raise invalid("AmbiguousRoleResolution is required when the type of a role mapping is Token or Rules.")
    if mapping["Type"] == "Rules" and not mapping.get("RulesConfiguration"):
        raise invalid("RulesConfiguration is required when the type of a role mapping is Rules.")


def _pass(ctx: Context, arn: str) -> None:
    """The caller hands a role to Cognito. A role that is not there, or not yet, is refused alike (boto/boto3#73)."""
    role = resources.role_by_arn(ctx.world, arn)
    forbidden = f"Access to Role '{arn}' is forbidden."
    if role is None or role["account"] != ctx.identity.account:
        raise unauthorized(ctx, forbidden, f"account {ctx.identity.account} has no role {arn}")
    try:
        authorize(ctx, "iam:PassRole", arn, {"iam:passedtoservice": (COGNITO,)})
    except AwsError:
        raise unauthorized(ctx, forbidden, f"{ctx.identity.arn} may not pass {arn}") from None
