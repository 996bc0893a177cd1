"""Tags of every kind of thing: checked, shown, and their three operations, generated alike for each noun."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sts_emulator.control_plane import tagging
from sts_emulator.control_plane.tagging import Tagging, without
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.nouns import AnyNoun
from sts_emulator.iam.paging import page
from sts_emulator.iam.permits import reach
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

Pairs = tagging.Pairs
TAGGING = Tagging(
    lambda sentence: AwsError("InvalidInput", sentence),
    lambda: AwsError("LimitExceeded", "The number of tags has reached the maximum limit."),
)
shown = TAGGING.shown

Operation = Callable[..., Mapping[str, Any]]


def checked(noun: AnyNoun, pairs: Pairs | None) -> dict[str, str]:
    """Tags of a request as a mapping; users and roles take keys that differ in case only for one and the same.

    Raises:
        AwsError: InvalidInput for a key twice, or one of AWS's own.
    """
    return TAGGING.checked(pairs, folded=noun.folds_tags)


def shown_if_any(tags: Mapping[str, str]) -> Result:
    """The `Tags` member of results that have one only when there are tags (docs/aws/iam.md, "Members of results")."""
    return {"Tags": shown(tags)} if tags else {}


def echoed(tags: Mapping[str, str]) -> Result:
    """The `Tags` member with which a creation answers: as sent (recorded 2026-09), and only if there are any."""
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}


def operations(noun: AnyNoun) -> tuple[Operation, Operation, Operation]:
    """Register and return the noun's TagX, UntagX and ListXTags."""
    return _tag(noun), _untag(noun), _list(noun)


def _tag(noun: AnyNoun) -> Operation:
    @operation("iam", f"Tag{noun.wire}")
    def tag(ctx: Context, *, Tags: Pairs, **named: str) -> Result:
        """Add tags, or change their values."""
        new = checked(noun, Tags)
        thing = reach(ctx, noun, named[noun.member], tag_keys(new))
        if not new:
            raise AwsError("InvalidInput", "Tags must not be empty.")

        def change(body: Any) -> Any:
            return {**body, "tags": TAGGING.merged(body.get("tags", {}), new, folded=noun.folds_tags)}

        ctx.world.update(noun.kind, noun.key(thing), change)
        return {}

    return tag


def _untag(noun: AnyNoun) -> Operation:
    @operation("iam", f"Untag{noun.wire}")
    def untag(ctx: Context, *, TagKeys: Iterable[str], **named: str) -> Result:
        """Remove tags; keys that are not there are ignored."""
        keys = list(TagKeys)
        asked = {"aws:tagkeys": tuple(keys)} if keys else {}
        thing = reach(ctx, noun, named[noun.member], asked)

        def change(body: Any) -> Any:
            return {**body, "tags": without(body["tags"], keys, folded=noun.folds_tags)}

        ctx.world.update(noun.kind, noun.key(thing), change)
        return {}

    return untag


def _list(noun: AnyNoun) -> Operation:
    @operation("iam", f"List{noun.wire}Tags")
    def list_tags(ctx: Context, *, Marker: str | None = None, MaxItems: int | None = None, **named: str) -> Result:
        """The tags, sorted by key."""
        thing = reach(ctx, noun, named[noun.member])
        return page(ctx, "Tags", shown(thing.get("tags", {})), {"Marker": Marker, "MaxItems": MaxItems})

    return list_tags
