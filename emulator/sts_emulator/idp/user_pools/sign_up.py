"""Signing up, and getting back in after a forgotten password, with codes that land in the mailbox."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import (
    attributes,
    challenges,
    clients,
    codes,
    first_sign_in,
    joining,
    migration,
    passwords,
    pool_users,
    pools,
    tokens,
)
from sts_emulator.idp.user_pools.attributes import Pairs
from sts_emulator.idp.user_pools.kinds import (
    Client,
    Pool,
    PoolUser,
    change_user,
    client_of,
    find_user,
    invalid,
    not_authorized,
    pool_of,
    save_user,
)
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who gives a name, through an app client that has proven its secret; `user` is None for nobody."""

    occasion: Occasion
    client: Client
    user: PoolUser | None

    @property
    def pool(self) -> Pool:
        return self.occasion.pool

    @property
    def is_hidden(self) -> bool:
        """Whether they are not there, and may not be told so."""
        return self.user is None and clients.hides_users(self.client)


@operation("cognito-idp", "SignUp")
async def sign_up(
    ctx: Context,
    *,
    ClientId: str,
    Username: str,
    Password: str | None = None,
    SecretHash: str | None = None,
    UserAttributes: Pairs | None = None,
    ValidationData: Pairs | None = None,
    ClientMetadata: Mapping[str, str] | None = None,
    **_: object,
) -> Result:
    """A new user, by themselves, who has yet to confirm with a code."""
    world, visitor = ctx.world, _visit(ctx, ClientId, Username, SecretHash)
    pool, client = visitor.pool, visitor.client
    if pool["settings"].get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly"):
        raise not_authorized("SignUp is not permitted for this user pool")
    if Password:
        passwords.check(pool, Password)
    elif not {"EMAIL_OTP", "SMS_OTP"} & set(pools.first_factors(pool["settings"])):
        raise invalid("Password is required")  # who has none can begin with a code only
    given = attributes.checked(pool, UserAttributes)
    attributes.check_writable(client, given)
    user = pool_users.new_user(world, pool, Username, given, "UNCONFIRMED")
    attributes.check_required(pool, user["attributes"])
    if find_user(world, pool, Username) is not None:
        raise _exists()
    user = await joining.before_sign_up(visitor.occasion, user, ValidationData, ClientMetadata)
    if Password:
        kept = await asyncio.to_thread(passwords.stored, pool, user["username"], Password)
        user = {**user, **kept}
    with world.unit(lock=True):
        if find_user(world, pool, Username) is not None:
            raise _exists()
        save_user(world, pool, user)
    is_confirmed, delivery = user["status"] == "CONFIRMED", {}
    if is_confirmed:
        await joining.after_confirmation(visitor.occasion, user, joining.SIGNED_UP, ClientMetadata)
    elif attribute := _address_of(pool, user):
        delivery = await codes.send(visitor.occasion, user, codes.SIGN_UP, attribute, "SignUp", ClientMetadata)
    told: Result = {"UserConfirmed": is_confirmed, "UserSub": user["sub"]}
    if not delivery:
        return told
    address = delivery["AttributeName"]
    session = first_sign_in.session(world, pool, client, user, address, first_sign_in.SIGNED_UP)
    return {**told, "CodeDeliveryDetails": delivery, **session}


@operation("cognito-idp", "ConfirmSignUp")
async def confirm_sign_up(
    ctx: Context,
    *,
    ClientId: str,
    Username: str,
    ConfirmationCode: str,
    SecretHash: str | None = None,
    ForceAliasCreation: bool = False,
    ClientMetadata: Mapping[str, str] | None = None,
    Session: str = "",
    **_: object,
) -> Result:
    """Prove the address that the code went to; it is verified by that."""
    world, visitor = ctx.world, _visit(ctx, ClientId, Username, SecretHash)
    if visitor.is_hidden:
        raise codes.expired()
    user = _present(visitor)
    if user["status"] != "UNCONFIRMED":
        raise not_authorized(f"User cannot be confirmed. Current status is {user['status']}")
    step = first_sign_in.SIGNED_UP
    begun = first_sign_in.take(world, Session, visitor.client, user, step) if Session else None
    try:
        used = codes.use(world, visitor.pool, user, codes.SIGN_UP, ConfirmationCode)
    except AwsError:
        if begun:
            challenges.give_back(world, begun)
        raise
    verified = {**user["attributes"], f"{used['attribute']}_verified": "true"}
    confirmed: PoolUser = {**user, "status": "CONFIRMED", "attributes": verified, "modified": world.now()}
    with world.unit(lock=True):
        save_user(world, visitor.pool, confirmed, force=ForceAliasCreation)
    await joining.after_confirmation(visitor.occasion, confirmed, joining.SIGNED_UP, ClientMetadata)
    address, step = used["attribute"], first_sign_in.CONFIRMED
    return first_sign_in.session(world, visitor.pool, visitor.client, confirmed, address, step)


