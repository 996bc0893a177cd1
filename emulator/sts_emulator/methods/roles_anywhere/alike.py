"""What trust anchors, profiles and CRLs have alike: get, list, delete, enable, disable, and how an update answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sts_emulator.methods.roles_anywhere import aliases
from sts_emulator.methods.roles_anywhere.kinds import SERVICE, Noun, Resource, change, key, page, permit, reach
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, Wire, operation


def declare(noun: Noun[Resource], detail: Callable[[Resource], Result]) -> None:
    """Register those of a kind. They name the resource by their only parameter, which each kind calls otherwise."""
    title = noun.stem[0].upper() + noun.stem[1:]

    def reached(ctx: Context, verb: str, named: Mapping[str, str]) -> Resource:
        (identifier,) = named.values()
        return reach(ctx, verb + title, noun, identifier)

    @operation(SERVICE, f"Get{title}")
    def get(ctx: Context, **named: str) -> Result:
        return {noun.stem: detail(reached(ctx, "Get", named))}

    @operation(SERVICE, f"List{title}s")
    def list_(ctx: Context, *, nextToken: str = "", pageSize: int | None = None) -> Result:
        permit(ctx, f"List{title}s")
        things, rest = page(ctx, noun, nextToken, pageSize)
        return {f"{noun.stem}s": [detail(thing) for thing in things], **rest}

    @operation(SERVICE, f"Delete{title}")
    def delete(ctx: Context, **named: str) -> Result:
        """The answer shows what was deleted."""
        gone = reached(ctx, "Delete", named)
        ctx.world.take(noun.kind, key(gone))
        return {noun.stem: detail(gone)}

    @operation(SERVICE, f"Enable{title}")
    def enable(ctx: Context, **named: str) -> Result:
        return {noun.stem: detail(change(ctx, noun, reached(ctx, "Enable", named), enabled=True))}

    @operation(SERVICE, f"Disable{title}")
    def disable(ctx: Context, **named: str) -> Result:
        """Let it count for nothing from the next call on, until it is enabled again."""
        return {noun.stem: detail(change(ctx, noun, reached(ctx, "Disable", named), enabled=False))}


def updated(
    ctx: Context,
    noun: Noun[Resource],
    before: Resource,
    alias: str | None,
    detail: Callable[[Resource], Result],
    **members: Wire,
) -> Result:
    """An update's answer, the members and the alias that the request has once stored; what it leaves out stays."""
    given = {name: value for name, value in members.items() if value is not None}
    after = change(ctx, noun, before, **given, **aliases.claimed(ctx, noun, alias, before))
    return {noun.stem: {**detail(after), **aliases.previous(before, after)}}
