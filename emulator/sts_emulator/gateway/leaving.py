"""How an answer leaves the door: with its date, and as a fault of the world wants it spoilt."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from sts_emulator.core import clock, faults
from sts_emulator.gateway.passage import Passage
from sts_emulator.wire import messages
from sts_emulator.wire.asgi import Receive, Send
from sts_emulator.wire.http import Response


class HeldBackError(Exception):
    """A fault wants this call neither carried out nor answered."""


async def meet_fault(passage: Passage) -> None:
    """Let a call whose operation is known meet the fault that its world has for it, if any.

    Raises:
        AwsError: the one that the fault is.
        HeldBackError: nothing is to be done or said.
    """
    assert passage.meant is not None
    if not passage.ctx.world.settings["faults"]:
        return
    taken = partial(faults.take, passage.ctx.world, passage.meant.service.name, passage.operation)
    fault = passage.fault = await passage.read(taken)
    if fault is None:
        return
    if fault.answer in ("lose", "half"):
        passage.send = _spoilt(passage.transport, passage.send, is_lost=fault.answer == "lose")
    await asyncio.sleep(fault.delay_seconds)
    if fault.holds_back:
        if fault.answer == "drop" and passage.transport is not None:
            passage.transport.close()
        raise HeldBackError
    if fault.error is not None:
        raise fault.error


def date(passage: Passage) -> bytes:
    """The Date that an answer bears."""
    if passage.fault is None:
        return clock.http_date(clock.real()).encode()
    return messages.date(Response(0, [], b"", passage.fault)).encode()


def _spoilt(transport: Any, send: Send, *, is_lost: bool) -> Send:
    """What sends half of an answer, or nothing of it."""

    async def leave(message: Any) -> None:
        if transport is None or transport.is_closing():
            return
        if is_lost:
            transport.close()
        elif message["type"] == "http.response.start":
            await send(message)
        else:
            body = message.get("body", b"")
            await send({**message, "body": body[: len(body) // 2], "more_body": True})
            transport.close()

    return leave


async def wait_until_gone(receive: Receive) -> None:
    """Say nothing until the client gives up, or its connection has ended."""
    while (await receive())["type"] != "http.disconnect":
        pass  # the rest of its request
