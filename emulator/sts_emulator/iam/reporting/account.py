"""What belongs to an account as a whole: alias, counts and quotas, token preferences, outbound federation."""

from __future__ import annotations

import uuid
from typing import Any, Unpack

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import changed
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import is_account_id
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.iam.credentials import signing_certificates
from sts_emulator.iam.credentials.access_keys import PER_USER
from sts_emulator.iam.credentials.server_certificates import SERVER_CERTIFICATE
from sts_emulator.iam.nouns import GROUP, INSTANCE_PROFILE, MFA_DEVICE, OIDC_PROVIDER, POLICY, ROLE, USER, listing
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import permit
from sts_emulator.iam.policies import managed as policies
from sts_emulator.iam.policies import policy_holders as holders
from sts_emulator.iam.principals import groups
from sts_emulator.iam.principals.users import devices_of, fido_devices, keys_of
from sts_emulator.policy.saving.validate import QUOTAS
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

KIND = documents.ACCOUNT
NEW_TOKENS = "v2Token"  # valid in all regions; what the global endpoint gives unless told is v1Token
OUTBOUND_PAGE = "outbound"


def settings(world: World, account: str) -> Stored:
    """What is kept of an account; empty for one that nobody declared."""
    return world.get(KIND, account) or {}


def change(ctx: Context, **members: object) -> None:
    """Set members of the caller's account; one that is set to None is removed."""
    account = ctx.identity.account
    if ctx.world.get(KIND, account) is None:
        ctx.world.add(KIND, account, documents.new_account(account, ctx.world.now()))
    ctx.world.update(KIND, account, changed(**members))


# -- alias --------------------------------------------------------------------------------------------------------


@operation("iam", "CreateAccountAlias")
def create_account_alias(ctx: Context, *, AccountAlias: str) -> Result:
    """Give the account its alias, in place of the one it has; one alias is one account's."""
    permit(ctx, "CreateAccountAlias", "*")
    account = ctx.identity.account
    if is_account_id(AccountAlias):
        raise AwsError("ValidationError", "Account alias must not be an account id.")
    if any(other.get("alias") == AccountAlias for other in ctx.world.page(KIND) if other["id"] != account):
        raise AwsError("EntityAlreadyExists", f"The account alias {AccountAlias} already exists.")
    change(ctx, alias=AccountAlias)
    return {}


@operation("iam", "ListAccountAliases")
def list_account_aliases(ctx: Context, **paging: Unpack[Paging]) -> Result:
    """The account's alias, if it has one, as a list."""
    permit(ctx, "ListAccountAliases", "*")
    alias = settings(ctx.world, ctx.identity.account).get("alias")
    return page(ctx, "AccountAliases", [alias] if alias else [], paging)


@operation("iam", "DeleteAccountAlias")
def delete_account_alias(ctx: Context, *, AccountAlias: str) -> Result:
    """Take the alias away."""
    permit(ctx, "DeleteAccountAlias", "*")
    if settings(ctx.world, ctx.identity.account).get("alias") != AccountAlias:
        raise AwsError("NoSuchEntity", f"The account alias {AccountAlias} cannot be found.")
    change(ctx, alias="")
    return {}


# -- counts and quotas --------------------------------------------------------------------------------------------


@operation("iam", "GetAccountSummary")
def get_account_summary(ctx: Context) -> Result:
    """How many of everything there are, and how many there may be."""
    permit(ctx, "GetAccountSummary", "*")
    account = ctx.identity.account
    return {"SummaryMap": {**_counts(ctx.world, account), **_QUOTAS}}


_QUOTAS = {
    "AccessKeysPerUserQuota": PER_USER,
    "AssumeRolePolicySizeQuota": QUOTAS["trust"],
    "AttachedPoliciesPerGroupQuota": holders.ATTACHED_QUOTA,
    "AttachedPoliciesPerRoleQuota": holders.ATTACHED_QUOTA,
    "AttachedPoliciesPerUserQuota": holders.ATTACHED_QUOTA,
    "GroupPolicySizeQuota": holders.INLINE_QUOTA["group"],
    "GroupsPerUserQuota": groups.PER_USER,
    "GroupsQuota": GROUP.quota,
    "InstanceProfilesQuota": INSTANCE_PROFILE.quota,
    "PoliciesQuota": POLICY.quota,
    "PolicySizeQuota": QUOTAS["identity"],
    "PolicyVersionsInUseQuota": 10_000,
    "RolePolicySizeQuota": holders.INLINE_QUOTA["role"],
    "RolesQuota": ROLE.quota,
    "ServerCertificatesQuota": SERVER_CERTIFICATE.quota,
    "SigningCertificatesPerUserQuota": signing_certificates.PER_USER,
    "UserPolicySizeQuota": holders.INLINE_QUOTA["user"],
    "UsersQuota": USER.quota,
    "VersionsPerPolicyQuota": policies.VERSIONS,
}


