"""How a lab is begun, predicted, hinted at and checked: the one way for the terminal, the browser and tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sts_emulator.accounts import documents
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT, World
from sts_emulator.labs import progress as done
from sts_emulator.labs import shelf
from sts_emulator.labs.lab import LAYERS, Lab, Prediction
from sts_emulator.labs.progress import BENCH, ON_IT, PROGRESS, Bench, Progress
from sts_emulator.labs.seen import Attempt, Seen
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.scenario import ScenarioError
from sts_emulator.serving.front import apply_scenario
from sts_emulator.vending.context import Server

ANSWERS: Final = ("allow", "deny")


class LabError(ValueError):
    """What a learner asked for cannot be: its text says why, and what to do."""

    status: Final = 409


# -- telling ---------------------------------------------------------------------------------------------------------


def overview(world: World | None) -> list[dict[str, Json]]:
    """All labs in order, with what the learner of this world has done of each."""
    known = done.all_of(world) if world is not None else {}
    current = done.current(world) if world is not None else ""
    return [_head(name, known.get(name), is_current=name == current) for name in shelf.names()]


def _head(name: str, progress: Progress | None, *, is_current: bool) -> dict[str, Json]:
    lab = shelf.lab(name)
    return {
        "name": name,
        "title": lab.title,
        "method": lab.method,
        "minutes": lab.minutes,
        "summary": lab.summary,
        "state": _state(progress),
        "is_current": is_current,
        "checks": len(lab.checks),
        "passed": len(progress["passed"]) if progress else 0,
        "hints": progress["hints"] if progress else 0,
        "tried": progress["tried"] if progress else 0,
        "complaint": progress["complaint"] if progress else "",
        "shown": bool(progress and progress["shown"]),
    }


def _state(progress: Progress | None) -> str:
    if progress is None:
        return "new"
    return "solved" if progress["solved"] else "begun"


def told(
    server: Server, world: World, name: str, endpoint: str, seen: Seen | None = None, *, shows_keys: bool = True
) -> dict[str, Any]:
    """A lab as its learner reads it, with how far they are. `endpoint` is the world's address.

    `seen` is what a check has looked at already. Without `shows_keys` no secret stands in it, neither the learner's own
    nor those of the story: with them one could do more than read.

    Raises:
        UnknownLabError: there is no such lab.
    """
    progress = world.get(PROGRESS, name)
    is_current = done.current(world) == name
    lab = shelf.lab(name, shelf.UNFILLED)
    values = _values(world, progress, endpoint) if progress else shelf.examples(name)
    seen = seen or Seen(server, world, values)
    if not shows_keys:
        values = {**values, shelf.SECRET: "(not shown)"}
    read = {
        **_head(name, progress, is_current=is_current),
        "story": lab.story,
        "picture": lab.picture,
        "words": dict(lab.words),
        "environment": _environment(world, lab, endpoint) if is_current and shows_keys else {},
        "steps": [
            {
                "name": step_name,
                "title": step.title,
                "text": step.text,
                "commands": step.commands,
                "prediction": _prediction(step_name, step.predict, progress, seen if is_current else None),
            }
            for step_name, step in lab.steps.items()
        ],
        "hints_taken": [hint.text for hint in lab.hints[: progress["hints"] if progress else 0]],
        "hints_left": len(lab.hints) - (progress["hints"] if progress else 0),
        "check_list": [
            {"name": check, "title": title, "is_passed": bool(progress and check in progress["passed"])}
            for check, title in lab.checks.items()
        ],
        "wrong": [
            {"name": way_name, "text": way.text, "commands": way.commands} for way_name, way in lab.wrong.items()
        ],
        "learned": lab.learned if progress and progress["solved"] else "",
    }
    return {**_filled(read, values), "values": values if progress else {}}


def _filled(told: object, values: Mapping[str, str]) -> Any:
    """What is told, with the learner's values in all its texts: one reading of the file does for all learners."""
    if isinstance(told, str):
        return shelf.filled(told, values)
    if isinstance(told, dict):
        return {key: _filled(member, values) for key, member in told.items()}
    return [_filled(item, values) for item in told] if isinstance(told, list) else told


def _prediction(
    step: str, prediction: Prediction | None, progress: Progress | None, seen: Seen | None
) -> dict[str, Any] | None:
    """The question; with the guess, and what came of it, once there is any."""
    if prediction is None:
        return None
    guess = progress["guesses"].get(step) if progress else None
    about = _filled(dict(prediction.about), seen.values) if guess and seen else {}
    attempt = next(seen.find(about, since=guess["at"]), None) if guess and seen else None
    return {
        "question": prediction.question,
        "guess": {"answer": guess["answer"], "layer": guess["layer"]} if guess else None,
        "score": scored(guess["answer"], guess["layer"], attempt) if guess else "",
        "came": _came(attempt) if attempt else None,
        "because": prediction.because if attempt else "",
    }


