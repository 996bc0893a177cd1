"""`messages`: shows the mails and text messages that people of a world got."""

from __future__ import annotations

import argparse
import json
from typing import Any

from sts_emulator.cli.control import add_server_options, control
from sts_emulator.core import clock
from sts_emulator.core.terminal import printable

HELP = "show the messages that people got"
DESCRIPTION = "Show the mails and text messages of a world, oldest first. Nothing is really sent."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--to", default="", metavar="ADDRESS", help="only those to one address or number")
    parser.add_argument("--json", action="store_true", help="print them as JSON, one a line")
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> None:
    with control(arguments) as emulator:
        messages = emulator.api("GET", "worlds", arguments.world, "messages", to=arguments.to or None)
    for message in messages:
        print(json.dumps(message) if arguments.json else _shown(message))


def _shown(message: dict[str, Any]) -> str:
    head = f"{clock.iso(message['at'])} {message['channel']} to {message['to']}"
    if message["subject"]:
        head += f": {message['subject']}"
    return "\n".join([printable(head), *(f"  {printable(line)}" for line in message["text"].splitlines())])
