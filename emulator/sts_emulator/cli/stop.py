"""`stop`: ends an emulator that `start` started."""

from __future__ import annotations

import argparse

from sts_emulator.cli.control import add_server_options, port
from sts_emulator.cli.screen import Commands, add_json, answer


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "stop",
        help="end the emulator in the background",
        description="End an emulator that `sts-emulator start` started. What it had in memory is gone.",
        allow_abbrev=False,
    )
    add_json(parser)
    add_server_options(parser, world=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """End it. Raises CommandError where there is none."""
    from sts_emulator.cli.background import Background

    server = Background(port(arguments))
    server.end()
    answer(arguments, {"port": server.port, "ended": True}, f"sts-emulator on port {server.port} has ended")
