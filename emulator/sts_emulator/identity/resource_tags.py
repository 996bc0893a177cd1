"""Tags of instances, permission sets, applications and trusted token issuers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.accounts.documents import changed
from sts_emulator.control_plane import tagging
from sts_emulator.control_plane.tagging import QUOTA, Tagging, without
from sts_emulator.core.errors import AwsError
from sts_emulator.identity.permission import invalid, page, reach_by_arn
from sts_emulator.policy.arns import parse_arn
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

KINDS: Mapping[str, Any] = {
    "permissionSet": directory.PERMISSION_SET,
    "application": directory.APPLICATION,
    "trustedTokenIssuer": directory.TRUSTED_ISSUER,
}


Pairs = tagging.Pairs
TAGGING = Tagging(
    invalid, lambda: AwsError("ServiceQuotaExceededException", f"A resource can have {QUOTA} tags at most.")
)
checked = TAGGING.checked


@operation("sso-admin", "TagResource")
def tag_resource(ctx: Context, *, ResourceArn: str, Tags: Pairs, **_: str) -> Result:
    """Add tags, or change their values."""
    new = checked(Tags)
    kind, key, thing = _reach(ctx, ResourceArn, tag_keys(new))
    merged = TAGGING.merged(thing["tags"], new)
    ctx.world.update(kind, key, changed(tags=merged))
    return {}


@operation("sso-admin", "UntagResource")
def untag_resource(ctx: Context, *, ResourceArn: str, TagKeys: Iterable[str], **_: str) -> Result:
    """Remove tags; keys that are not there are ignored."""
    gone = set(TagKeys)
    kind, key, thing = _reach(ctx, ResourceArn, {"aws:tagkeys": tuple(sorted(gone))})
    kept = without(thing["tags"], gone)
    ctx.world.update(kind, key, changed(tags=kept))
    return {}


@operation("sso-admin", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, ResourceArn: str, NextToken: str = "", **_: str) -> Result:
    """The tags, sorted by key."""
    thing = _reach(ctx, ResourceArn, {})[2]
    return page(ctx, "Tags", TAGGING.shown(thing["tags"]), NextToken, None)


def _reach(ctx: Context, arn: str, keys: Mapping[str, tuple[str, ...]]) -> tuple[Any, str, Mapping[str, Any]]:
    """The kind, key and document of what an ARN names, once the caller may do the call to it."""
    parsed = parse_arn(arn)
    assert parsed is not None  # the model's pattern
    word, instance_id, *_ = parsed.resource.split("/")
    kind, key = (directory.INSTANCE, instance_id) if word == "instance" else (KINDS[word], arn)
    return kind, key, reach_by_arn(ctx, kind, arn, "Resource", key=key, keys=keys)[1]
