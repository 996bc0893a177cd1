"""`start`: runs the emulator in the background, and returns when it answers."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sts_emulator.cli.control import answers, url_of
from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json, answer, patience
from sts_emulator.cli.serve import add_settings, flags_of, free_port, settings

if TYPE_CHECKING:
    import subprocess

    from sts_emulator.cli.background import Background
    from sts_emulator.settings import Settings

START_LIMIT = 120.0  # seconds until it answers; it takes a quarter of one


HELP = "run the emulator in the background"
DESCRIPTION = (
    "Run the emulator in the background, and return when it answers. One that runs already is left "
    "alone. Every flag is also an environment variable, EMULATOR_ and its name in capitals."
)
EPILOG = "See also: sts-emulator status, logs, stop."


def add_options(parser: argparse.ArgumentParser) -> None:
    add_settings(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    """Start it, or say that it runs. Raises CommandError with the end of its log."""
    try:
        from sts_emulator.cli.background import Background
    except ImportError:  # fcntl
        raise CommandError("there is no background on this system; use `sts-emulator serve`", UNUSABLE) from None
    chosen = settings(arguments)
    server = Background(chosen.port)
    if chosen.port and server.pid() is not None:
        _tell(arguments, server, chosen, "runs already", f"`sts-emulator stop --port {chosen.port}` ends it")
        return
    chosen = replace(chosen, port=free_port(chosen.host, chosen.port))
    arguments.port = chosen.port
    server = Background(chosen.port)
    with patience("starting"):
        _wait(server, server.start([*flags_of(arguments)]), url_of(chosen.host, chosen.port))
    port = "" if chosen.port == type(chosen)().port else f" --port {chosen.port}"
    following = (f'next: eval "$(sts-emulator env{port})", and later: sts-emulator stop{port}',)
    _tell(arguments, server, chosen, "runs", f"its log: {server.log}", *(following if sys.stdout.isatty() else ()))


def _tell(
    arguments: argparse.Namespace, server: Background, chosen: Settings, runs: str, more: str, *following: str
) -> None:
    url = url_of(chosen.host, chosen.port)
    told = {"url": url, "pid": server.pid(), "log": str(server.log), "started": runs == "runs"}
    answer(arguments, told, f"sts-emulator {runs} on {url}; {more}", *following)


def _wait(server: Background, process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_LIMIT
    while process.poll() is None and time.monotonic() < until:
        if answers(url):
            process.returncode = 0  # it goes on without us: nobody is to complain that it was not waited for
            return
        time.sleep(0.02)
    told = server.log.read_text("utf-8", "replace").strip()
    raise CommandError(f"it did not start:\n{told}" if told else "it did not start", process.returncode or REFUSED)
