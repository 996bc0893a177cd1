"""The door: an app names a pool, proves its user's sign-ins or none, and gets an identity, credentials or a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.accounts.documents import IdentityPool, PoolIdentity
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.cognito import guests, identities, identity_pools, pool_tokens, role_choice
from sts_emulator.methods.cognito.identity_pools import absent, invalid, misconfigured, unauthorized
from sts_emulator.methods.cognito.logins import Login, prove
from sts_emulator.methods.tokens.issuers import Provider
from sts_emulator.methods.web_identity import assume_role_with_web_identity as web_identity
from sts_emulator.policy.federated import COGNITO
from sts_emulator.vending.assume import Ask
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

SESSION_NAME = "CognitoIdentityCredentials"
NO_CLASSIC = "Basic (classic) flow is not enabled, please use enhanced flow."
PROVIDER = Provider(COGNITO, pool_tokens.ISSUER, COGNITO)


@operation("cognito-identity", "GetId")
async def get_id(
    ctx: Context, *, IdentityPoolId: str, AccountId: str = "", Logins: Mapping[str, str] | None = None
) -> Result:
    """The identity of whoever signed in elsewhere; of a guest, a new one each time."""
    pool = identity_pools.find(ctx.world, IdentityPoolId)
    if AccountId and AccountId != pool["account"]:
        raise absent(f"IdentityPool '{IdentityPoolId}' not found.")
    identity, _ = await _identity(ctx, pool, None, Logins)
    return {"IdentityId": identity["id"]}


@operation("cognito-identity", "GetCredentialsForIdentity")
async def get_credentials_for_identity(
    ctx: Context, *, IdentityId: str, Logins: Mapping[str, str] | None = None, CustomRoleArn: str = ""
) -> Result:
    """The enhanced flow: credentials of the role that the pool chooses, when that role trusts the identity."""
    named = identities.find(ctx.world, IdentityId)
    pool = identity_pools.find(ctx.world, named["pool"])
    identity, logins = await _identity(ctx, pool, named, Logins)
    vended = vend(ctx, pool, identity["id"], logins, CustomRoleArn)
    credentials = dict(vended["Credentials"])
    credentials["SecretKey"] = credentials.pop("SecretAccessKey")
    return {"IdentityId": identity["id"], "Credentials": credentials}


@operation("cognito-identity", "GetOpenIdToken")
async def get_open_id_token(ctx: Context, *, IdentityId: str, Logins: Mapping[str, str] | None = None) -> Result:
    """The basic flow: a token that the app takes to AssumeRoleWithWebIdentity itself, for a role of its own choice."""
    named = identities.find(ctx.world, IdentityId)
    pool = identity_pools.find(ctx.world, named["pool"])
    check_classic(ctx, pool)
    identity, logins = await _identity(ctx, pool, named, Logins)
    claims = pool_tokens.claims(pool, identity["id"], logins, ctx.world.now())
    return {"IdentityId": identity["id"], "Token": await pool_tokens.sign(ctx.world, claims, pool["region"])}


@operation("cognito-identity", "UnlinkIdentity")
async def unlink_identity(
    ctx: Context, *, IdentityId: str, Logins: Mapping[str, str], LoginsToRemove: Sequence[str]
) -> Result:
    """Take logins from an identity, for whoever proves that they have them."""
    named = identities.find(ctx.world, IdentityId)
    pool = identity_pools.find(ctx.world, named["pool"])
    logins = await prove(ctx, pool, Logins)
    held = [(login.provider, login.subject) for login in logins]
    if not all(subject in named["logins"].get(provider, ()) for provider, subject in held) or not held:
        raise unauthorized(ctx, identities.MISMATCH, f"identity {IdentityId} does not have all of these logins")
    gone = [pair for pair in held if pair[0] in LoginsToRemove]
    if len({provider for provider, _ in gone}) < len(set(LoginsToRemove)):
        raise unauthorized(ctx, identities.MISMATCH, "a login is to be removed that the request does not prove")
    with ctx.world.unit(lock=True):
        identities.unlink(ctx.world, pool, named, gone)
    return {}


def check_classic(ctx: Context, pool: IdentityPool) -> None:
    """Refuse the basic flow where it is switched off; unset it is allowed (aws/aws-cli#7652).

    Raises:
        AwsError: InvalidParameterException.
    """
    if pool["settings"].get("AllowClassicFlow") is False:
        ctx.evidence["refused"] = "the pool's AllowClassicFlow is false"
        raise invalid(NO_CLASSIC)


def role_of(ctx: Context, pool: IdentityPool, logins: Sequence[Login], wanted: str = "") -> str:
    """The ARN of the role that the pool gives.

    Raises:
        AwsError: InvalidIdentityPoolConfigurationException where it has none; NotAuthorizedException where a role
            mapping denies.
    """
    try:
        role = role_choice.choose(pool, logins, wanted)
    except role_choice.DeniedError as denied:
        words = f"The ambiguous role mapping rules for: {denied.mapping} denied this request."
        raise unauthorized(ctx, words, str(denied)) from None
    if not role:
        kind = "authenticated" if logins else "unauthenticated"
        raise misconfigured(ctx, f"identity pool {pool['id']} has no {kind} role")
    return role


def vend(
    ctx: Context, pool: IdentityPool, identity: str, logins: Sequence[Login], wanted: str = ""
) -> Mapping[str, Any]:
    """What proven sign-ins come to, or none: the answer of AssumeRoleWithWebIdentity for the pool's role.

    Raises:
        AwsError: InvalidIdentityPoolConfigurationException for whatever STS refuses; NotAuthorizedException for what
            a role mapping denies.
    """
    role = role_of(ctx, pool, logins, wanted)
    ctx.evidence.update(identityPool=pool["id"], identity=identity, role=role)
    ask = Ask(
        SESSION_NAME,
        policy="" if logins else guests.INLINE,
        policy_arns=() if logins else (guests.MANAGED,),
        role_arn=role,
    )
    claims = pool_tokens.claims(pool, identity, logins, ctx.world.now())
    try:
        return web_identity.vend(ctx, PROVIDER, claims, ask)
    except AwsError as refused:
        raise misconfigured(ctx, f"STS refuses a session of {role}: {refused.message}") from None


async def _identity(
    ctx: Context, pool: IdentityPool, named: PoolIdentity | None, given: Mapping[str, str] | None
) -> tuple[PoolIdentity, list[Login]]:
    """Who asks, and by which proven sign-ins."""
    if not given:
        return identities.guest(ctx, pool, named), []
    logins = await prove(ctx, pool, given)
    redeemed = [login.identity for login in logins if login.identity]
    if redeemed:
        # A developer's token names its identity; it links nothing.
        if named is not None and redeemed != [named["id"]]:
            raise unauthorized(ctx, identities.MISMATCH, f"the token is of identity {redeemed[0]}")
        named = identities.find(ctx.world, redeemed[0])
    pairs = [(login.provider, login.subject) for login in logins if not login.identity]
    if not pairs and named is not None:
        return named, logins
    return identities.of_logins(ctx, pool, pairs, named), logins
