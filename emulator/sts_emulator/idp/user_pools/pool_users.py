"""A pool's users, as administrators see and change them."""

from __future__ import annotations

import re
import unicodedata
import uuid
from collections.abc import Container, Iterable, Mapping
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import attributes, codes, devices, joining, mfa, passwords, tokens
from sts_emulator.idp.user_pools.attributes import Pairs
from sts_emulator.idp.user_pools.kinds import (
    ALIAS,
    PAGES,
    USER,
    Pool,
    PoolUser,
    aliases,
    change_user,
    find_user,
    folded,
    invalid,
    not_authorized,
    pending_without,
    reach,
    reach_user,
    save_user,
    user_key,
    user_of,
)
from sts_emulator.idp.user_pools.triggers import firing
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_DAY: Final = 86_400
_FILTER = re.compile(r'\s*"?(?P<name>[\w:]+)"?\s*(?P<how>\^?=)\s*"(?P<value>(?:[^"\\]|\\.)*)"\s*')
_SEARCHABLE = (
    *("username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username"),
    *("cognito:user_status", "status", "sub"),
)


@operation("cognito-idp", "AdminCreateUser")
async def admin_create_user(
    ctx: Context,
    *,
    UserPoolId: str,
    Username: str,
    UserAttributes: Pairs | None = None,
    TemporaryPassword: str | None = None,
    ForceAliasCreation: bool = False,
    MessageAction: str = "",
    DesiredDeliveryMediums: Iterable[str] = ("SMS",),
    ValidationData: Pairs | None = None,
    ClientMetadata: Mapping[str, str] | None = None,
) -> Result:
    """A user with a temporary password, who is told of it in their mailbox."""
    world, pool = ctx.world, reach(ctx, UserPoolId)
    occasion = firing.Occasion(ctx, pool)
    if MessageAction == "RESEND":
        known = user_of(world, pool, Username)
        return {"User": shown(await _invite_again(occasion, known, TemporaryPassword, ClientMetadata))}
    if find_user(world, pool, Username) is not None:
        raise AwsError("UsernameExistsException", "User account already exists")
    password = TemporaryPassword or passwords.made_up()
    passwords.check(pool, password)
    given = attributes.checked(pool, UserAttributes)
    user = new_user(world, pool, Username, given, "FORCE_CHANGE_PASSWORD")
    # What it answers says nothing here, by AWS's guide: only whether there may be such a user.
    await firing.fire(
        occasion,
        "PreSignUp_AdminCreateUser",
        user["username"],
        joining.request(given, ValidationData, ClientMetadata),
        joining.ANSWER,
    )
    user = with_password(world, pool, user, password, is_temporary=True)
    with world.unit(lock=True):
        if find_user(world, pool, Username) is not None:
            raise AwsError("UsernameExistsException", "User account already exists")
        save_user(world, pool, user, force=ForceAliasCreation)
    if MessageAction != "SUPPRESS":
        await codes.invite(occasion, user, password, DesiredDeliveryMediums, ClientMetadata)
    return {"User": shown(user)}


