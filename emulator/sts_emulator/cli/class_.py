"""`class`: makes a world for each learner of a class, hands out links and tokens, and says how far everybody is."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sts_emulator.cli.control import Control, ControlError, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.inputs import file_trouble, finish_action
from sts_emulator.cli.screen import Commands, Run, add_wide, answer, patience, room, table
from sts_emulator.pages import tokens
from sts_emulator.settings import token_in_environment

_CONFLICT: Final = 409
_HEADS: Final = {"world": "WORLD", "link": "LINK", "token": "TOKEN", "key": "ACCESS KEY", "secret": "SECRET"}
_MARKS: Final = {"new": "·", "begun": "~", "solved": "✓"}
_DEFAULT: Final = "class"


HELP = "worlds for the learners of a class, and how far they are"
DESCRIPTION = "A class does the labs on one server. Each learner has a world, and reaches no other."


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    start = _action(actions, "start", _start, "make the worlds, and print what to hand out")
    start.add_argument("--learners", type=int, required=True, metavar="N", help="how many there are")
    start.add_argument(
        "--lab", metavar="NAME", help="begin this lab in each world, so that its keys are handed out too"
    )
    start.add_argument("--url", metavar="URL", help="where learners reach the server (default: as it is reached here)")
    start.add_argument(
        "--out", metavar="FILE", type=Path, help="write the table to this file as well: .csv, or .md for Markdown"
    )
    add_wide(start)
    status = _action(actions, "status", _status, "say how far everybody is")
    add_wide(status)
    _action(actions, "stop", _stop, "delete the worlds, with all that was done in them")


def _action(actions: Commands, verb: str, run: Run, told: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(verb, help=told)
    parser.add_argument("--name", default=_DEFAULT, help="what the class is called (default: %(default)s)")
    finish_action(parser, run, world=False)
    return parser


# -- start -----------------------------------------------------------------------------------------------------------


def _start(arguments: argparse.Namespace) -> None:
    from sts_emulator.labs.seats import CLASS, MOST, seats

    if not CLASS.fullmatch(arguments.name):
        raise CommandError(
            f"`{arguments.name}` is no name of a class: lower-case letters, digits and hyphens", UNUSABLE
        )
    if not 1 <= arguments.learners <= MOST:
        raise CommandError(f"--learners takes a number from 1 to {MOST}", UNUSABLE)
    write = _writer(arguments.out)
    with control(arguments) as emulator, patience("making worlds"):
        rows = [_seat(emulator, arguments, world) for world in seats(arguments.name, arguments.learners)]
        overview = f"{_base(emulator, arguments)}/_emulator/class/{arguments.name}"
    shown = _table(rows)
    if arguments.out is not None:
        _keep(arguments.out, write(shown))
    answer(
        arguments,
        {"class": arguments.name, "instructor": overview, "learners": rows},
        *table(shown, room(arguments), "LINK"),
        "",
        f"you see all of them at  {overview}",
        "each learner opens the link; in a terminal they set AWS_ENDPOINT_URL to it, up to the world's name"
        + (", and EMULATOR_TOKEN to the token" if rows[0]["token"] else ""),
    )


def _seat(emulator: Control, arguments: argparse.Namespace, world: str) -> dict[str, str]:
    """Make the world of one learner, unless it is there; what they are given."""
    try:
        emulator.api("POST", "worlds", body={"name": world})
    except ControlError as error:
        if error.status != _CONFLICT:
            raise
    key = secret = ""
    if arguments.lab:
        told = emulator.api("POST", "worlds", world, "labs", arguments.lab, "start")["environment"]
        key, secret = told["access_key_id"], told["secret_access_key"]
    endpoint = f"{_base(emulator, arguments)}/w/{world}"
    return {
        "world": world,
        "link": f"{endpoint}/_emulator/labs",
        "endpoint": endpoint,
        "token": _token(arguments, world),
        "key": key,
        "secret": secret,
    }


def _base(emulator: Control, arguments: argparse.Namespace) -> str:
    return str(arguments.url or emulator.url).rstrip("/")


def _token(arguments: argparse.Namespace, world: str) -> str:
    """A token that is good for this world alone, where the server's own is known; "" where it asks for none."""
    token = token_in_environment() if arguments.token is None else arguments.token
    if not token:
        return ""
    if ":" in token:
        raise CommandError("a class takes the server's own token: yours is a derived one, which makes no others")
    return tokens.derived(token, world)


def _table(rows: Sequence[dict[str, str]]) -> list[list[str]]:
    """Heads, and a row for each learner; columns that are empty are left out."""
    kept = [name for name in _HEADS if any(row[name] for row in rows)]
    return [[_HEADS[name] for name in kept], *([row[name] for name in kept] for row in rows)]


def _writer(out: Path | None) -> Any:
    writers = {".csv": _as_csv, ".md": _as_markdown}
    if out is not None and out.suffix not in writers:
        raise CommandError("--out takes a file that ends in .csv or .md", UNUSABLE)
    return writers[out.suffix] if out is not None else None


def _as_csv(shown: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([[head.lower() for head in shown[0]], *shown[1:]])
    return text.getvalue()


def _as_markdown(shown: list[list[str]]) -> str:
    head, *rows = shown
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _keep(path: Path, text: str) -> None:
    """Write it for its owner alone: tokens and secrets stand in it."""
    with file_trouble(path, "cannot be written"):
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text, "utf-8")


# -- status and stop -------------------------------------------------------------------------------------------------


def _status(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        told = {world: emulator.api("GET", "worlds", world, "labs") for world in _worlds(emulator, arguments.name)}
    rows = [_progress(world, labs) for world, labs in told.items()]
    heads = ("WORLD", "LABS", "NOW", "CHECKS", "HINTS", "TRIED", "WHAT IS WRONG")
    answer(arguments, told, *table([heads, *rows], room(arguments), "WORLD"))


def _progress(world: str, labs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    marks = "".join(_MARKS[lab["state"]] for lab in labs)
    current = next((lab for lab in labs if lab["is_current"]), None)
    if current is None:
        return (world, marks, "", "", "", "", "")
    passed = f"{current['passed']} of {current['checks']}"
    return (world, marks, current["name"], passed, str(current["hints"]), str(current["tried"]), current["complaint"])


def _stop(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        worlds = _worlds(emulator, arguments.name)
        for world in worlds:
            emulator.api("DELETE", "worlds", world)
    answer(arguments, {"deleted": worlds}, f"{len(worlds)} worlds deleted")


def _worlds(emulator: Control, name: str) -> list[str]:
    from sts_emulator.labs.seats import classes

    known = classes(emulator.api("GET", "worlds"))
    if name not in known:
        listed = ", ".join(known) or "none"
        raise CommandError(f"no class `{name}` on this server; there are: {listed}")
    return known[name]
