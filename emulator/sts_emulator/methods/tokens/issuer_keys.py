"""Knows where an issuer's keys come from: the world's own issuers, a provider's static keys, or the issuer itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import field
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.accounts import documents
from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.world import World
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, Provider, ThumbprintError
from sts_emulator.methods.tokens.jwk import KeySet
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context

FRESH: Final = 300
"""Seconds for which fetched keys are used without asking again. AWS publishes no number; this one is ours."""

STALE: Final = 3_600
"""Seconds for which fetched keys outlive an issuer that cannot be reached any more. Ours, likewise."""

RETRY: Final = 10
"""Seconds between two fetches from one issuer for key ids that it did not have (rotation). Ours, likewise."""

_MAX_ISSUERS = 256


@dataclass(slots=True)
class _Fetched:
    """What one issuer gave. `tried` is the last attempt and `at` the last success, in seconds of the world's time."""

    keys: KeySet = field(default_factory=lambda: KeySet({}))
    at: float = float("-inf")
    tried: float = float("-inf")
    why: Exception = field(default_factory=lambda: KeysUnavailableError("not fetched yet"))


_fetched: OrderedDict[tuple[str, ...], _Fetched] = OrderedDict()
_running: dict[tuple[str, ...], Future[None]] = {}  # of any thread: see core.threads

_tasks: set[asyncio.Task[None]] = set()  # a loop holds its tasks but weakly


def known(ctx: Context, provider: Provider, key_id: str | None) -> KeySet | None:
    """The keys, where they can be had without asking the issuer; None where `fetch` must be awaited first.

    Raises:
        KeysUnavailableError: they cannot be had, and asking would not help or is not permitted.
        ThumbprintError: the issuer was asked, and could not be trusted.
    """
    world = ctx.world
    local = world.memo(("issuer-keys", provider.issuer), lambda: _local(world, provider.issuer))
    if local is not None:
        ctx.evidence["keys"] = "issuer in this world"
        return local
    if provider.jwks is not None:
        ctx.evidence["keys"] = "static key set of the provider"
        return KeySet(provider.jwks)
    _check_permitted(ctx, provider.issuer)
    return _from_cache(ctx, provider, key_id)


async def fetch(ctx: Context, provider: Provider) -> None:
    """Ask the issuer for its keys; what comes of it, `known` tells. Simultaneous calls share one fetch."""
    place = _place(ctx.world, provider)
    mine: Future[None] = Future()
    if (running := _running.setdefault(place, mine)) is mine:
        task = asyncio.create_task(_refresh(place, ctx.world.now(), provider))
        _tasks.add(task)
        task.add_done_callback(partial(_end, place))
    await asyncio.shield(asyncio.wrap_future(running))


def _end(place: tuple[str, ...], task: asyncio.Task[None]) -> None:
    _tasks.discard(task)
    running = _running.pop(place)
    if error := task.exception():
        running.set_exception(error)
    else:
        running.set_result(None)


def _local(world: World, issuer: str) -> KeySet | None:
    document = world.find(documents.ISSUER, issuer)
    return None if document is None else KeySet(document["jwks"])


def _check_permitted(ctx: Context, issuer: str) -> None:
    host = urlsplit(issuer).hostname or ""
    settings = ctx.server.settings
    if is_loopback(host) and not settings.fetches_here:
        raise KeysUnavailableError(
            "where a server asks for a token, no issuer on its machine is asked for keys; make it an issuer of this "
            "world, give its provider a static key set, or set EMULATOR_FETCH_ISSUERS=loopback"
        )
    if not is_loopback(host) and settings.fetch_issuers != "https":
        raise KeysUnavailableError(
            f"keys are fetched from loopback issuers only; make {issuer} an issuer of this world, give its provider a "
            "static key set, or set EMULATOR_FETCH_ISSUERS=https"
        )


def _from_cache(ctx: Context, provider: Provider, key_id: str | None) -> KeySet | None:
    """Fresh keys that have the id, or whatever there is where it is too early to ask again; None to ask (again)."""
    place, now = _place(ctx.world, provider), ctx.world.now()
    entry = _fetched.get(place)
    if entry is None:
        return None
    age = now - entry.at
    if not (0 <= age < FRESH and entry.keys.has(key_id)):
        if place in _running or not 0 <= now - entry.tried < RETRY:
            return None
        if not 0 <= age < STALE:
            raise entry.why
    ctx.evidence["keys"] = f"fetched from the issuer {int(age)} s ago"
    return entry.keys


async def _refresh(place: tuple[str, ...], now: float, provider: Provider) -> None:
    from sts_emulator.methods.tokens.issuer_fetch import fetch_jwks

    entry = _fetched.setdefault(place, _Fetched())
    _fetched.move_to_end(place)
    while len(_fetched) > _MAX_ISSUERS:
        _fetched.popitem(last=False)
    entry.tried = now
    try:
        entry.keys, entry.at = KeySet(await fetch_jwks(provider.issuer, provider.thumbprints)), now
    except (KeysUnavailableError, ThumbprintError) as why:
        entry.why = why


def _place(world: World, provider: Provider) -> tuple[str, ...]:
    return (world.name, world.generation, provider.issuer, *provider.thumbprints)
