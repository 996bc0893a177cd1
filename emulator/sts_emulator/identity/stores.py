"""The identity store of an instance: who may read and change it, how its things are named, and its network settings.

Those settings are stored, and nothing is kept out by them. Sentences are ours where AWS's are not recorded.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import DirectoryGroup, DirectoryUser, Instance
from sts_emulator.accounts.documents import changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.identity.permission import foreign, is_administrator, page, permit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_NETWORK_DEFAULT = {"VpceAccessRequired": False}


# -- naming and finding -------------------------------------------------------------------------------------------


def bare(identifier: str) -> str:
    """The id in an ARN of an identity store, user, group or membership; an id is its own."""
    return identifier.rpartition("/")[2]


def arn(kind: str, identifier: str) -> str:
    """The ARN of a user, group or membership."""
    return f"arn:aws:identitystore:::{kind}/{identifier}"


def open_store(ctx: Context, store_id: str, *resources: str) -> Instance:
    """The instance of an identity store, once the caller may do the call to it and to the resources (ARNs).

    Raises:
        AwsError: AccessDenied; ResourceNotFoundException.
    """
    instance = directory.instance_of_store(ctx.world, bare(store_id))
    owner = instance["account"] if instance else ctx.identity.account
    store_arn = f"arn:aws:identitystore::{owner}:identitystore/{bare(store_id)}"
    permit(ctx, store_arn, *resources)
    if instance is None:
        raise absent("IDENTITY_STORE", bare(store_id))
    if not is_administrator(ctx, instance) or store_id not in (instance["store"], store_arn):
        raise foreign(ctx, store_arn)
    return instance


def principal(world: World, instance: Instance, kind: str, identifier: str) -> DirectoryUser | DirectoryGroup | None:
    """The user or group of that id (kind: USER, GROUP)."""
    key = f"{instance['store']}/{identifier}"
    return world.get(directory.USERS, key) if kind == directory.USER else world.get(directory.GROUPS, key)


def absent(kind: str, identifier: str) -> AwsError:
    """The error for what is not in the store; `kind` is the model's ResourceType."""
    members = {"ResourceType": kind, "ResourceId": identifier}
    return AwsError("ResourceNotFoundException", f"{kind} not found.", members=members)


def taken(message: str) -> AwsError:
    """The conflict with something else that has the same unique attribute."""
    members = {"Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}
    return AwsError("ConflictException", message, members=members)


def check_revision(document: Mapping[str, object], revision: str) -> None:
    """Refuse a change to what somebody else has changed since. Raises AwsError: ConflictException."""
    if revision and int(revision) != document["revision"]:
        members = {"Reason": "CONCURRENT_MODIFICATION"}
        raise AwsError("ConflictException", "The resource was changed by another request.", members=members)


def born(ctx: Context, store: str, external_ids: Sequence[Mapping[str, str]]) -> Result:
    """What every new user or group has."""
    now, who = int(ctx.world.now()), author(ctx)
    return {
        "store": store,
        "id": str(uuid.uuid4()),
        "external_ids": list(external_ids),
        "created": now,
        "created_by": who,
        "updated": now,
        "updated_by": who,
        "revision": next_revision(0),
    }


def author(ctx: Context) -> str:
    """Who makes and changes things: the caller, or SCIM, which has none."""
    return ctx.identity.arn if ctx.caller else "SCIM"


def renewed(ctx: Context, document: Mapping[str, Any], members: Mapping[str, object]) -> Any:
    """A user or group with other members, changed now and by the caller."""
    stamps = {"updated": int(ctx.world.now()), "updated_by": author(ctx)}
    return {**document, **members, **stamps, "revision": next_revision(document["revision"])}


def next_revision(before: int) -> int:
    """A revision behind another one: an opaque number that only grows."""
    return max(before + 1, time.monotonic_ns() // 1000)


def stamps(document: Mapping[str, Any]) -> Result:
    """When, and by whom, something was made and changed."""
    return {
        "CreatedAt": document["created"],
        "CreatedBy": document["created_by"],
        "UpdatedAt": document.get("updated", document["created"]),
        "UpdatedBy": document.get("updated_by", document["created_by"]),
    }


# -- operations ---------------------------------------------------------------------------------------------------


@operation("identitystore", "DescribeIdentityStore")
def describe_identity_store(ctx: Context, *, IdentityStoreId: str) -> Result:
    instance = open_store(ctx, IdentityStoreId)
    return {**_shown(instance), "NetworkConfiguration": instance.get("network", _NETWORK_DEFAULT)}


@operation("identitystore", "ListIdentityStores")
def list_identity_stores(ctx: Context, *, MaxResults: int | None = None, NextToken: str = "") -> Result:
    """The stores that the caller's account administers."""
    permit(ctx)
    mine = [instance for instance in directory.instances(ctx.world) if is_administrator(ctx, instance)]
    return page(ctx, "IdentityStores", mine, NextToken, MaxResults, _shown)


@operation("identitystore", "UpdateIdentityStore")
def update_identity_store(
    ctx: Context, *, IdentityStoreId: str, NetworkConfiguration: JsonObject | None = None
) -> Result:
    """Set from where the store may be reached; stored only."""
    instance = open_store(ctx, IdentityStoreId)
    if NetworkConfiguration is not None:
        ctx.world.update(directory.INSTANCE, instance["id"], changed(network=dict(NetworkConfiguration)))
    return _shown(instance)


def _shown(instance: Instance) -> Result:
    return {"IdentityStoreId": instance["store"], "IdentityStoreArn": directory.store_arn(instance)}
