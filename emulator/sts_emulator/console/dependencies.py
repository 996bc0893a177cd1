"""What every endpoint of the control API is given: the server, the world that its path names, strict bodies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Depends, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict

from sts_emulator.core.spelling import meant
from sts_emulator.core.world import World
from sts_emulator.vending.context import Server


class Beside(APIRoute):
    """An endpoint that waits for a database elsewhere without anybody else, or until a file is free.

    Coroutines, because an embedded store lives on the event loop, and FastAPI runs plain functions in threads.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_beside(request: Request) -> Response:
            await request.body()  # which the request keeps: it comes from the server's loop
            server, work = server_of(request), partial(handle, request)
            try:
                return await server.run_when_free(work)
            except asyncio.CancelledError:  # the server ends, and has waited for this as long as it does
                return JSONResponse({"detail": "the server is stopping"}, 503)

        return handle_beside


class Strict(BaseModel):
    """A request body; unknown members are refused, and values of another type (`false` for a number)."""

    # Only of a text with a length does pydantic ask whether it is one: "\\ud800", half a character, is none.
    model_config = ConfigDict(extra="forbid", strict=True, str_min_length=0)


class Refusal(BaseModel):
    """Why nothing was done: a sentence, or what is wrong with which member."""

    detail: str | list[dict[str, Any]]


REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": Refusal, "description": "Refused"},
    503: {"model": Refusal, "description": "The state is unavailable"},
}
"""What any call may answer instead, as its description has it."""


def server_of(request: Request) -> Server:
    """The server that the application belongs to."""
    return request.app.state.server  # type: ignore[no-any-return]  # set when the application is made


async def _world(request: Request, world: str) -> World:
    asked = server_of(request).worlds.get(world)
    if asked is None:
        raise HTTPException(404, f"no world `{world}`{meant(world, server_of(request).worlds.names())}")
    return asked


async def _server(request: Request) -> Server:
    return server_of(request)


TheServer = Annotated[Server, Depends(_server)]
TheWorld = Annotated[World, Depends(_world)]
