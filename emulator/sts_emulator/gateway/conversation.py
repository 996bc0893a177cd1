"""A whole request to an upstream and its whole answer: what the door asks for itself, and calls with small bodies."""

from __future__ import annotations

from typing import Final

from sts_emulator.gateway.exchange import BrokenError, Exchange
from sts_emulator.gateway.upstreams import Upstream
from sts_emulator.policy.light_dataclass import dataclass

_SAFE_TO_REPEAT: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer with all of its body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


async def start(upstream: Upstream, method: str, head: bytes, body: bytes = b"") -> Exchange:
    """Send a request and wait for the head of its answer; a connection that ended unseen is replaced.

    Raises:
        LateError: there was no answer in time.
        BrokenError: there was none.
    """
    exchange = upstream.kept()
    is_used = exchange is not None
    if exchange is None:
        exchange = await upstream.connect()
    try:
        return await _ask(exchange, method, head, body)
    except BrokenError:
        # Who reads a request answers it or resets the connection: what ends an idle one has not read it. Yet only what
        # changes nothing is asked again.
        if not is_used or exchange.has_answered or method not in _SAFE_TO_REPEAT:
            raise
    return await _ask(await upstream.connect(), method, head, body)


async def _ask(exchange: Exchange, method: str, head: bytes, body: bytes) -> Exchange:
    exchange.begin(for_head=method == "HEAD")
    if exchange.is_writable:
        exchange.write(head + body if body else head)
    else:
        await exchange.send(head + body)
    await exchange.head()
    return exchange


async def whole(upstream: Upstream, exchange: Exchange, limit: int) -> Whole:
    """The rest of an answer. Raises LateError, and BrokenError also for one that is too large."""
    try:
        body = await _read(exchange, limit)
    except BaseException:
        exchange.abort()
        raise
    upstream.release(exchange)
    return Whole(exchange.status, exchange.headers, body)


async def _read(exchange: Exchange, limit: int) -> bytes:
    pieces, size = [], 0
    while piece := await exchange.read():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise BrokenError("answered with more than it may")
    return b"".join(pieces)
