"""User pools: made, described, changed and deleted, with their MFA settings and tags."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NotRequired, TypedDict

from sts_emulator.accounts import documents
from sts_emulator.control_plane.reach import own
from sts_emulator.control_plane.tagging import without
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import attributes, passwords
from sts_emulator.idp.user_pools.kinds import (
    ALIAS,
    CLIENT,
    GROUP,
    IDENTITY_PROVIDER,
    LINK,
    POOL,
    USER,
    Pool,
    arn_of,
    invalid,
    not_found,
    page,
    reach,
    unsupported,
)
from sts_emulator.idp.user_pools.triggers import configuration
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ABSENT: Final = {
    "DcrConfiguration": "dynamic client registration",
    "KeyConfiguration": "customer managed keys",
    "AcrConfiguration": "authentication context classes",
}
"""Settings that would change what happens at a sign-in, and do not here: refused rather than kept in silence."""

_FIXED = ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration")
_MFA = (
    "SoftwareTokenMfaConfiguration",
    "SmsMfaConfiguration",
    "EmailMfaConfiguration",
    "WebAuthnConfiguration",
)


@operation("cognito-idp", "CreateUserPool")
def create_user_pool(
    ctx: Context,
    *,
    PoolName: str,
    Schema: Iterable[JsonObject] = (),
    UserPoolTags: Mapping[str, str] | None = None,
    **settings: object,
) -> Result:
    """A pool with the standard attributes, and those of `Schema`."""
    tags = dict(UserPoolTags or {})
    authorize(ctx, "cognito-idp:CreateUserPool", "*", tag_keys(tags))
    _check(settings)
    if settings.get("AliasAttributes") and settings.get("UsernameAttributes"):
        raise invalid("Only one of the aliasAttributes or usernameAttributes can be set in a user pool.")
    if settings.get("MfaConfiguration", "OFF") != "OFF":
        raise invalid("Invalid MFA configuration given.")  # a factor comes with SetUserPoolMfaConfig only
    identifier = f"{ctx.region}_" + "".join(secrets.choice(LETTERS) for _ in range(9))
    now, account = ctx.world.now(), ctx.identity.account
    pool = Pool(
        id=identifier,
        account=account,
        region=ctx.region,
        arn=arn_of(ctx.region, account, identifier),
        name=PoolName,
        created=now,
        modified=now,
        tags=tags,
        schema=attributes.schema(Schema),
        settings=settings,
    )
    ctx.world.add(POOL, identifier, pool, uid=pool["arn"])
    publish_issuer(ctx.world, pool, [])
    return {"UserPool": _shown(ctx.world, pool)}


@operation("cognito-idp", "DescribeUserPool")
def describe_user_pool(ctx: Context, *, UserPoolId: str) -> Result:
    """A pool, with what is set where nobody has said."""
    return {"UserPool": _shown(ctx.world, reach(ctx, UserPoolId))}


@operation("cognito-idp", "ListUserPools")
def list_user_pools(ctx: Context, *, MaxResults: int, NextToken: str | None = None) -> Result:
    """The account's pools in the region."""
    authorize(ctx, "cognito-idp:ListUserPools", "*")
    pools = [pool for pool in ctx.world.page(POOL) if own(ctx, pool)]
    return page(ctx, "UserPools", pools, NextToken, MaxResults, _brief)


def _brief(pool: Pool) -> Result:
    return {
        "Id": pool["id"],
        "Name": pool["name"],
        "LambdaConfig": configuration.shown(pool["settings"].get("LambdaConfig") or {}),
        "LastModifiedDate": pool["modified"],
        "CreationDate": pool["created"],
    }


@operation("cognito-idp", "UpdateUserPool")
def update_user_pool(
    ctx: Context,
    *,
    UserPoolId: str,
    PoolName: str = "",
    UserPoolTags: Mapping[str, str] | None = None,
    **settings: object,
) -> Result:
    """Replace what is set: what the call leaves out goes back to its default, as AWS's reference warns."""
    pool = reach(ctx, UserPoolId, tag_keys(UserPoolTags or {}))
    _check(settings)
    kept = {name: pool["settings"][name] for name in (*_FIXED, *_MFA) if name in pool["settings"]}
    wanted = {**settings, **kept}
    _check_mfa(wanted)
    _change(
        ctx.world,
        pool,
        name=PoolName or pool["name"],
        settings=wanted,
        tags=pool["tags"] if UserPoolTags is None else dict(UserPoolTags),
    )
    return {}