def _came(attempt: Attempt) -> dict[str, str]:
    return {
        "answer": "allow" if attempt.is_allowed else "deny",
        "layer": attempt.layer,
        "event": str(attempt.record["eventID"]),
    }


def scored(answer: str, layer: str, attempt: Attempt | None) -> str:
    """`waiting` until the attempt is made, then `right`, `other layer` or `wrong`."""
    if attempt is None:
        return "waiting"
    if attempt.is_allowed is not (answer == "allow"):
        return "wrong"
    return "right" if attempt.is_allowed or layer == attempt.layer else "other layer"


def _values(world: World, progress: Progress, endpoint: str) -> dict[str, str]:
    url = endpoint.removesuffix(f"/w/{world.name}")
    return {"world": world.name, "url": url, "endpoint": endpoint, **progress["values"]}


def _environment(world: World, lab: Lab, endpoint: str) -> JsonObject:
    """Whose keys the learner has, and what else their shell is given."""
    progress = done.all_of(world)[done.current(world)]
    first = progress["values"][lab.accounts[0]]
    key = next(
        key
        for key in world.page(documents.ACCESS_KEY)
        if key["account"] == first and key["user"].lower() == lab.user.lower() and key["status"] == "Active"
    )
    return {
        "access_key_id": key["id"],
        "secret_access_key": key["secret"],
        "endpoint": endpoint,
        # Version 2 of the AWS CLI shows answers by a pager, which would take the commands that were pasted for its own.
        "variables": {"AWS_PAGER": "", **lab.environment},
    }


# -- doing -----------------------------------------------------------------------------------------------------------


async def start(server: Server, world_name: str, name: str) -> World:
    """Set a learner's world up for a lab, from nothing: what else they solved stays known, all else is gone.

    Raises:
        LabError: the world is not one of labs, or what the lab needs is not there.
        UnknownLabError: there is no such lab.
    """
    lab = shelf.lab(name)
    if world_name == DEFAULT:
        raise LabError("a lab is done in a world of its own, not in the default one")
    world = server.worlds.get(world_name)
    kept = _kept(world) if world is not None else {}
    _check_upstreams(server, lab)
    values = {shelf.SECRET: secrets.token_hex(6), **{account: _new_account() for account in lab.accounts}}
    if world is not None:
        server.worlds.delete(world_name)
        server.events.drop(world_name)
    try:
        world = server.worlds.create(world_name)
    except ValueError as wrong:
        raise LabError(str(wrong)) from None
    if world is None:
        raise LabError(f"world `{world_name}` is being set up at this moment")
    kept[name] = done.begun(name, values, world.now())
    with world.unit():
        world.put(BENCH, ON_IT, Bench(lab=name))
        for progress in kept.values():
            world.put(PROGRESS, progress["lab"], progress)
    world.refresh()
    await apply_scenario(server, world, shelf.scenario(name, values))
    await _fill(server, shelf.lab(name, {**shelf.PLACE, **values}), values)
    world.refresh()
    return world


def _kept(world: World) -> dict[str, Progress]:
    """What stays of a world that is set up anew."""
    known = done.all_of(world)
    if not known and not done.current(world) and world.count(documents.ACCOUNT):
        raise LabError(
            f"world `{world.name}` holds something else, which a lab would put away: take another one (`--world lab`)"
        )
    return known


def _new_account() -> str:
    """Twelve digits: an upstream knows accounts but no worlds, so those of two learners must differ."""
    return str(secrets.randbelow(9 * 10**11) + 10**11)


def _check_upstreams(server: Server, lab: Lab) -> None:
    from sts_emulator.gateway.upstreams import Upstreams

    behind = Upstreams(server.settings.upstream)
    missing = [service for service in lab.uses if behind.of(service) is None]
    if missing:
        raise LabError(
            f"this lab uses {', '.join(missing).upper()}, and the server has none behind it: end it, and start one "
            "with `--upstream moto` (pip install 'sts-emulator[labs]')"
        )


async def _fill(server: Server, lab: Lab, values: Mapping[str, str]) -> None:
    """Put what a lab has in S3 there, as its first account."""
    if not lab.buckets:
        return
    from sts_emulator.gateway import asking
    from sts_emulator.gateway.upstreams import Upstreams

    settings = server.settings
    upstream = Upstreams(settings.upstream, settings.upstream_account, settings.upstream_patience).of("s3")
    assert upstream is not None  # _check_upstreams
    place = asking.Place(upstream, upstream.account or values[lab.accounts[0]], settings.region)
    for path, body in _objects(lab):
        try:
            answer = await asking.ask(place, "s3", "PUT", path, body=body)
        except AwsError as refused:
            raise LabError(f"what is behind the door refused `{path}`: {refused.message}") from None
        if answer.status >= 300:  # noqa: PLR2004 - the first status that is no success
            raise LabError(f"what is behind the door refused `{path}` ({answer.status})")
    upstream.close()


