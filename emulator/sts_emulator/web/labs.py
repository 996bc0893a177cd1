"""Labs in the browser: the same state as in the terminal, in the same world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT
from sts_emulator.labs import learning, shelf
from sts_emulator.labs.lab import LAYERS
from sts_emulator.labs.shelf import UnknownLabError
from sts_emulator.pages import guard, render, tokens
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import Json
from sts_emulator.web.frame import HOME, refused, view
from sts_emulator.web.prose import blocks
from sts_emulator.wire.http import Response

WORLD: Final = "lab"
"""Where labs are done by whoever has no world of their own yet, as in the terminal."""

MISTAKES: Final = (learning.LabError, UnknownLabError)
_ABOUT_LAYERS: Final[Mapping[str, str]] = {
    "proof": "the proof: a signature, token, assertion or certificate is not good",
    "trust": "the role's trust policy, or the resource's own",
    "identity": "the policies of the user or role",
    "boundary": "a permissions boundary",
    "session": "the policy of the session",
    "scp": "the organization, for its accounts (SCP)",
    "rcp": "the organization, for its resources (RCP)",
}


@page("GET", "/_emulator/labs", refusal=refused, own=True)
def list_labs(visit: Visit) -> Response:
    """All labs with how far their learner is; in the default world, the way to where labs are done."""
    if visit.world.name == DEFAULT and visit.server.worlds.get(WORLD) is not None:
        return render.redirect(f"/w/{WORLD}{HOME}/labs")
    listed = learning.overview(None if visit.world.name == DEFAULT else visit.world)
    solved = sum(lab["state"] == "solved" for lab in listed)
    return view(visit, "labs.html", "labs", listed=listed, solved=solved, own_world=WORLD)


@page("POST", "/_emulator/labs", refusal=refused, own=True)
def enter(visit: Visit) -> Response:
    """Make the world in which labs are done, and go there. It takes the right to make worlds."""
    request = visit.request
    guard.check_token(request.headers, visit.server.settings, request.method, tokens.ALL, request.raw_path)
    visit.server.worlds.create(WORLD)
    return render.redirect(f"/w/{WORLD}{HOME}/labs")


@page("GET", "/_emulator/labs/{name}", refusal=refused, own=True, mistakes=MISTAKES)
def show(visit: Visit, name: str) -> Response:
    """One lab as its learner reads it."""
    return _page(visit, name)


@page("POST", "/_emulator/labs/{name}/start", refusal=refused, own=True, mistakes=MISTAKES)
async def start(visit: Visit, name: str) -> Response:
    """Begin it, or begin it again."""
    if visit.world.name == DEFAULT:
        raise AwsError("Refused", "A lab is done in a world of its own, not in the default one.", status=409)
    await learning.start(visit.server, visit.world.name, name)
    return _back(visit, name)


@page("POST", "/_emulator/labs/{name}/predictions", refusal=refused, own=True, mistakes=MISTAKES)
def predict(visit: Visit, name: str) -> Response:
    """Keep what somebody expects: `allow`, or the layer that will refuse."""
    step, said = visit.posted.get("step", ""), visit.posted.get("answer", "")
    if said not in ("allow", *LAYERS):
        return _page(visit, name, complaint="Choose an answer first.")
    answer, layer = ("allow", "") if said == "allow" else ("deny", said)
    learning.predict(visit.world, name, step, answer, layer)
    return _back(visit, name, f"step-{step}")


@page("POST", "/_emulator/labs/{name}/hints", refusal=refused, own=True, mistakes=MISTAKES)
def take_hint(visit: Visit, name: str) -> Response:
    """One hint more."""
    learning.hint(visit.world, name, visit.base_url)
    return _back(visit, name, "hints")


@page("POST", "/_emulator/labs/{name}/check", refusal=refused, own=True, mistakes=MISTAKES)
def check(visit: Visit, name: str) -> Response:
    """Check it, and say what is wrong."""
    results = learning.check(visit.server, visit.world, name, visit.base_url)
    return _page(visit, name, results=results)


@page("POST", "/_emulator/labs/{name}/solution", refusal=refused, own=True, mistakes=MISTAKES)
def show_solution(visit: Visit, name: str) -> Response:
    """Show one way, from now on."""
    learning.note_solution(visit.world, name)
    return _back(visit, name)


def _page(visit: Visit, name: str, *, results: list[dict[str, Any]] | None = None, complaint: str = "") -> Response:
    is_elsewhere = visit.world.name == DEFAULT
    shows_keys = not tokens.only_reads(visit.server.settings, visit.request.headers.get("authorization", ""))
    told = learning.told(visit.server, visit.world, name, visit.base_url, shows_keys=shows_keys)
    lab = shelf.lab(name, told["values"] or None)
    names = shelf.names()
    following = names[names.index(name) + 1 : names.index(name) + 2]
    return view(
        visit,
        "lab.html",
        "labs",
        status=400 if complaint else 200,
        lab=told,
        story=blocks(told["story"]),
        learned=blocks(told["learned"]),
        steps=[
            {**_prose(step, visit.base_url), "solution": lab.steps[step["name"]].solution, "number": number}
            for number, step in enumerate(told["steps"], 1)
        ],
        hints=[blocks(text) for text in told["hints_taken"]],
        wrong_ways=[{**way, "text": blocks(way["text"])} for way in told["wrong"]],
        layers=[(layer, _ABOUT_LAYERS[layer]) for layer in LAYERS],
        results=results,
        complaint=complaint,
        following=following[0] if following else "",
        is_elsewhere=is_elsewhere,
        has_token=bool(tokens.settled(visit.server.settings)) if not is_elsewhere else False,
        endpoint=visit.base_url,
        shows_keys=shows_keys,
    )


def _prose(step: dict[str, Any], own: str) -> dict[str, Json]:
    """A step with its texts as blocks."""
    asked = step["prediction"]
    if asked is not None:
        asked = {**asked, "question": blocks(asked["question"])[0].items[0], "because": blocks(asked["because"])}
    return {**step, "text": blocks(step["text"], own), "prediction": asked}


def _back(visit: Visit, name: str, place: str = "") -> Response:
    return render.redirect(f"{visit.root}{HOME}/labs/{name}{f'#{place}' if place else ''}")