@operation("cognito-idp", "DeleteUserPool")
def delete_user_pool(ctx: Context, *, UserPoolId: str) -> Result:
    """Delete a pool with all that it holds."""
    pool = reach(ctx, UserPoolId)
    if pool["settings"].get("DeletionProtection") == "ACTIVE":
        raise invalid(
            "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be "
            "inactivated first."
        )
    if domain_of(ctx.world, pool):
        raise invalid("User pool cannot be deleted. It has a domain configured that should be deleted first.")
    held: tuple[Kind[Any], ...] = (
        *(USER, GROUP, ALIAS, IDENTITY_PROVIDER, LINK, RESOURCE_SERVER, STYLE, CUSTOMIZATION),
        *(SIGN_IN, CODE, DEVICE, SETTING, SAML_KEY, TERMS, IMPORT, IMPORT_FILE),
    )
    for kind in held:
        for key, _ in ctx.world.page_keys(kind, f"{UserPoolId}/"):
            ctx.world.take(kind, key)
    for client in ctx.world.page(CLIENT):
        if client["pool"] == UserPoolId:
            ctx.world.take(CLIENT, client["id"])
    ctx.world.take(KEYS, UserPoolId)
    ctx.world.take(POOL, UserPoolId)
    ctx.world.take(documents.ISSUER, issuer_key(pool))
    return {}


@operation("cognito-idp", "AddCustomAttributes")
def add_custom_attributes(ctx: Context, *, UserPoolId: str, CustomAttributes: Iterable[JsonObject]) -> Result:
    pool = reach(ctx, UserPoolId)
    names = {attribute["Name"] for attribute in pool["schema"]}
    added = [attributes.custom_attribute(wanted) for wanted in CustomAttributes]
    for attribute in added:
        if attribute["Name"] in names:
            raise invalid(f"{attribute['Name']}: Existing attribute already has name {attribute['Name']}.")
    _change(ctx.world, pool, schema=[*pool["schema"], *added])
    return {}


# -- MFA -------------------------------------------------------------------------------------------------------------


@operation("cognito-idp", "SetUserPoolMfaConfig")
def set_user_pool_mfa_config(
    ctx: Context, *, UserPoolId: str, MfaConfiguration: str = "OFF", **factors: JsonObject | None
) -> Result:
    """Whether users must or may have a second factor, which ones there are, and whose passkeys are taken."""
    pool = reach(ctx, UserPoolId)
    settings = {**pool["settings"], "MfaConfiguration": MfaConfiguration}
    settings |= {name: dict(value) for name, value in factors.items() if value is not None}
    _check_mfa(settings)
    return _mfa(_change(ctx.world, pool, settings=settings))


@operation("cognito-idp", "GetUserPoolMfaConfig")
def get_user_pool_mfa_config(ctx: Context, *, UserPoolId: str) -> Result:
    return _mfa(reach(ctx, UserPoolId))


def mfa_of(pool: Pool) -> str:
    """OFF, OPTIONAL or ON."""
    return str(pool["settings"].get("MfaConfiguration", "OFF"))


def has_software_tokens(pool: Pool) -> bool:
    return bool(pool["settings"].get("SoftwareTokenMfaConfiguration", {}).get("Enabled"))


def _mfa(pool: Pool) -> Result:
    configured = {name: pool["settings"][name] for name in _MFA if pool["settings"].get(name)}
    return {"MfaConfiguration": mfa_of(pool), **configured}


def first_factors(settings: Mapping[str, Any]) -> list[str]:
    """By what users may begin to sign in, where they choose."""
    policy = settings.get("Policies", {}).get("SignInPolicy", {})
    return list(policy.get("AllowedFirstAuthFactors") or ["PASSWORD"])


def passkeys_are_enough(settings: Mapping[str, Any]) -> bool:
    """Whether a passkey that knows its person again is a second factor, too."""
    factor = settings.get("WebAuthnConfiguration", {}).get("FactorConfiguration")
    return bool(factor == "MULTI_FACTOR_WITH_USER_VERIFICATION")


def _check_mfa(settings: Mapping[str, Any]) -> None:
    mode = settings.get("MfaConfiguration", "OFF")
    has_app = settings.get("SoftwareTokenMfaConfiguration", {}).get("Enabled")
    codes = [name for name in ("SmsMfaConfiguration", "EmailMfaConfiguration") if settings.get(name) is not None]
    if mode != "OFF" and not has_app and not codes:
        raise invalid("Invalid MFA configuration given, can't turn on MFA without an MFA type enabled.")
    sms = settings.get("SmsMfaConfiguration")
    if sms is not None and not (sms.get("SmsConfiguration") or settings.get("SmsConfiguration")):
        raise invalid("SMS configuration is missing.")  # without it nothing can be texted on AWS
    _check_factors(settings)


