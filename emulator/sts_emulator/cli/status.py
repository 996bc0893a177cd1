"""`status`: whether an emulator answers, and what it holds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sts_emulator.cli.control import Control, ControlError, add_server_options, control, port
from sts_emulator.cli.screen import add_json, answer
from sts_emulator.policy.json_types import JsonObject

HELP = "say whether an emulator runs, and what it holds"
DESCRIPTION = "Say whether an emulator answers, and what its worlds hold. Exit code 1: none answers."


def add_options(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_server_options(parser, world=False)


def run(arguments: argparse.Namespace) -> None:
    """Ask it. Raises CommandError where none answers."""
    with control(arguments) as emulator:
        worlds = [*filter(None, (_world(emulator, name) for name in emulator.api("GET", "worlds")))]
        status = {"url": emulator.url, "worlds": worlds, **background(port(arguments))}
    where = (
        f"in the background (process {status['pid']}, log {status['log']})" if status["pid"] else "in the foreground"
    )
    answer(arguments, status, f"sts-emulator runs on {status['url']}, {where}", *map(_line, worlds))


def _line(world: Mapping[str, Any]) -> str:
    accounts = ", ".join(world["accounts"]) or "none"
    return f"  world {world['name']}: accounts {accounts}; its time is {world['time']}"


def _world(emulator: Control, name: str) -> dict[str, Any] | None:
    """A world, or None where somebody has just deleted it."""
    try:
        accounts = [account["id"] for account in emulator.api("GET", "worlds", name, "accounts")]
        return {"name": name, "accounts": accounts, "time": emulator.api("GET", "worlds", name)["time"]}
    except ControlError as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def background(number: int) -> JsonObject:
    """The process and the log of the one that `start` started on a port, None where there is none."""
    try:
        from sts_emulator.cli.background import Background
    except ImportError:  # fcntl: no background on this system
        return {"pid": None, "log": None}
    server = Background(number)
    pid = server.pid()
    return {"pid": pid, "log": str(server.log) if pid else None}
