"""Long-term access keys of users and of an account's root."""

from __future__ import annotations

from typing import Unpack

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import AccessKey, User, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import root_arn
from sts_emulator.iam.nouns import USER, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import permit, reach_user
from sts_emulator.iam.principals.users import keys_of
from sts_emulator.vending.authorize import access_denied
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import new_long_term_key
from sts_emulator.wire.dispatch import Result, operation

PER_USER = 2
ROOT_NAME = "root"


@operation("iam", "CreateAccessKey")
def create_access_key(ctx: Context, *, UserName: str | None = None) -> Result:
    """A new key of a user, or of the caller; its secret is shown this once."""
    user = reach_user(ctx, UserName)
    key_id, secret = new_long_term_key(ctx.identity.account)
    key = add_access_key(ctx, user, key_id, secret)
    return {"AccessKey": {**_shown(key), "SecretAccessKey": secret}}


def add_access_key(ctx: Context, user: User | None, key_id: str, secret: str) -> AccessKey:
    """Give a user, or the account's root when `user` is None, the key with this id and secret.

    Raises:
        AwsError: LimitExceeded for a third key.
    """
    account, name = ctx.identity.account, user["name"] if user else ""
    if len(keys_of(ctx.world, account, name)) >= PER_USER:
        raise over_quota("AccessKeysPerUser", PER_USER)
    key = documents.AccessKey(
        id=key_id, account=account, user=name, secret=secret, status="Active", created=int(ctx.world.now())
    )
    ctx.world.add(documents.ACCESS_KEY, key_id, key)
    return key


@operation("iam", "ListAccessKeys")
def list_access_keys(ctx: Context, *, UserName: str | None = None, **paging: Unpack[Paging]) -> Result:
    """The keys of a user, or of the caller, without their secrets."""
    user = reach_user(ctx, UserName)
    keys = keys_of(ctx.world, ctx.identity.account, user["name"] if user else "")
    return page(ctx, "AccessKeyMetadata", keys, paging, _shown)


@operation("iam", "UpdateAccessKey")
def update_access_key(ctx: Context, *, AccessKeyId: str, Status: str, UserName: str | None = None) -> Result:
    """Switch a key on or off."""
    key = _own_key(ctx, UserName, AccessKeyId)
    if Status == "Expired":
        raise AwsError("InvalidInput", f"Operation does not support status {Status}")
    ctx.world.update(documents.ACCESS_KEY, key["id"], changed(status=Status))
    return {}


@operation("iam", "DeleteAccessKey")
def delete_access_key(ctx: Context, *, AccessKeyId: str, UserName: str | None = None) -> Result:
    """Delete a key for good."""
    key = _own_key(ctx, UserName, AccessKeyId)
    ctx.world.take(documents.ACCESS_KEY, key["id"])
    return {}


@operation("iam", "GetAccessKeyLastUsed")
def get_access_key_last_used(ctx: Context, *, AccessKeyId: str) -> Result:
    """When, where and for which service a key last signed; judged by the permissions on its owner."""
    key = ctx.world.get(documents.ACCESS_KEY, AccessKeyId)
    if key is None or key["account"] != ctx.identity.account:
        raise access_denied(
            f"User: {ctx.identity.arn} is not authorized to perform iam:GetAccessKeyLastUsed on resource: "
            f"access key {AccessKeyId}"
        )
    owner = USER.find(ctx.world, key["account"], key["user"]) if key["user"] else None
    if owner is None:
        permit(ctx, "GetAccessKeyLastUsed", root_arn(key["account"]))
    else:
        permit(ctx, "GetAccessKeyLastUsed", owner["arn"], named=USER.spoken.format(owner["name"]))
    return {"UserName": key["user"] or ROOT_NAME, "AccessKeyLastUsed": _last_used(ctx, key)}


def _last_used(ctx: Context, key: AccessKey) -> Result:
    """`AccessKeyLastUsed`; a key that never signed has no date and `N/A` elsewhere (recorded 2026-02)."""
    used = ctx.world.touched(documents.ACCESS_KEY, key["id"])
    if not used:
        return {"ServiceName": "N/A", "Region": "N/A"}
    at, region, service = used
    return {"LastUsedDate": int(at), "ServiceName": service, "Region": region}


def _own_key(ctx: Context, user_name: str | None, key_id: str) -> AccessKey:
    user = reach_user(ctx, user_name)
    key = ctx.world.get(documents.ACCESS_KEY, key_id)
    owner = user["name"] if user else ""
    if key is None or key["account"] != ctx.identity.account or key["user"].lower() != owner.lower():
        raise AwsError("NoSuchEntity", f"The Access Key with id {key_id} cannot be found.")
    return key


def _shown(key: AccessKey) -> Result:
    return {
        "UserName": key["user"] or ROOT_NAME,
        "AccessKeyId": key["id"],
        "Status": key["status"],
        "CreateDate": key["created"],
    }
