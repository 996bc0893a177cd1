"""The control API's part about what this world alone can open: its session tokens and encoded messages."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Self

from fastapi import APIRouter, HTTPException
from pydantic import Field, model_validator

from sts_emulator.console.dependencies import Beside, Strict, TheWorld
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.vending import credentials, denials

router = APIRouter(route_class=Beside)


class Sealed(Strict):
    """A session token with the access key that it belongs to, or the message of a denial."""

    session_token: str = Field(default="", max_length=20_000)
    access_key_id: str = Field(default="", max_length=128)
    message: str = Field(default="", max_length=200_000)

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if bool(self.session_token) == bool(self.message):
            raise ValueError("say either session_token or message")
        return self


@router.post("/worlds/{world}/inspect", summary="Open a session token or an encoded authorization message")
async def inspect(world: TheWorld, sealed: Sealed) -> dict[str, Any]:
    """`{"session": …}` or `{"message": …}`; 404 for what this world did not seal, or no longer can."""
    if sealed.message:
        decoded = denials.decode(world, sealed.message)
        if decoded is None:
            raise HTTPException(404, "no authorization message of this world")
        return {"message": json.loads(decoded)}
    try:
        session = credentials.unsealed(world, sealed.access_key_id, sealed.session_token)
    except AwsError:
        raise HTTPException(404, "no session token of this world and this access key id") from None
    shown = {name: value for name, value in asdict(session).items() if value}
    times = {"issued": clock.iso(session.issued), "expires": clock.iso(session.expires)}
    return {"session": {**shown, **times, "is_over": session.expires <= world.now()}}