def _objects(lab: Lab) -> Iterator[tuple[str, bytes]]:
    for bucket, objects in lab.buckets.items():
        yield f"/{bucket}", b""
        yield from ((f"/{bucket}/{key}", text.encode()) for key, text in objects.items())


def predict(world: World, name: str, step: str, answer: str, layer: str = "") -> None:
    """Keep what a learner expects of a step; the last one counts. Raises LabError."""
    _begun(world, name)
    known = shelf.lab(name).steps.get(step)
    if known is None or known.predict is None:
        steps = [other for other, there in shelf.lab(name).steps.items() if there.predict]
        raise LabError(f"step `{step[:80]}` asks for no prediction; these do: {', '.join(steps) or 'none'}")
    if answer not in ANSWERS:
        raise LabError("predict `allow` or `deny`")
    if layer and layer not in LAYERS:
        raise LabError(f"`{layer[:80]}` is no layer; there are {', '.join(LAYERS)}")
    if answer == "deny" and not layer:
        raise LabError(f"say also what will refuse it: {', '.join(LAYERS)}")
    guess: done.Guess = {"answer": answer, "layer": layer if answer == "deny" else "", "at": world.now()}
    world.update(PROGRESS, name, lambda known: {**known, "guesses": {**known["guesses"], step: guess}})


def hint(world: World, name: str, endpoint: str) -> str:
    """The next hint; when all were given, the last one again. Raises LabError."""
    progress = _begun(world, name)
    hints = shelf.lab(name, shelf.UNFILLED).hints
    number = min(progress["hints"] + 1, len(hints))
    world.update(PROGRESS, name, lambda known: {**known, "hints": number})
    return shelf.filled(hints[number - 1].text, _values(world, progress, endpoint))


def untrue(server: Server, world: World, name: str, endpoint: str, *, solved: bool) -> list[str]:
    """What hints say of the world, as it is at the start or when it is solved, and is not so."""
    progress = _begun(world, name)
    seen = Seen(server, world, _values(world, progress, endpoint))
    told: list[str] = []
    for number, hint in enumerate(shelf.lab(name, seen.values).hints, 1):
        outcomes = seen.outcomes(hint.solved if solved else hint.start)
        told += [f"hint {number}: {tried.expectation.title}: {tried.mismatch}" for tried in outcomes if tried.mismatch]
        claims = {} if solved else {claim: _wrong(shelf.function(name, claim), seen) for claim in hint.so}
        told += [f"hint {number}: {claim}: {wrong}" for claim, wrong in claims.items() if wrong]
    return told


def note_solution(world: World, name: str) -> None:
    """Keep that a learner was shown a solution. Raises LabError."""
    _begun(world, name)
    world.update(PROGRESS, name, lambda known: {**known, "shown": True})


def look(server: Server, world: World, name: str, endpoint: str) -> Seen:
    """What happened in the world so far, for `check` and `told` together. Raises LabError."""
    return Seen(server, world, _values(world, _begun(world, name), endpoint))


def check(server: Server, world: World, name: str, endpoint: str, seen: Seen | None = None) -> list[dict[str, Any]]:
    """Each check of a lab: whether it is passed now, and if not, what is wrong. Raises LabError."""
    seen = seen or look(server, world, name, endpoint)
    results = []
    for check_name, title in shelf.lab(name, shelf.UNFILLED).checks.items():
        wrong = _wrong(shelf.function(name, check_name), seen)
        shown = shelf.filled(title, seen.values)
        results.append({"name": check_name, "title": shown, "is_passed": not wrong, "wrong": wrong})
    _note(world, name, results)
    return results


def _wrong(function: Any, seen: Seen) -> str:
    """What a check finds wrong first; where it cannot be asked, as something that it is about is gone, that."""
    try:
        return next(function(seen), "")
    except ScenarioError as gone:
        return "Something that this check needs is gone: " + "; ".join(problem.message for problem in gone.problems)


def _note(world: World, name: str, results: list[dict[str, Any]]) -> None:
    now = world.now()
    complaint = next((result["wrong"] for result in results if not result["is_passed"]), "")

    def noted(known: Progress) -> Progress:
        passed = {r["name"]: known["passed"].get(r["name"], now) for r in results if r["is_passed"]}
        solved = known["solved"] or (0.0 if complaint else now)
        return {**known, "passed": passed, "tried": known["tried"] + 1, "complaint": complaint, "solved": solved}

    world.update(PROGRESS, name, noted)


def _begun(world: World, name: str) -> Progress:
    shelf.lab(name)
    progress = world.get(PROGRESS, name)
    if progress is None:
        raise LabError(f"lab `{name}` has not begun: `sts-emulator lab start {name}`")
    current = done.current(world)
    if current != name:
        raise LabError(f"lab `{current}` is under way here; `sts-emulator lab start {name}` puts it away")
    return progress
