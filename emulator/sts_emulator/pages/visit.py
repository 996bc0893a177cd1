"""One visit: a request of a person's browser, a workload or a script to a page, and the calls that it stands for."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from sts_emulator.core import faults
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context, Server
from sts_emulator.vending.record import new_request_id, record
from sts_emulator.wire.http import Request, form


@dataclass(slots=True)
class Visit:
    """What a page is given. `base_url` is the world's address, without a slash at its end."""

    server: Server
    world: World
    request: Request
    base_url: str
    request_id: str = field(default_factory=new_request_id)

    @property
    def root(self) -> str:
        """The path part of the world's address: "" or `/w/name`."""
        prefix = f"/w/{self.world.name}"  # not by parsing: the Host in the address may be anything
        return prefix if self.base_url.endswith(prefix) else ""

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; the first value of a repeated name. Raises AwsError: MalformedQueryString."""
        return form(self.request.query)

    @property
    def posted(self) -> dict[str, str]:
        """The fields of a posted form; the first value of a repeated name. Raises AwsError: MalformedQueryString."""
        return form(self.request.body.decode("utf-8", "replace"))

    def context(self, service: str, operation: str, parameters: JsonObject | None = None) -> Context:
        """The call that this visit stands for, as if a client had made it."""
        request = self.request
        return Context(
            server=self.server,
            world=self.world,
            service=service,
            operation=operation,
            request_id=new_request_id(),
            region=self.server.settings.region,
            source_ip=request.client,
            user_agent=request.headers.get("user-agent", ""),
            secure=request.scheme == "https",
            referer=request.headers.get("referer", ""),
            request=request,
            base_url=self.base_url,
            parameters=parameters or {},
        )

    @contextlib.contextmanager
    def attempt(self, service: str, operation: str, parameters: JsonObject | None = None) -> Iterator[Attempt]:
        """A call that becomes an event however it ends: refused, when an AwsError leaves the block, or with its result.

        An error that the world holds for such a call hits it here too.
        """
        with self.recorded(self.context(service, operation, parameters)) as attempt:
            fault = faults.take(self.world, service, operation)
            if fault is not None and fault.error is not None:
                raise fault.error
            yield attempt

    @staticmethod
    @contextlib.contextmanager
    def recorded(ctx: Context) -> Iterator[Attempt]:
        """The same for a call whose context is there already."""
        attempt = Attempt(ctx)
        try:
            yield attempt
        except AwsError as error:
            record(ctx, error=error)
            raise
        record(ctx, attempt.result)


def own_place(text: str, *places: str) -> bool:
    """Whether a browser may be sent to `text` in this world: to one of these pages, or to what is below one.

    Strict, because browsers read more into a link: a backslash is a slash to them, and `//` begins another host.
    """
    known = "|".join(map(re.escape, places))
    pattern = rf"(?!.*/\.\.)(?:{known})(?:[/?](?!/)[!-\[\]-~]{{0,8000}})?"
    return re.fullmatch(pattern, text) is not None


@dataclass(slots=True)
class Attempt:
    """A call on its way: its context, and the result that its event will tell, where there is anything to tell."""

    ctx: Context
    result: Mapping[str, Any] | None = None
