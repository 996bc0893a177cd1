"""A call on its way through the door: what is known of it so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, TypeVar

from sts_emulator.core.faults import Fault
from sts_emulator.core.store import NotAtHandError
from sts_emulator.gateway.call import Call
from sts_emulator.gateway.upstreams import Upstream
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context, Keys
from sts_emulator.wire import http
from sts_emulator.wire.asgi import Receive, Scope, Send
from sts_emulator.wire.foreign_routing import Meant
from sts_emulator.wire.http import Request
from sts_emulator.wire.sigv4 import Signed

Value = TypeVar("Value")


@dataclass(slots=True)
class Passage:
    """One call, from its request to its answer."""

    signing_name: str
    request: Request  # its path is the service's own: of S3 always in path style
    ctx: Context
    upstream: Upstream
    scope: Scope
    receive: Receive
    send: Send
    signed: Signed | None = None
    secret: str = ""
    said: str = ""  # what a request to S3 says of its payload
    meant: Meant | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    fault: Fault | None = None
    keys: dict[str, Keys] = field(default_factory=dict)  # condition keys of the call, by the owner of what it is about
    bucket_tags: dict[str, Mapping[str, str]] = field(default_factory=dict)
    missing_alias: str = ""  # the ARN of an alias of no key, which the call names
    owner: str = ""  # whose queue, function or the like a call is about that is not the caller's

    @property
    def transport(self) -> Any:
        """The connection's transport, where the socket is one of our own; else None."""
        return self.scope.get("emulator.transport")

    @property
    def account(self) -> str:
        """Whose call it is; nobody's is made as the account that `--permissive` takes strangers for."""
        return self.ctx.caller.account if self.ctx.caller is not None else self.ctx.server.settings.account

    @property
    def operation(self) -> str:
        return self.meant.operation.name if self.meant is not None else ""

    async def read(self, step: Callable[[], Value]) -> Value:
        """What a step that reads the world comes to: by what is at hand, else beside others, who need not wait."""
        try:
            return step()
        except NotAtHandError:
            return await self.read_beside(step)

    async def read_beside(self, step: Callable[[], Value]) -> Value:
        """Likewise of a step that has been tried in vain: each call has two that are tried without awaiting this."""
        world, server = self.ctx.world, self.ctx.server
        world.take_time(server.worlds.store)
        try:
            return await server.run(step)
        finally:
            world.hurry()

    def as_call(self) -> Call:
        """What the map is asked with."""
        assert self.meant is not None
        path = http.unquote(self.request.raw_path)
        service, operation = self.meant.service.name, self.meant.operation.name
        return Call(service, operation, self.parameters, path, self.account, self.ctx.region, "aws")
