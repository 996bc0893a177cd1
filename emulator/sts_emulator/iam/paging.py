"""Pages of IAM's lists: `MaxItems` at a time, continued behind an opaque `Marker`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

from sts_emulator.control_plane.listing import Item, Listing, itself
from sts_emulator.core.errors import AwsError
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, Wire

# docs/aws/iam.md, "Service constants"
LISTING = Listing(100, lambda: AwsError("ValidationError", "Invalid Marker."), "Marker")


class Paging(TypedDict, total=False):
    """What every list is asked besides: where to go on, and how much to show."""

    Marker: str | None
    MaxItems: int | None


def page(
    ctx: Context, member: str, items: Sequence[Item], paging: Paging, render: Callable[[Item], Wire] = itself
) -> Result:
    """As `Listing.page`, with `IsTruncated`."""
    shown, rest = part(ctx, member, items, paging)
    return {member: [render(item) for item in shown], **rest}


def part(ctx: Context, of: str, items: Sequence[Item], paging: Paging) -> tuple[Sequence[Item], Result]:
    """As `Listing.part`, likewise."""
    shown, rest = LISTING.part(ctx, of, items, paging.get("Marker"), paging.get("MaxItems"))
    return shown, {**rest, "IsTruncated": bool(rest)}
