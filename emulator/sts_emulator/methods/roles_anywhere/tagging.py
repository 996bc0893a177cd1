"""Tags of all four kinds of resources: checked when given, and their three operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sts_emulator.control_plane.reach import own, resource_tag_keys
from sts_emulator.control_plane.tagging import QUOTA, Pairs, Tagging, without
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.roles_anywhere.kinds import NOUNS, AnyNoun, change, invalid, permit
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

TAGGING = Tagging(
    invalid,
    lambda: AwsError("TooManyTagsException", f"A resource can have {QUOTA} tags at most", status=400),
    "key",
    "value",
)


def new(ctx: Context, pairs: Pairs | None) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The tags that a resource is created with, and the condition keys of the request that follow from them.

    Tagging on creation needs rolesanywhere:TagResource as well (seen as AWS's denial of a create with tags).

    Raises:
        AwsError: AccessDenied; ValidationException; TooManyTagsException.
    """
    tags = TAGGING.checked(pairs)
    keys = tag_keys(tags)
    if tags:
        permit(ctx, "TagResource", "*", keys)
    return tags, keys


@operation("rolesanywhere", "TagResource")
def tag_resource(ctx: Context, *, resourceArn: str, tags: Pairs) -> Result:
    added = TAGGING.checked(tags)
    noun, thing = _reach(ctx, "TagResource", resourceArn, tag_keys(added))
    change(ctx, noun, thing, tags=TAGGING.merged(thing["tags"], added))
    return {}


@operation("rolesanywhere", "UntagResource")
def untag_resource(ctx: Context, *, resourceArn: str, tagKeys: Iterable[str]) -> Result:
    """Remove tags; keys that are not there are ignored."""
    gone = set(tagKeys)
    noun, thing = _reach(ctx, "UntagResource", resourceArn, {"aws:tagkeys": tuple(sorted(gone))} if gone else {})
    change(ctx, noun, thing, tags=without(thing["tags"], gone))
    return {}


@operation("rolesanywhere", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, resourceArn: str) -> Result:
    _, thing = _reach(ctx, "ListTagsForResource", resourceArn, {})
    return {"tags": TAGGING.shown(thing["tags"])}


def _reach(ctx: Context, action: str, arn: str, keys: Mapping[str, tuple[str, ...]]) -> tuple[AnyNoun, Any]:
    for noun in NOUNS:
        thing = own(ctx, ctx.world.find(noun.kind, arn))
        if thing is not None:
            permit(ctx, action, arn, {**resource_tag_keys(thing), **keys})
            return noun, thing
    permit(ctx, action, arn, keys)
    raise AwsError("ResourceNotFoundException", "Resource not found", status=404)  # AWS's sentence is not recorded
