"""`logs`: what an emulator in the background has printed."""

from __future__ import annotations

import argparse
import time

from sts_emulator.cli.control import add_server_options, port
from sts_emulator.cli.errors import CommandError
from sts_emulator.cli.screen import Commands

PAUSE = 0.2  # seconds between two looks at the log


def add_parser(subparsers: Commands) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "logs",
        help="print what the emulator in the background has printed",
        description="Print the log of an emulator that `sts-emulator start` started, also after its end.",
        epilog="Calls, and what came of them: sts-emulator events --follow.",
        allow_abbrev=False,
    )
    parser.add_argument("--follow", "-f", action="store_true", help="go on with new lines until the emulator ends")
    add_server_options(parser, world=False)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print it. Raises CommandError where there is none."""
    from sts_emulator.cli.background import Background

    server = Background(port(arguments))
    try:
        with server.log.open(encoding="utf-8", errors="replace") as log:
            while True:
                alive = arguments.follow and server.pid() is not None  # before reading: nothing is missed at the end
                print(log.read(), end="", flush=True)
                if not alive:
                    return
                time.sleep(PAUSE)
    except OSError:
        raise CommandError(f"no log for port {server.port}; `sts-emulator start` makes one") from None
