"""`approve`: plays the person who signs in on a page and says yes or no, for scripts and CI."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from sts_emulator.cli.control import TIMEOUT, ControlError, add_server_options, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json, answer
from sts_emulator.core.hosts import is_loopback

_BEGIN = "; begin a sign-in (`aws sso login`, `aws login`) and give what it shows, while it waits"


HELP = "sign in and approve what a tool waits for"
DESCRIPTION = (
    "Play the person who signs in and approves what a tool waits for. It stands for password and "
    "second factor, and for nothing else. Prints where the browser goes, or what the person would paste."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="URL-OR-CODE", help="the URL that the tool opened, or the code that it shows")
    parser.add_argument(
        "--user",
        required=True,
        metavar="NAME",
        help="a person of Identity Center, ACCOUNT/NAME (an IAM user), ACCOUNT/root, or POOL/NAME (a pool's user)",
    )
    parser.add_argument("--deny", action="store_true", help="say no")
    add_json(parser)
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Approve, go where the browser would (on this machine), and print it."""
    what = arguments.what.strip()
    if not what or not arguments.user:
        lacking = "--user is empty: say who approves" if what else "say the URL that the tool opened, or its code"
        raise CommandError(f"there is nothing to approve with: {lacking}", UNUSABLE)
    kind = "url" if "://" in what else "code"
    body = {kind: what, "user": arguments.user, "deny": arguments.deny}
    with control(arguments) as emulator:
        world = _world_of(what) or arguments.world
        try:
            outcome = emulator.api("POST", "worlds", world, "approve", body=body)
        except ControlError as refused:
            raise CommandError(f"{refused}{_BEGIN}" if "waits for" in str(refused) else str(refused)) from None
    location = outcome.get("location", "")
    if location:
        _go(location)
    said = "denied" if arguments.deny else "approved"
    told = {"outcome": said, "location": location or None, "paste": outcome.get("paste")}
    answer(arguments, told, outcome.get("paste") or location or said)


def _world_of(what: str) -> str:
    """The world that a URL of ours names, "" when it names none."""
    if "://" not in what:
        return ""
    first, _, rest = urlsplit(what).path.lstrip("/").partition("/")
    return rest.partition("/")[0] if first == "w" else ""


def _go(location: str) -> None:
    """Tell a tool that listens on this machine what its browser would; a location elsewhere is only printed."""
    parts = urlsplit(location)
    if parts.scheme != "http" or not is_loopback(parts.hostname or ""):
        return
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        connection.getresponse().read()
    except (OSError, HTTPException) as error:
        raise CommandError(f"approved, but nobody listens at {parts.hostname}:{parts.port} ({error})") from None
    finally:
        connection.close()
