"""Tags of all four kinds of resources: checked when given, and their three operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sts_emulator.accounts.kit import resource_tag_keys
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.roles_anywhere.kinds import NOUNS, Noun, change, invalid, permit
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import operation

QUOTA = 50
"""Tags of one resource; of every AWS resource, and more than that is TooManyTagsException."""

Pairs = Iterable[Mapping[str, str]]


def new(ctx: Context, pairs: Pairs | None) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """The tags that a resource is created with, and the condition keys of the request that follow from them.

    Tagging on creation needs rolesanywhere:TagResource as well (seen as AWS's denial of a create with tags).

    Raises:
        AwsError: AccessDenied; ValidationException; TooManyTagsException.
    """
    tags = _checked(pairs)
    keys = tag_keys(tags)
    if tags:
        permit(ctx, "TagResource", "*", keys)
    return tags, keys


@operation("rolesanywhere", "TagResource")
def tag_resource(ctx: Context, *, resourceArn: str, tags: Pairs) -> Mapping[str, Any]:
    """Add tags to a resource, or change their values."""
    added = _checked(tags)
    noun, thing = _reach(ctx, "TagResource", resourceArn, tag_keys(added))
    merged = {**thing["tags"], **added}
    if len(merged) > QUOTA:
        raise _too_many()
    change(ctx, noun, thing, tags=merged)
    return {}


@operation("rolesanywhere", "UntagResource")
def untag_resource(ctx: Context, *, resourceArn: str, tagKeys: Iterable[str]) -> Mapping[str, Any]:
    """Remove tags; keys that are not there are ignored."""
    gone = set(tagKeys)
    noun, thing = _reach(ctx, "UntagResource", resourceArn, {"aws:tagkeys": tuple(sorted(gone))} if gone else {})
    change(ctx, noun, thing, tags={name: value for name, value in thing["tags"].items() if name not in gone})
    return {}


@operation("rolesanywhere", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, resourceArn: str) -> Mapping[str, Any]:
    """A resource's tags, sorted by key."""
    _, thing = _reach(ctx, "ListTagsForResource", resourceArn, {})
    return {"tags": [{"key": name, "value": thing["tags"][name]} for name in sorted(thing["tags"])]}


def _reach(ctx: Context, action: str, arn: str, keys: Mapping[str, tuple[str, ...]]) -> tuple[Noun, Stored]:
    for noun in NOUNS:
        thing = ctx.world.find(noun.kind, arn)
        if thing is not None and thing["account"] == ctx.identity.account and thing["region"] == ctx.region:
            permit(ctx, action, arn, {**resource_tag_keys(thing), **keys})
            return noun, thing
    permit(ctx, action, arn, keys)
    raise AwsError("ResourceNotFoundException", "Resource not found", status=404)  # AWS's sentence is not recorded


def _checked(pairs: Pairs | None) -> dict[str, str]:
    listed = list(pairs or ())
    tags = {pair["key"]: pair["value"] for pair in listed}
    if len(tags) != len(listed):
        raise invalid("Duplicate tag keys found")
    if any(name.lower().startswith("aws:") for name in tags):
        raise invalid("Tag keys beginning with aws: are reserved for system use")
    if len(tags) > QUOTA:
        raise _too_many()
    return tags


def _too_many() -> AwsError:
    return AwsError("TooManyTagsException", f"A resource can have {QUOTA} tags at most", status=400)
