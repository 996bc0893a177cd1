"""The control API's part about labs, under `/_emulator/api/worlds/WORLD/labs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from sts_emulator.console.dependencies import Beside, Strict, TheServer, TheWorld
from sts_emulator.core.world import DEFAULT
from sts_emulator.labs import learning
from sts_emulator.labs.shelf import UnknownLabError
from sts_emulator.pages import tokens

router = APIRouter(route_class=Beside)


class Guess(Strict):
    """What somebody expects of a step."""

    step: str = Field(max_length=200)
    answer: str = Field(max_length=20, description="allow or deny")
    layer: str = Field(default="", max_length=20, description="of a refusal: the layer of policies, or `proof`")


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except UnknownLabError as unknown:
        raise HTTPException(404, str(unknown)) from None
    except learning.LabError as wrong:
        raise HTTPException(409, str(wrong)) from None


@router.get("/worlds/{world}/labs", summary="List the labs, and how far their learner is")
async def list_labs(server: TheServer, world: str) -> list[dict[str, Any]]:
    """In order; the world need not be there yet."""
    return learning.overview(server.worlds.get(world))


@router.get("/worlds/{world}/labs/{lab}", summary="Read a lab")
async def get_lab(request: Request, server: TheServer, world: TheWorld, lab: str) -> dict[str, Any]:
    """Story, steps, predictions with their scores, the hints that were taken, checks; solved, what was learned."""
    shows_keys = not tokens.only_reads(server.settings, request.headers.get("authorization", ""))
    with _refusing():
        return learning.told(server, world, lab, _endpoint(request, world.name), shows_keys=shows_keys)


@router.post("/worlds/{world}/labs/{lab}/start", summary="Begin a lab, or begin it again")
async def start_lab(request: Request, server: TheServer, world: str, lab: str) -> dict[str, Any]:
    """The world is made, or made anew: all that it holds but the learner's progress in other labs is gone."""
    with _refusing():
        fresh = await learning.start(server, world, lab)
        return learning.told(server, fresh, lab, _endpoint(request, world))


@router.post("/worlds/{world}/labs/{lab}/predictions", summary="Predict what comes of a step")
async def predict(request: Request, server: TheServer, world: TheWorld, lab: str, guess: Guess) -> dict[str, Any]:
    """Before its commands are run: it is scored against the decision that they bring."""
    with _refusing():
        learning.predict(world, lab, guess.step, guess.answer, guess.layer)
        return learning.told(server, world, lab, _endpoint(request, world.name))


@router.post("/worlds/{world}/labs/{lab}/hints", summary="Take the next hint")
async def take_hint(request: Request, world: TheWorld, lab: str) -> dict[str, str]:
    """`{"hint": …}`."""
    with _refusing():
        return {"hint": learning.hint(world, lab, _endpoint(request, world.name))}


@router.get("/worlds/{world}/labs/{lab}/untrue", summary="What hints say that is not so")
async def untrue(request: Request, server: TheServer, world: TheWorld, lab: str, *, solved: bool = False) -> list[str]:
    """For `lab lint`: nothing, as long as each hint is true at the start, or when the lab is solved."""
    with _refusing():
        return learning.untrue(server, world, lab, _endpoint(request, world.name), solved=solved)


@router.post("/worlds/{world}/labs/{lab}/check", summary="Check a lab")
async def check_lab(request: Request, server: TheServer, world: TheWorld, lab: str) -> dict[str, Any]:
    """Each check with what is wrong, in words; all passed, what was learned."""
    with _refusing():
        endpoint = _endpoint(request, world.name)
        seen = learning.look(server, world, lab, endpoint)
        results = learning.check(server, world, lab, endpoint, seen)
        told = learning.told(server, world, lab, endpoint, seen)
        return {"checks": results, "solved": all(result["is_passed"] for result in results), "told": told}


@router.post("/worlds/{world}/labs/{lab}/solution", summary="Note that a solution was shown")
async def show_solution(world: TheWorld, lab: str) -> dict[str, bool]:
    """The commands themselves come with the package: `sts-emulator lab solve` runs them."""
    with _refusing():
        learning.note_solution(world, lab)
    return {"shown": True}


def _endpoint(request: Request, world: str) -> str:
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return own if world == DEFAULT else f"{own}/w/{world}"
