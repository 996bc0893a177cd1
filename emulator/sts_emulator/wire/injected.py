"""A call or a visit that meets a fault which somebody injected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sts_emulator.core.errors import AwsError
from sts_emulator.core.faults import Fault
from sts_emulator.wire.http import Response


async def meet(
    fault: Fault, fail: Callable[[AwsError], Response], carry_out: Callable[[], Response | Awaitable[Response]]
) -> Response:
    """The answer to a call or visit that meets a fault, marked with it."""
    await asyncio.sleep(fault.delay_seconds)
    if fault.holds_back:
        return Response(503, [], b"", fault)
    if fault.error is not None:
        response = fail(fault.error)
    else:
        answer = carry_out()
        response = answer if isinstance(answer, Response) else await answer
    response.fault = fault
    return response
