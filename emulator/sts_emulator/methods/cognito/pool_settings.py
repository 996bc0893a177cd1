"""The control plane of identity pools: create, describe, update, delete, list, and their tags."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool
from sts_emulator.control_plane.tagging import QUOTA, without
from sts_emulator.methods.cognito.identity_pools import arn_of, change, invalid, key, permit, reach, rows
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.json_types import Json
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation


@operation("cognito-identity", "CreateIdentityPool")
def create_identity_pool(
    ctx: Context, *, IdentityPoolName: str, IdentityPoolTags: Mapping[str, str] | None = None, **settings: object
) -> Result:
    """A pool under a new id. Providers that it names need not exist yet."""
    tags = _checked(IdentityPoolTags or {})
    permit(ctx, "CreateIdentityPool", "*", tag_keys(tags))
    account, region = ctx.identity.account, ctx.region
    identifier = f"{region}:{uuid.uuid4()}"
    pool = IdentityPool(
        id=identifier,
        account=account,
        region=region,
        arn=arn_of(account, region, identifier),
        settings={"IdentityPoolName": IdentityPoolName, **settings},
        tags=tags,
        roles={},
        mappings={},
        principal_tags={},
    )
    ctx.world.add(documents.IDENTITY_POOL, key(pool), pool, uid=identifier)
    return shown(pool)


@operation("cognito-identity", "DescribeIdentityPool")
def describe_identity_pool(ctx: Context, *, IdentityPoolId: str) -> Result:
    return shown(reach(ctx, "DescribeIdentityPool", IdentityPoolId))


@operation("cognito-identity", "UpdateIdentityPool")
def update_identity_pool(
    ctx: Context, *, IdentityPoolId: str, IdentityPoolTags: Mapping[str, str] | None = None, **settings: Json
) -> Result:
    """Replace the settings as a whole: what the request leaves out is gone. Tags stay where it has none."""
    pool = reach(ctx, "UpdateIdentityPool", IdentityPoolId)
    tags = pool["tags"] if IdentityPoolTags is None else _checked(IdentityPoolTags)
    return shown(change(ctx, pool, {"settings": {**settings, **_developer(pool, settings)}, "tags": tags}))


def _developer(pool: IdentityPool, settings: Mapping[str, object]) -> Mapping[str, str]:
    """The developer provider name, which stays once it is set (API reference of CreateIdentityPool).

    Raises:
        AwsError: InvalidParameterException for another one.
    """
    before: str = pool["settings"].get("DeveloperProviderName", "")
    if before and settings.get("DeveloperProviderName", before) != before:
        raise invalid("The developer provider name of an identity pool cannot be changed.")
    return {"DeveloperProviderName": before} if before else {}


@operation("cognito-identity", "DeleteIdentityPool")
def delete_identity_pool(ctx: Context, *, IdentityPoolId: str) -> Result:
    """Delete a pool with all its identities: nobody can get credentials from it any more."""
    pool = reach(ctx, "DeleteIdentityPool", IdentityPoolId)
    kinds: Sequence[Any] = (documents.POOL_IDENTITY, documents.POOL_LOGIN)
    for kind in kinds:
        for place, _ in ctx.world.page_keys(kind, f"{pool['id']}/"):
            ctx.world.take(kind, place)
    ctx.world.take(documents.IDENTITY_POOL, key(pool))
    return {}


@operation("cognito-identity", "ListIdentityPools")
def list_identity_pools(ctx: Context, *, MaxResults: int, NextToken: str = "") -> Result:
    permit(ctx, "ListIdentityPools")
    prefix = f"{ctx.identity.account}/{ctx.region}/"
    pools, rest = rows(ctx, documents.IDENTITY_POOL, prefix, NextToken, MaxResults)
    names = [{"IdentityPoolId": pool["id"], "IdentityPoolName": pool["settings"]["IdentityPoolName"]} for pool in pools]
    return {"IdentityPools": names, **rest}


@operation("cognito-identity", "TagResource")
def tag_resource(ctx: Context, *, ResourceArn: str, Tags: Mapping[str, str]) -> Result:
    pool = reach(ctx, "TagResource", _pool_id(ResourceArn), tag_keys(Tags))
    change(ctx, pool, {"tags": _checked({**pool["tags"], **Tags})})
    return {}


@operation("cognito-identity", "UntagResource")
def untag_resource(ctx: Context, *, ResourceArn: str, TagKeys: Sequence[str]) -> Result:
    """Remove tags; keys that are not there are ignored."""
    pool = reach(ctx, "UntagResource", _pool_id(ResourceArn), {"aws:tagkeys": tuple(TagKeys)})
    change(ctx, pool, {"tags": without(pool["tags"], TagKeys)})
    return {}


@operation("cognito-identity", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, ResourceArn: str) -> Result:
    return {"Tags": reach(ctx, "ListTagsForResource", _pool_id(ResourceArn))["tags"]}


def shown(pool: IdentityPool) -> Result:
    """The IdentityPool structure."""
    tags = {"IdentityPoolTags": pool["tags"]} if pool["tags"] else {}
    return {"IdentityPoolId": pool["id"], **pool["settings"], **tags}


def _pool_id(arn: str) -> str:
    parts = parse_arn(arn)
    kind, _, identifier = parts.resource.partition("/") if parts else ("", "", "")
    if kind != "identitypool" or not identifier:
        raise invalid(f"Invalid ARN: {arn}")
    return identifier


def _checked(tags: Mapping[str, str]) -> dict[str, str]:
    if len(tags) > QUOTA or any(name.lower().startswith("aws:") for name in tags):
        raise invalid(f"A resource has {QUOTA} tags at most, and none that begins with aws:")
    return dict(tags)
