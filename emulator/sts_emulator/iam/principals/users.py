"""IAM users: their life, and how results show them."""

from __future__ import annotations

from typing import Any, Unpack

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import AccessKey, FidoDevice, MfaDevice, User, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import root_arn
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import MFA_DEVICE, USER, born, claim, listing
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import list_under, moved, permit_new, reach, reach_user
from sts_emulator.iam.policies.policy_holders import boundary_keys, check_bare, check_boundary, shown_boundary
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

# What belongs to a user by its unique id; the files that own these kinds import this one.
CREDENTIALS: tuple[Kind[Any], ...] = (Kind("service-credential"), Kind("ssh-public-key"))
CERTIFICATE: Kind[Any] = Kind("signing-certificate")

tag_user, untag_user, list_user_tags = tags.operations(USER)


@operation("iam", "CreateUser")
def create_user(
    ctx: Context,
    *,
    UserName: str,
    Path: str = "/",
    PermissionsBoundary: str | None = None,
    Tags: tags.Pairs | None = None,
) -> Result:
    labels = tags.checked(USER, Tags)
    arn = USER.arn(ctx.identity.account, Path, UserName)
    permit_new(ctx, USER, arn, labels, boundary_keys(PermissionsBoundary))
    if PermissionsBoundary:
        check_boundary(ctx, PermissionsBoundary)
    claim(ctx, USER, UserName)
    user: Any = {**born(ctx, USER, Path, UserName), "tags": labels, "inline": {}, "attached": [], "groups": []}
    if PermissionsBoundary:
        user["boundary"] = PermissionsBoundary
    ctx.world.add(USER.kind, USER.key(user), user, uid=user["id"])
    return {"User": {**shown(user), **shown_boundary(user), **tags.echoed(labels)}}


@operation("iam", "GetUser")
def get_user(ctx: Context, *, UserName: str | None = None) -> Result:
    """One user; without a name the caller, who may also be the account's root."""
    user = reach_user(ctx, UserName)
    if user is None:
        return {"User": _shown_root(ctx)}
    return {"User": {**shown(user), **shown_boundary(user), **tags.shown_if_any(user["tags"])}}


@operation("iam", "ListUsers")
def list_users(ctx: Context, *, PathPrefix: str = "/", **paging: Unpack[Paging]) -> Result:
    """The account's users under a path, without tags and boundary."""
    return page(ctx, "Users", list_under(ctx, USER, PathPrefix), paging, shown)


@operation("iam", "UpdateUser")
def update_user(ctx: Context, *, UserName: str, NewPath: str | None = None, NewUserName: str | None = None) -> Result:
    """Rename or move a user; keys, groups, devices and policies stay with it."""
    user = reach(ctx, USER, UserName)
    new = moved(ctx, USER, user, NewPath, NewUserName)["name"]
    for key in keys_of(ctx.world, user["account"], user["name"]) if new != user["name"] else ():
        ctx.world.update(documents.ACCESS_KEY, key["id"], changed(user=new))
    return {}


@operation("iam", "DeleteUser")
def delete_user(ctx: Context, *, UserName: str) -> Result:
    """Delete a user that has nothing left: no policies, groups, keys, password, devices or other credentials."""
    user = reach(ctx, USER, UserName)
    check_bare(user)
    if user["groups"]:
        raise _conflict("must remove users from group first")
    if devices_of(ctx.world, user["account"], user["id"]):
        raise _conflict("must remove tokens from principal first")
    if user.get("password"):
        raise _conflict("must delete login profile first")
    if keys_of(ctx.world, user["account"], user["name"]):
        raise _conflict("must delete access keys first")
    if ctx.world.page(CERTIFICATE, f"{user['id']}/", limit=1):
        raise _conflict("must delete certificates first")
    if any(ctx.world.page(kind, f"{user['id']}/", limit=1) for kind in CREDENTIALS):
        raise _conflict("must remove referenced objects first")
    ctx.world.take(USER.kind, USER.key(user))
    return {}


def shown(user: User) -> Result:
    """A user as every result shows it."""
    used = user.get("password", {}).get("used")
    return {**USER.shown(user), **({"PasswordLastUsed": used} if used else {})}


def keys_of(world: World, account: str, name: str) -> list[AccessKey]:
    """The access keys of a user, oldest first; an empty name means the account's root."""
    keys = [key for key in world.page(documents.ACCESS_KEY) if key["account"] == account]
    return sorted((key for key in keys if key["user"].lower() == name.lower()), key=lambda key: key["created"])


def devices_of(world: World, account: str, owner: str) -> list[MfaDevice | FidoDevice]:
    """The MFA devices that belong to the user of that unique id: virtual ones, passkeys and security keys."""
    devices: list[MfaDevice | FidoDevice] = [*listing(world, MFA_DEVICE, account), *fido_devices(world, account)]
    return [device for device in devices if device["owner"] == owner]


def fido_devices(world: World, account: str) -> list[FidoDevice]:
    """The passkeys and security keys of an account."""
    return world.page(documents.FIDO_DEVICE, f"{account}/")


def by_id(world: World, identifier: str) -> User | None:
    """The user of that unique id, or None."""
    return world.find(USER.kind, identifier)


def _shown_root(ctx: Context) -> Result:
    account = ctx.identity.account
    known = ctx.world.get(documents.ACCOUNT, account)
    created = int(ctx.world.now()) if known is None else known["created"]
    return {"UserId": account, "Arn": root_arn(account), "CreateDate": created}


def _conflict(what: str) -> AwsError:
    return AwsError("DeleteConflict", f"Cannot delete entity, {what}.")