@operation("cognito-idp", "ResendConfirmationCode")
async def resend_confirmation_code(
    ctx: Context,
    *,
    ClientId: str,
    Username: str,
    SecretHash: str | None = None,
    ClientMetadata: Mapping[str, str] | None = None,
    **_: object,
) -> Result:
    """Another code; the one before is good no more."""
    visitor = _visit(ctx, ClientId, Username, SecretHash)
    if visitor.is_hidden:
        return {"CodeDeliveryDetails": codes.pretended(ctx.world, visitor.pool, Username)}
    user = _present(visitor)
    if user["status"] != "UNCONFIRMED":
        raise invalid("User is already confirmed.")
    attribute = _address_of(visitor.pool, user)
    sent = await codes.send(visitor.occasion, user, codes.SIGN_UP, attribute, "ResendCode", ClientMetadata)
    return {"CodeDeliveryDetails": sent}


@operation("cognito-idp", "ForgotPassword")
async def forgot_password(
    ctx: Context,
    *,
    ClientId: str,
    Username: str,
    SecretHash: str | None = None,
    ClientMetadata: Mapping[str, str] | None = None,
    **_: object,
) -> Result:
    """A code for a new password, to a verified address."""
    visitor = _visit(ctx, ClientId, Username, SecretHash)
    if visitor.user is None:
        migrated = await migration.migrate(visitor.occasion, visitor.client, Username, None, metadata=ClientMetadata)
        visitor = replace(visitor, user=migrated)
    hides = clients.hides_users(visitor.client)
    pretended = {"CodeDeliveryDetails": codes.pretended(ctx.world, visitor.pool, Username)}
    if visitor.is_hidden:
        return pretended
    user = _present(visitor)
    try:
        _check_recoverable(user)
        attribute = codes.recovery_of(visitor.pool, user)
    except AwsError:
        if hides:  # AWS pretends for those who cannot be helped, too (developer guide, "Managing error responses")
            return pretended
        raise
    sent = await codes.send(visitor.occasion, user, codes.FORGOTTEN, attribute, "ForgotPassword", ClientMetadata)
    return {"CodeDeliveryDetails": sent}


@operation("cognito-idp", "ConfirmForgotPassword")
async def confirm_forgot_password(
    ctx: Context,
    *,
    ClientId: str,
    Username: str,
    ConfirmationCode: str,
    Password: str,
    SecretHash: str | None = None,
    ClientMetadata: Mapping[str, str] | None = None,
    **_: object,
) -> Result:
    world, visitor = ctx.world, _visit(ctx, ClientId, Username, SecretHash)
    pool = visitor.pool
    passwords.check(pool, Password)
    if visitor.is_hidden:
        raise codes.mismatch()
    user = _present(visitor)
    try:
        codes.use(world, pool, user, codes.FORGOTTEN, ConfirmationCode)
    except AwsError as refusal:
        # Nobody has a code either: where a stranger may not learn who is there, all wrong codes are alike.
        raise codes.mismatch() if clients.hides_users(visitor.client) else refusal from None
    kept = await asyncio.to_thread(passwords.following, pool, user, Password)
    with world.unit(lock=True):
        current = find_user(world, pool, user["username"])
        if current is None:
            raise codes.mismatch()
        current = change_user(world, pool, current, **kept, status="CONFIRMED")
        tokens.sign_out_everywhere(world, pool, current)
    await joining.after_confirmation(visitor.occasion, current, joining.NEW_PASSWORD, ClientMetadata)
    return {}


def _visit(ctx: Context, client_id: str, name: str, secret_hash: str | None) -> Visitor:
    client = client_of(ctx.world, client_id)
    pool = pool_of(ctx.world, client)
    clients.check_secret_hash(client, name, secret_hash)
    return Visitor(Occasion(ctx, pool, client["id"]), client, find_user(ctx.world, pool, name))


def _exists() -> AwsError:
    return AwsError("UsernameExistsException", "User already exists")


def _present(visitor: Visitor) -> PoolUser:
    """The user. Raises AwsError: UserNotFoundException."""
    return required(visitor.user, AwsError("UserNotFoundException", "Username/client id combination not found."))


def _check_recoverable(user: PoolUser) -> None:
    if not user["enabled"]:
        raise not_authorized("User is disabled.")
    if user["status"] == "FORCE_CHANGE_PASSWORD":
        raise not_authorized("User password cannot be reset in the current state.")


def _address_of(pool: Pool, user: PoolUser) -> str:
    """Where a new user's code goes: the pool's automatically verified attributes, telephones first as AWS does."""
    wanted = pool["settings"].get("AutoVerifiedAttributes") or ()
    return next((name for name in ("phone_number", "email") if name in wanted and user["attributes"].get(name)), "")