def _check_factors(settings: Mapping[str, object]) -> None:
    """First factors that go together, and with the second (Cognito's guide, "Passwordless sign-in")."""
    allowed = first_factors(settings)
    if "SOFTWARE_TOKEN" in allowed or "PASSWORD" not in allowed:
        raise invalid("AllowedFirstAuthFactors must have PASSWORD, and cannot have SOFTWARE_TOKEN.")
    others = [name for name in allowed if name != "PASSWORD"]
    if others and settings.get("UserPoolTier", "ESSENTIALS") == "LITE":
        raise AwsError(
            "FeatureUnavailableInTierException", "Choice-based sign-in is not available in the current tier."
        )
    if passkeys_are_enough(settings):
        others = [name for name in others if name != "WEB_AUTHN"]
    if others and settings.get("MfaConfiguration", "OFF") == "ON":
        raise invalid(f"{others[0]} cannot be a first factor where MFA is required.")


# -- tags ------------------------------------------------------------------------------------------------------------


@operation("cognito-idp", "TagResource")
def tag_resource(ctx: Context, *, ResourceArn: str, Tags: Mapping[str, str]) -> Result:
    """Add tags to a pool, or change their values."""
    pool = _by_arn(ctx, ResourceArn, tag_keys(Tags))
    _change(ctx.world, pool, tags={**pool["tags"], **Tags})
    return {}


@operation("cognito-idp", "UntagResource")
def untag_resource(ctx: Context, *, ResourceArn: str, TagKeys: Iterable[str]) -> Result:
    """Remove tags; keys that are not there are ignored."""
    gone = set(TagKeys)
    pool = _by_arn(ctx, ResourceArn, {"aws:tagkeys": tuple(sorted(gone))})
    _change(ctx.world, pool, tags=without(pool["tags"], gone))
    return {}


@operation("cognito-idp", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, ResourceArn: str) -> Result:
    return {"Tags": dict(_by_arn(ctx, ResourceArn, {})["tags"])}


def _by_arn(ctx: Context, arn: str, keys: Mapping[str, tuple[str, ...]]) -> Pool:
    identifier = arn.rpartition("/")[2]
    if arn != arn_of(ctx.region, ctx.identity.account, identifier):
        authorize(ctx, f"cognito-idp:{ctx.operation}", arn, keys)
        raise not_found(f"Resource {arn} does not exist.")
    return reach(ctx, identifier, keys)


# -- what the others of this room need -------------------------------------------------------------------------------


class Domain(TypedDict):
    """A domain of managed login: a prefix of AWS's, or one of the customer's own, with what was said of it."""

    name: str
    pool: str
    version: int
    custom: NotRequired[dict[str, str]]


class ResourceServer(TypedDict):
    """An API with scopes, as the wire has it."""

    UserPoolId: str
    Identifier: str
    Name: str
    Scopes: list[dict[str, str]]


DOMAIN: Final[Kind[Domain]] = Kind("user-pool-domain")  # key: its name
RESOURCE_SERVER: Final[Kind[ResourceServer]] = Kind("user-pool-resource-server")  # key: `POOL/identifier`
STYLE: Final[Kind[Any]] = Kind("user-pool-style")
CUSTOMIZATION: Final[Kind[Any]] = Kind("user-pool-customization")
# Of these those modules know more that import this file.
KEYS: Final[Kind[Any]] = Kind("user-pool-keys")
SIGN_IN: Final = documents.USER_POOL_SIGN_IN
CODE: Final[Kind[Any]] = Kind("user-pool-code")
DEVICE: Final[Kind[Any]] = Kind("user-pool-device")
SAML_KEY: Final[Kind[Any]] = Kind("user-pool-saml-key")  # key: `POOL/which`
TERMS: Final[Kind[Any]] = Kind("user-pool-terms")
IMPORT: Final[Kind[Any]] = Kind("user-pool-import")
IMPORT_FILE: Final[Kind[Any]] = Kind("user-pool-import-file")
SETTING: Final[Kind[Any]] = Kind("user-pool-setting")  # of a pool, beside its own: key `POOL/which`


def issuer_key(pool: Pool) -> str:
    return f"user-pool/{pool['id']}"  # with a slash, which no lab issuer's name has


def issuer_url(pool: Pool) -> str:
    """`iss` of the pool's tokens (docs/aws/cognito.md, "Tokens")."""
    is_updated = pool["settings"].get("IssuerConfiguration", {}).get("Type") == "UPDATED"
    host = "issuer-cognito-idp" if is_updated else "cognito-idp"
    return f"https://{host}.{pool['region']}.amazonaws.com/{pool['id']}"


