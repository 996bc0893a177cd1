"""Pages of IAM's lists: `MaxItems` at a time, continued behind an opaque `Marker`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sts_emulator.control_plane.listing import Item, Listing
from sts_emulator.core.errors import AwsError
from sts_emulator.vending.context import Context

# docs/aws/iam.md, "Service constants"
LISTING = Listing(100, lambda: AwsError("ValidationError", "Invalid Marker."), "Marker")


def page(
    ctx: Context,
    member: str,
    items: Sequence[Item],
    marker: str | None,
    limit: int | None,
    render: Callable[[Item], Any] = lambda item: item,
) -> dict[str, Any]:
    """As `Listing.page`, with `IsTruncated`."""
    part = LISTING.page(ctx, member, items, marker, limit, render)
    return {**part, "IsTruncated": LISTING.token in part}
