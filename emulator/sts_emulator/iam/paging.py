"""Pages of a list: `MaxItems` at a time, continued behind an opaque `Marker`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sts_emulator.core.errors import AwsError
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import seal, unseal

PAGE = 100  # the default of MaxItems (docs/aws/iam.md, "Service constants")

Item = TypeVar("Item")


def page(
    ctx: Context,
    member: str,
    items: Sequence[Item],
    marker: str | None,
    limit: int | None,
    render: Callable[[Item], Any] = lambda item: item,
) -> dict[str, Any]:
    """One page of `items` as the result members `member`, `IsTruncated` and, when there is more, `Marker`.

    Raises:
        AwsError: ValidationError `Invalid Marker.` for one that no page of this list gave.
    """
    start = _start(ctx, member, marker)
    end = start + (limit or PAGE)
    result: dict[str, Any] = {member: [render(item) for item in items[start:end]], "IsTruncated": end < len(items)}
    if end < len(items):
        result["Marker"] = seal(ctx.world, _purpose(member), str(end).encode())
    return result


def _start(ctx: Context, member: str, marker: str | None) -> int:
    if not marker:
        return 0
    opened = unseal(ctx.world, _purpose(member), marker)
    if opened is None:
        raise AwsError("ValidationError", "Invalid Marker.")
    return int(opened)


def _purpose(member: str) -> str:
    return f"iam-marker:{member}"