def publish_issuer(world: World, pool: Pool, public_keys: Sequence[JsonObject]) -> None:
    """What verifies the pool's tokens reads this document, and nothing else of this room."""
    key, url = issuer_key(pool), issuer_url(pool)
    document = documents.Issuer(
        name=key, url=url, preset="user pool", algorithm="RS256", keys=[], jwks={"keys": public_keys}
    )
    world.take(documents.ISSUER, key)  # its uid may be another now
    world.add(documents.ISSUER, key, document, uid=url)


def rename(world: World, identifier: str, wanted: str) -> None:
    """Give a pool that holds nothing yet another id: a scenario fixes those that apps know beforehand."""
    pool = world.take(POOL, identifier)
    if pool is None:
        raise not_found(f"User pool {identifier} does not exist.")
    world.take(documents.ISSUER, issuer_key(pool))
    renamed: Pool = {**pool, "id": wanted, "arn": arn_of(pool["region"], pool["account"], wanted)}
    world.add(POOL, wanted, renamed, uid=renamed["arn"])
    publish_issuer(world, renamed, [])


def domain_version_of(world: World, pool: Pool) -> int:
    """1 for the classic pages, 2 for managed login."""
    return next((domain["version"] for domain in world.page(DOMAIN) if domain["pool"] == pool["id"]), 0)


def domain_of(world: World, pool: Pool) -> str:
    return next((domain["name"] for domain in world.page(DOMAIN) if domain["pool"] == pool["id"]), "")


def host_of(world: World, pool: Pool) -> str:
    """Where the pages of a pool are in AWS: its own domain, or below Cognito's; empty where it has none."""
    domain = domain_of(world, pool)
    return domain if "." in domain or not domain else f"{domain}.auth.{pool['region']}.amazoncognito.com"


def _change(world: World, pool: Pool, **changes: object) -> Pool:
    change: Callable[[Pool], Any] = lambda body: {**body, **changes, "modified": world.now()}  # noqa: E731 - typed
    changed = world.update(POOL, pool["id"], change)
    if issuer_url(changed) != issuer_url(pool):
        stored = world.get(documents.ISSUER, issuer_key(pool))
        publish_issuer(world, changed, stored["jwks"]["keys"] if stored else [])
    return changed


def _check(settings: Mapping[str, Any]) -> None:
    for name, what in _ABSENT.items():
        if settings.get(name):
            raise unsupported(f"{name} ({what})")
    configuration.check(settings.get("LambdaConfig") or {}, settings.get("UserPoolTier", "ESSENTIALS"))
    _check_recovery(settings)
    _check_factors(settings)


def _check_recovery(settings: Mapping[str, Any]) -> None:
    mechanisms = settings.get("AccountRecoverySetting", {}).get("RecoveryMechanisms") or ()
    names = [mechanism["Name"] for mechanism in mechanisms]
    if "admin_only" in names and len(names) > 1:
        raise invalid(
            "Invalid account recovery setting parameter. Account Recovery Setting cannot use admin_only with others."
        )
    if len({mechanism["Priority"] for mechanism in mechanisms}) < len(names) or len(set(names)) < len(names):
        raise invalid("Invalid account recovery setting parameter. Priorities and names have to differ.")
    update = settings.get("UserAttributeUpdateSettings", {}).get("AttributesRequireVerificationBeforeUpdate") or ()
    if not set(update) <= set(settings.get("AutoVerifiedAttributes") or ()):
        raise invalid("AttributesRequireVerificationBeforeUpdate takes auto verified attributes only.")


def _shown(world: World, pool: Pool) -> Result:
    settings = {name: value for name, value in pool["settings"].items() if name not in _MFA}
    domain = domain_of(world, pool)
    told = {"CustomDomain" if "." in domain else "Domain": domain} if domain else {}
    return {
        "DeletionProtection": "INACTIVE",
        "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE"},
        "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": []},
        "MfaConfiguration": "OFF",
        "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
        "UserPoolTier": "ESSENTIALS",
        **settings,
        "LambdaConfig": configuration.shown(settings.get("LambdaConfig") or {}),
        "AdminCreateUserConfig": {
            "AllowAdminCreateUserOnly": False,
            "UnusedAccountValidityDays": 7,
            **settings.get("AdminCreateUserConfig", {}),
        },
        "Policies": {
            "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD"]},
            **settings.get("Policies", {}),
            "PasswordPolicy": dict(passwords.policy_of(pool)),
        },
        "Id": pool["id"],
        "Name": pool["name"],
        "Arn": pool["arn"],
        "LastModifiedDate": pool["modified"],
        "CreationDate": pool["created"],
        "SchemaAttributes": pool["schema"],
        "EstimatedNumberOfUsers": world.count(USER, f"{pool['id']}/"),
        "UserPoolTags": dict(pool["tags"]),
        **told,
    }
