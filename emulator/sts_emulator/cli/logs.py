"""`logs`: what an emulator in the background has printed."""

from __future__ import annotations

import argparse
import time

from sts_emulator.cli.control import add_server_options, port
from sts_emulator.cli.errors import CommandError

PAUSE = 0.2  # seconds between two looks at the log


HELP = "print what the emulator in the background has printed"
DESCRIPTION = "Print the log of an emulator that `sts-emulator start` started, also after its end."
EPILOG = "Calls, and what came of them: sts-emulator events --follow."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", "-f", action="store_true", help="go on with new lines until the emulator ends")
    add_server_options(parser, world=False)


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
