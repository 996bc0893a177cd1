"""A call or a visit that meets a fault which somebody injected."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.core.faults import Fault
from sts_emulator.core.threads import OnLoop
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.http import Response


@dataclass(frozen=True, slots=True)
class Met(OnLoop[Response]):
    """The answer to a call or visit that meets a fault, marked with it."""

    fault: Fault
    fail: Callable[[AwsError], Response]
    carry_out: Callable[[], Awaitable[Response]]

    def __await__(self) -> Generator[Any, None, Response]:
        return self._answer().__await__()

    async def _answer(self) -> Response:
        await asyncio.sleep(self.fault.delay_seconds)
        if self.fault.holds_back:
            return Response(503, [], b"", self.fault)
        response = await self.carry_out() if self.fault.error is None else self.fail(self.fault.error)
        response.fault = self.fault
        return response
