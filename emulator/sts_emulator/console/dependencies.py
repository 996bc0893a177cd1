"""What every endpoint of the control API is given: the server, the world that its path names, strict bodies."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict

from sts_emulator.core.spelling import meant
from sts_emulator.core.world import World
from sts_emulator.vending.context import Server


class Strict(BaseModel):
    """A request body; unknown members are refused."""

    model_config = ConfigDict(extra="forbid")


def server_of(request: Request) -> Server:
    """The server that the application belongs to."""
    return request.app.state.server  # type: ignore[no-any-return]  # set when the application is made


def _world(request: Request, world: str) -> World:
    asked = server_of(request).worlds.get(world)
    if asked is None:
        raise HTTPException(404, f"no world `{world}`{meant(world, server_of(request).worlds.names())}")
    return asked


TheServer = Annotated[Server, Depends(server_of)]
TheWorld = Annotated[World, Depends(_world)]