@operation("cognito-idp", "AdminGetUser")
def admin_get_user(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    user = reach_user(ctx, UserPoolId, Username)[1]
    told = {("UserAttributes" if name == "Attributes" else name): value for name, value in shown(user).items()}
    return {**told, **mfa.shown(user)}


@operation("cognito-idp", "ListUsers")
def list_users(
    ctx: Context,
    *,
    UserPoolId: str,
    AttributesToGet: Iterable[str] | None = None,
    Limit: int | None = None,
    PaginationToken: str | None = None,
    Filter: str = "",
) -> Result:
    """The pool's users, or those that a filter lets through."""
    pool = reach(ctx, UserPoolId)
    users = [user for user in ctx.world.page(USER, f"{pool['id']}/") if _passes(user, Filter)]
    wanted = None if AttributesToGet is None else set(AttributesToGet)
    return PAGES.page(ctx, "Users", users, PaginationToken, Limit, lambda user: shown(user, wanted))


@operation("cognito-idp", "AdminDeleteUser")
def admin_delete_user(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    pool, user = reach_user(ctx, UserPoolId, Username)
    remove(ctx.world, pool, user)
    return {}


@operation("cognito-idp", "AdminEnableUser")
def admin_enable_user(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    pool, user = reach_user(ctx, UserPoolId, Username)
    change_user(ctx.world, pool, user, enabled=True)
    return {}


@operation("cognito-idp", "AdminDisableUser")
def admin_disable_user(ctx: Context, *, UserPoolId: str, Username: str) -> Result:
    """Keep a user out: what sign-ins they have end."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    change_user(ctx.world, pool, user, enabled=False)
    tokens.sign_out_everywhere(ctx.world, pool, user)
    return {}


@operation("cognito-idp", "AdminSetUserPassword")
def admin_set_user_password(
    ctx: Context, *, UserPoolId: str, Username: str, Password: str, Permanent: bool = False
) -> Result:
    """Give a user a password, for good or until their next sign-in."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    passwords.check(pool, Password)
    passwords.check_history(pool, user, Password)
    user = with_password(ctx.world, pool, user, Password, is_temporary=not Permanent)
    change_user(ctx.world, pool, user, status="CONFIRMED" if Permanent else "FORCE_CHANGE_PASSWORD")
    return {}


@operation("cognito-idp", "AdminResetUserPassword")
async def admin_reset_user_password(
    ctx: Context, *, UserPoolId: str, Username: str, ClientMetadata: Mapping[str, str] | None = None
) -> Result:
    """Make a user choose a new password, with a code that they are sent."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    if user["status"] == "FORCE_CHANGE_PASSWORD":
        raise not_authorized("User password cannot be reset in the current state.")
    occasion, attribute = firing.Occasion(ctx, pool), codes.recovery_of(pool, user)
    await codes.send(occasion, user, codes.FORGOTTEN, attribute, "ForgotPassword", ClientMetadata)
    with ctx.world.unit(lock=True):
        change_user(ctx.world, pool, user_of(ctx.world, pool, user["username"]), status="RESET_REQUIRED")
    return {}


@operation("cognito-idp", "AdminUpdateUserAttributes")
async def admin_update_user_attributes(
    ctx: Context,
    *,
    UserPoolId: str,
    Username: str,
    UserAttributes: Pairs,
    ClientMetadata: Mapping[str, str] | None = None,
) -> Result:
    """Change attributes; administrators may say that an address is verified."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    changes = attributes.checked(pool, UserAttributes)
    attributes.check_mutable(pool, changes)
    later = attributes.to_verify_first(pool, changes, user["attributes"])
    for name, value in later.items():
        await to_confirm(firing.Occasion(ctx, pool), user, name, value, ClientMetadata)
    changes = {name: value for name, value in changes.items() if name.removesuffix("_verified") not in later}
    with ctx.world.unit(lock=True):
        user = user_of(ctx.world, pool, user["username"])
        unverified = attributes.unverified_by(changes, user["attributes"])
        wanted = {**user["attributes"], **unverified, **changes}
        change_user(ctx.world, pool, user, attributes=wanted, pending=pending_without(user, changes))
    return {}


@operation("cognito-idp", "AdminDeleteUserAttributes")
def admin_delete_user_attributes(
    ctx: Context, *, UserPoolId: str, Username: str, UserAttributeNames: Iterable[str]
) -> Result:
    pool, user = reach_user(ctx, UserPoolId, Username)
    delete_attributes(ctx.world, pool, user, UserAttributeNames)
    return {}


@operation("cognito-idp", "AdminConfirmSignUp")
async def admin_confirm_sign_up(
    ctx: Context, *, UserPoolId: str, Username: str, ClientMetadata: Mapping[str, str] | None = None
) -> Result:
    """Confirm who signed up, without a code."""
    pool, user = reach_user(ctx, UserPoolId, Username)
    if user["status"] != "UNCONFIRMED":
        raise not_authorized(f"User cannot be confirmed. Current status is {user['status']}")
    with ctx.world.unit(lock=True):
        user = change_user(ctx.world, pool, user_of(ctx.world, pool, user["username"]), status="CONFIRMED")
    await joining.after_confirmation(firing.Occasion(ctx, pool), user, joining.SIGNED_UP, ClientMetadata)
    return {}


def new_user(world: World, pool: Pool, name: str, given: Mapping[str, str], status: str) -> PoolUser:
    """A user who is not stored yet. Raises AwsError: InvalidParameterException."""
    wanted, sub = dict(given), str(uuid.uuid4())
    if not is_username(name):
        raise invalid("Username has 1 to 128 letters, marks, symbols, numbers and punctuation.")
    names = pool["settings"].get("UsernameAttributes") or ()
    username = name
    if names:
        attribute = "email" if "@" in name else "phone_number"
        if attribute not in names:
            raise invalid(
                f"Username should be {' or '.join('an email' if n == 'email' else 'a phone number' for n in names)}."
            )
        attributes.check(pool, {attribute: name})
        wanted[attribute], username = name, sub
    elif "@" in name and "email" in (pool["settings"].get("AliasAttributes") or ()):
        raise invalid("Username cannot be of email format, since user pool is configured for email alias.")
    return born(world, pool, username, {"sub": sub, **wanted}, status)


def born(world: World, pool: Pool, username: str, attributes: dict[str, str], status: str) -> PoolUser:
    """A user without a password, whose addresses are verified only where their attributes say so."""
    now = world.now()
    for address in ("email", "phone_number"):
        if attributes.get(address):
            attributes.setdefault(f"{address}_verified", "false")
    return PoolUser(
        pool=pool["id"],
        username=folded(pool, username),
        sub=attributes["sub"],
        attributes=attributes,
        created=now,
        modified=now,
        enabled=True,
        status=status,
        salt="",
        verifier="",
        groups=[],
    )


def is_username(name: str) -> bool:
    """Whether the API takes the name (botocore's model, UsernameType), by whatever way it comes."""
    return 0 < len(name) <= 128 and all(unicodedata.category(letter)[0] in "LMSNP" for letter in name)  # noqa: PLR2004 - as its model says


def with_password(world: World, pool: Pool, user: PoolUser, password: str, *, is_temporary: bool) -> PoolUser:
    """The user with that password, which is over after the policy's days if it is but temporary."""
    changed: PoolUser = {**user, **passwords.stored(pool, user["username"], password)}
    changed["history"] = passwords.history_of(pool, user)
    changed.pop("temporary_until", None)
    if is_temporary:
        changed["temporary_until"] = world.now() + passwords.temporary_days(pool) * _DAY
    return changed


async def to_confirm(
    occasion: firing.Occasion, user: PoolUser, name: str, value: str, metadata: Mapping[str, str] | None
) -> dict[str, str]:
    """Send a code to an address that counts once it is verified; the old one stays until then."""
    addressed: PoolUser = {**user, "attributes": {**user["attributes"], name: value}}
    sent = await codes.send(occasion, addressed, name, name, "UpdateUserAttribute", metadata)
    world, pool = occasion.ctx.world, occasion.pool
    with world.unit(lock=True):
        current = user_of(world, pool, user["username"])
        change_user(world, pool, current, pending={**current.get("pending", {}), name: value})
    return sent


def with_pending(user: PoolUser, name: str) -> PoolUser:
    """The user as they are once the new address of that name, if there is one, is verified."""
    waiting = user.get("pending", {})
    return {**user, "attributes": {**user["attributes"], name: waiting[name]}} if name in waiting else user


def remove(world: World, pool: Pool, user: PoolUser) -> None:
    """Delete a user with what leads to them and what they have."""
    tokens.sign_out_everywhere(world, pool, user)
    for alias in aliases(pool, user):
        row = world.get(ALIAS, alias)
        if row is not None and row["user"] == user_key(pool, user["username"]):
            world.take(ALIAS, alias)
    codes.forget(world, pool, user)
    devices.forget_all(world, pool, user)
    world.take(USER, user_key(pool, user["username"]))


def delete_attributes(world: World, pool: Pool, user: PoolUser, names: Iterable[str]) -> None:
    """Delete attributes of a user, and what waits to follow them. Raises AwsError for what they cannot be without."""
    gone = set(names)
    change_user(world, pool, user, attributes=_without(pool, user, gone), pending=pending_without(user, gone))


def _without(pool: Pool, user: PoolUser, gone: set[str]) -> dict[str, str]:
    required = {attribute["Name"] for attribute in pool["schema"] if attribute.get("Required")}
    for name in sorted(gone & (required | {"sub"} | set(pool["settings"].get("UsernameAttributes") or ()))):
        raise invalid(f"Cannot delete attribute {name}")
    attributes.check(pool, {name: value for name, value in user["attributes"].items() if name in gone})
    gone = gone | {f"{name}_verified" for name in gone}
    return {name: value for name, value in user["attributes"].items() if name not in gone}


def shown(user: PoolUser, wanted: Container[str] | None = None) -> Result:
    """A user with the wanted attributes, or all."""
    told = attributes.shown(user["attributes"])
    return {
        "Username": user["username"],
        "Attributes": told if wanted is None else [pair for pair in told if pair["Name"] in wanted],
        "UserCreateDate": user["created"],
        "UserLastModifiedDate": user["modified"],
        "Enabled": user["enabled"],
        "UserStatus": user["status"],
    }


async def _invite_again(
    occasion: firing.Occasion, user: PoolUser, password: str | None, metadata: Mapping[str, str] | None
) -> PoolUser:
    world, pool = occasion.ctx.world, occasion.pool
    if user["status"] != "FORCE_CHANGE_PASSWORD":
        raise AwsError("UnsupportedUserStateException", "Resend not possible. " + user["status"])
    password = password or passwords.made_up()
    passwords.check(pool, password)
    user = with_password(world, pool, user, password, is_temporary=True)
    with world.unit(lock=True):
        save_user(world, pool, user)
    await codes.invite(occasion, user, password, ("EMAIL",), metadata)
    return user


def _passes(user: PoolUser, text: str) -> bool:
    if not text.strip():
        return True
    match = _FILTER.fullmatch(text)
    if match is None or match["name"] not in _SEARCHABLE:
        raise invalid("One or more parameters are not valid: Filter")
    value = re.sub(r"\\(.)", r"\1", match["value"])
    special = {
        "username": user["username"],
        "cognito:user_status": user["status"],
        "status": "Enabled" if user["enabled"] else "Disabled",
    }
    actual = special.get(match["name"], user["attributes"].get(match["name"], ""))
    return actual.startswith(value) if match["how"] == "^=" else actual == value
