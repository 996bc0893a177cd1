"""Pages of a list: so many at a time, continued behind a sealed token that only the same call takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import Body
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.dispatch import Result, Wire

Item = TypeVar("Item")


def itself(item: object) -> Any:
    """What is already as the wire has it."""
    return item


@dataclass(frozen=True, slots=True)
class Listing:
    """How a service pages: the size of a page where a call names none, its refusal of a token, and the token's name."""

    size: int
    refusal: Callable[[], AwsError]
    token: str = "NextToken"  # noqa: S105 - a member's name

    def page(
        self,
        ctx: Context,
        member: str,
        items: Sequence[Item],
        token: str | None,
        limit: int | None,
        render: Callable[[Item], Wire] = itself,
        *,
        of: str = "",
    ) -> Result:
        """One page as the result member `member`, and the token where there is more; `of` tells lists of a call apart.

        Raises:
            AwsError: the refusal, for a token that no page of this list gave.
        """
        part, rest = self.part(ctx, of or member, items, token, limit)
        return {member: [render(item) for item in part], **rest}

    def part(
        self, ctx: Context, of: str, items: Sequence[Item], token: str | None, limit: int | None
    ) -> tuple[Sequence[Item], dict[str, str]]:
        """The items of a page as they are, and the token member; as `page`."""
        start = int(self._opened(ctx, of, token) or 0)
        end = start + (limit or self.size)
        return items[start:end], self._following(ctx, of, str(end)) if end < len(items) else {}

    def rows(
        self, ctx: Context, kind: Kind[Body], prefix: str, token: str, limit: int
    ) -> tuple[list[Body], dict[str, str]]:
        """One page of documents whose key begins with `prefix`, read no further, and the token member; as `page`."""
        of = f"{kind}:{prefix}"
        pairs = ctx.world.page_keys(kind, prefix, self._opened(ctx, of, token), limit + 1)
        rest = self._following(ctx, of, pairs[limit - 1][0]) if len(pairs) > limit else {}
        return [body for _, body in pairs[:limit]], rest

    def _opened(self, ctx: Context, of: str, token: str | None) -> str:
        opened = unseal(ctx.world, _purpose(ctx, of), token) if token else b""
        if opened is None:
            raise self.refusal()
        return opened.decode()

    def _following(self, ctx: Context, of: str, place: str) -> dict[str, str]:
        return {self.token: seal(ctx.world, _purpose(ctx, of), place.encode())}


def _purpose(ctx: Context, of: str) -> str:
    return f"{ctx.service}:{ctx.operation}:{of}"
