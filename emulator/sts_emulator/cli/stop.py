"""`stop`: ends an emulator that `start` started."""

from __future__ import annotations

import argparse

from sts_emulator.cli.control import add_server_options, port
from sts_emulator.cli.screen import add_json, answer

HELP = "end the emulator in the background"
DESCRIPTION = "End an emulator that `sts-emulator start` started. What it had in memory is gone."


def add_options(parser: argparse.ArgumentParser) -> None:
    add_json(parser)
    add_server_options(parser, world=False)


def run(arguments: argparse.Namespace) -> None:
    """End it. Raises CommandError where there is none."""
    from sts_emulator.cli.background import Background

    server = Background(port(arguments))
    server.end()
    answer(arguments, {"port": server.port, "ended": True}, f"sts-emulator on port {server.port} has ended")
