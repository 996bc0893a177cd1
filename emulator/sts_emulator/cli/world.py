"""`world`: creates, lists and deletes worlds of a running emulator, and moves their clocks."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from sts_emulator.cli.control import add_world_option, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.inputs import file_trouble, finish_action
from sts_emulator.cli.screen import add_wide, answer, room, table

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")


HELP = "create, list and delete worlds; move a world's clock"
DESCRIPTION = "Worlds are isolated namespaces of one server: accounts, credentials, time and faults."


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    create = actions.add_parser("create", help="create a world")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--scenario", metavar="FILE", help="seed it from this file (default: it is empty)")
    finish_action(create, _create, world=False)
    delete = actions.add_parser("delete", help="delete a world; its credentials stop working")
    delete.add_argument("name", metavar="NAME")
    finish_action(delete, _delete, world=False)
    listed = actions.add_parser("list", help="list the worlds")
    add_wide(listed)
    finish_action(listed, _list, world=False)
    advance = actions.add_parser("advance", help="move a world's clock forward")
    advance.add_argument("duration", metavar="DURATION", help="such as 90, 30m, 2h or 1d12h")
    add_world_option(advance)
    finish_action(advance, _advance, world=False)
    lag = actions.add_parser("eventual-consistency", help="keep what is new unknown for a while, as AWS may")
    lag.add_argument("duration", metavar="DURATION", help="such as 5 or 10s; 0: everything counts at once")
    add_world_option(lag)
    finish_action(lag, _eventual_consistency, world=False)


def _create(arguments: argparse.Namespace) -> None:
    body = {"name": arguments.name}
    if arguments.scenario:
        body["scenario"] = _text(Path(arguments.scenario))
    with control(arguments) as emulator:
        emulator.api("POST", "worlds", body=body)
        endpoint = emulator.endpoint(arguments.name)
    answer(arguments, {"name": arguments.name, "endpoint": endpoint}, endpoint)


def _text(path: Path) -> str:
    try:
        with file_trouble(path):
            return path.read_text(encoding="utf-8")
    except ValueError:
        raise CommandError(f"{path}: is not UTF-8 text", UNUSABLE) from None


def _delete(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        emulator.api("DELETE", "worlds", arguments.name)
    answer(arguments, {"deleted": arguments.name})


def _list(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        worlds = {name: emulator.endpoint(name) for name in emulator.api("GET", "worlds")}
    answer(arguments, worlds, *table([("WORLD", "ENDPOINT"), *worlds.items()], room(arguments)))


def _advance(arguments: argparse.Namespace) -> None:
    seconds = duration(arguments.duration)
    with control(arguments) as emulator:
        world = emulator.api("POST", "worlds", arguments.world, "clock", body={"advance_seconds": seconds})
    answer(arguments, world, world["time"])


def _eventual_consistency(arguments: argparse.Namespace) -> None:
    seconds = duration(arguments.duration)
    with control(arguments) as emulator:
        emulator.api("PUT", "worlds", arguments.world, "eventual-consistency", body={"seconds": seconds})
    answer(arguments, {"seconds": seconds})


def duration(text: str) -> float:
    """Seconds of a duration such as `90`, `30m` or `1d12h`. Raises CommandError."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise CommandError(f"`{text}` is not a duration such as 90, 30m, 2h or 1d12h", UNUSABLE)
    return sum(float(number) * _UNITS[unit] for number, unit in parts)
