"""What a user does with their own account: seen, changed, a new password, deleted. Their access token proves them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import attempts, attributes, choices, codes, mfa, passwords, pool_users, tokens
from sts_emulator.idp.user_pools.attributes import Pairs
from sts_emulator.idp.user_pools.kinds import (
    Pool,
    PoolUser,
    change_user,
    find_user,
    invalid,
    not_authorized,
    pending_without,
)
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("cognito-idp", "GetUser")
def get_user(ctx: Context, *, AccessToken: str) -> Result:
    """The user, as far as the client may read."""
    party, _ = tokens.bearer(ctx.world, AccessToken)
    told = attributes.readable(party.client, party.user["attributes"])
    return {"Username": party.user["username"], "UserAttributes": attributes.shown(told), **mfa.shown(party.user)}


@operation("cognito-idp", "GetUserAuthFactors")
def get_user_authfactors(ctx: Context, *, AccessToken: str) -> Result:
    party, _ = tokens.bearer(ctx.world, AccessToken)
    return told_factors(party.pool, party.user)


@operation("cognito-idp", "UpdateUserAttributes")
async def update_user_attributes(
    ctx: Context, *, UserAttributes: Pairs, AccessToken: str, ClientMetadata: Mapping[str, str] | None = None
) -> Result:
    """Change attributes; a changed address is to be verified, and a code is on its way."""
    party, _key = tokens.bearer(ctx.world, AccessToken)
    pool, user = party.pool, party.user
    changes = attributes.checked(pool, UserAttributes)
    attributes.check_writable(party.client, changes)
    attributes.check_mutable(pool, changes)
    occasion = Occasion(ctx, pool, party.client["id"])
    later = attributes.to_verify_first(pool, changes, user["attributes"])
    sent = [await pool_users.to_confirm(occasion, user, name, later[name], ClientMetadata) for name in later]
    changes = {name: value for name, value in changes.items() if name.removesuffix("_verified") not in later}
    with ctx.world.unit(lock=True):
        user = _again(ctx.world, party)
        unverified = attributes.unverified_by(changes, user["attributes"])
        wanted = {**user["attributes"], **changes, **unverified}
        user = change_user(ctx.world, pool, user, attributes=wanted, pending=pending_without(user, changes))
    verified = pool["settings"].get("AutoVerifiedAttributes") or ()
    addresses = [name for name in ("email", "phone_number") if f"{name}_verified" in unverified and name in verified]
    sent += [
        await codes.send(occasion, user, name, name, "UpdateUserAttribute", ClientMetadata)
        for name in addresses
        if user["attributes"].get(name)
    ]
    return {"CodeDeliveryDetailsList": sent}


@operation("cognito-idp", "DeleteUserAttributes")
def delete_user_attributes(ctx: Context, *, UserAttributeNames: Iterable[str], AccessToken: str) -> Result:
    names = list(UserAttributeNames)
    party, _ = tokens.bearer(ctx.world, AccessToken)
    attributes.check_writable(party.client, names)
    pool_users.delete_attributes(ctx.world, party.pool, party.user, names)
    return {}


@operation("cognito-idp", "GetUserAttributeVerificationCode")
async def get_user_attribute_verification_code(
    ctx: Context, *, AccessToken: str, AttributeName: str, ClientMetadata: Mapping[str, str] | None = None
) -> Result:
    party, _key = tokens.bearer(ctx.world, AccessToken)
    _check_address(AttributeName)
    occasion = Occasion(ctx, party.pool, party.client["id"])
    user = pool_users.with_pending(party.user, AttributeName)
    sent = await codes.send(occasion, user, AttributeName, AttributeName, "VerifyUserAttribute", ClientMetadata)
    return {"CodeDeliveryDetails": sent}


@operation("cognito-idp", "VerifyUserAttribute")
async def verify_user_attribute(ctx: Context, *, AccessToken: str, AttributeName: str, Code: str) -> Result:
    party, _ = tokens.bearer(ctx.world, AccessToken)
    _check_address(AttributeName)
    codes.use(ctx.world, party.pool, pool_users.with_pending(party.user, AttributeName), AttributeName, Code)
    with ctx.world.unit(lock=True):
        user = _again(ctx.world, party)
        verified = {**pool_users.with_pending(user, AttributeName)["attributes"], f"{AttributeName}_verified": "true"}
        rest = pending_without(user, [AttributeName])
        change_user(ctx.world, party.pool, user, attributes=verified, pending=rest)
    return {}


@operation("cognito-idp", "ChangePassword")
async def change_password(
    ctx: Context, *, ProposedPassword: str, AccessToken: str, PreviousPassword: str | None = None
) -> Result:
    world = ctx.world
    party, _ = tokens.bearer(world, AccessToken)
    pool, user = party.pool, party.user
    attempts.check(world, pool, user["username"])
    if not await asyncio.to_thread(passwords.is_password, pool, user, PreviousPassword or ""):
        attempts.failed(world, pool, user["username"])
        raise not_authorized()
    passwords.check(pool, ProposedPassword)
    kept = await asyncio.to_thread(passwords.following, pool, user, ProposedPassword)
    with world.unit(lock=True):
        change_user(world, pool, _again(world, party), **kept)
    return {}


@operation("cognito-idp", "DeleteUser")
def delete_user(ctx: Context, *, AccessToken: str) -> Result:
    party, _ = tokens.bearer(ctx.world, AccessToken)
    pool_users.remove(ctx.world, party.pool, party.user)
    return {}


def told_factors(pool: Pool, user: PoolUser) -> Result:
    """By what the user can begin to sign in, without the two ways to send a password, and their second factors."""
    factors = [name for name in choices.offers(pool, user) if name != choices.PASSWORD_SRP]
    return {"Username": user["username"], "ConfiguredUserAuthFactors": factors, **mfa.shown(user)}


def _check_address(name: str) -> None:
    if name not in ("email", "phone_number"):
        raise invalid("Attribute cannot be verified.")


def _again(world: World, party: tokens.Party) -> PoolUser:
    current = find_user(world, party.pool, party.user["username"])
    if current is None or current["verifier"] != party.user["verifier"]:
        raise AwsError("NotAuthorizedException", "Access Token has been revoked")
    return current