def _counts(world: World, account: str) -> dict[str, int]:
    known = settings(world, account)
    devices = [*listing(world, MFA_DEVICE, account), *fido_devices(world, account)]
    attached, bounding = policies.usage(world, account)

    def count(kind: Kind[Any]) -> int:
        return world.count(kind, f"{account}/")

    return {
        "AccountAccessKeysPresent": int(bool(keys_of(world, account, ""))),
        "AccountMFAEnabled": int(bool(devices_of(world, account, account))),
        "AccountPasswordPresent": int(bool(known.get("root_password"))),
        "AccountSigningCertificatesPresent": int(bool(signing_certificates.of_owner(world, account))),
        "GlobalEndpointTokenVersion": 2 if known.get("token_version") == NEW_TOKENS else 1,
        "Groups": count(GROUP.kind),
        "InstanceProfiles": count(INSTANCE_PROFILE.kind),
        "MFADevices": len(devices),
        "MFADevicesInUse": sum(1 for device in devices if device["owner"]),
        "Policies": count(POLICY.kind),
        "PolicyVersionsInUse": len({*attached, *bounding}),
        "Providers": count(OIDC_PROVIDER.kind) + count(documents.SAML_PROVIDER),
        "Roles": count(ROLE.kind),
        "ServerCertificates": count(SERVER_CERTIFICATE.kind),
        "Users": count(USER.kind),
    }


# -- switches -----------------------------------------------------------------------------------------------------


@operation("iam", "SetSecurityTokenServicePreferences")
def set_security_token_service_preferences(ctx: Context, *, GlobalEndpointTokenVersion: str) -> Result:
    """Say which format of session token STS's global endpoint issues; here both are one, and the choice is kept."""
    permit(ctx, "SetSecurityTokenServicePreferences", "*")
    change(ctx, token_version=GlobalEndpointTokenVersion)
    return {}


@operation("iam", "EnableOutboundWebIdentityFederation")
def enable_outbound_web_identity_federation(ctx: Context) -> Result:
    """Let principals of the account get signed tokens for others; the issuer stays the same for good."""
    permit(ctx, "EnableOutboundWebIdentityFederation", "*")
    known = settings(ctx.world, ctx.identity.account)
    if known.get("outbound_enabled"):
        message = f"Outbound identity federation is already enabled for account {ctx.identity.account}"
        raise AwsError("FeatureEnabled", message)
    change(ctx, outbound_enabled=True, outbound_issuer=known.get("outbound_issuer") or str(uuid.uuid4()))
    return {"IssuerIdentifier": outbound_issuer(ctx)}


@operation("iam", "DisableOutboundWebIdentityFederation")
def disable_outbound_web_identity_federation(ctx: Context) -> Result:
    """Stop issuing tokens for others."""
    permit(ctx, "DisableOutboundWebIdentityFederation", "*")
    _check_outbound(ctx)
    change(ctx, outbound_enabled=False)
    return {}


@operation("iam", "GetOutboundWebIdentityFederationInfo")
def get_outbound_web_identity_federation_info(ctx: Context) -> Result:
    """The account's issuer."""
    permit(ctx, "GetOutboundWebIdentityFederationInfo", "*")
    _check_outbound(ctx)
    return {"IssuerIdentifier": outbound_issuer(ctx), "JwtVendingEnabled": True}


def outbound_issuer(ctx: Context) -> str:
    """The account's issuer URL: below this server, so that its keys can be fetched."""
    return f"{ctx.base_url}/{OUTBOUND_PAGE}/{settings(ctx.world, ctx.identity.account)['outbound_issuer']}"


def _check_outbound(ctx: Context) -> None:
    if not settings(ctx.world, ctx.identity.account).get("outbound_enabled"):
        message = f"Outbound identity federation is disabled for account {ctx.identity.account}"
        raise AwsError("FeatureDisabled", message)
