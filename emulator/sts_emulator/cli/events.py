"""`events`: shows what was attempted in a world, and what came of it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from sts_emulator.cli.control import add_server_options, control
from sts_emulator.cli.screen import painted
from sts_emulator.core.terminal import printable

HELP = "show what was attempted, and what came of it"
DESCRIPTION = "Show a world's events, oldest first: a line each, or CloudTrail-shaped JSON."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--follow", "-f", action="store_true", help="go on with new ones as they happen")
    parser.add_argument("--json", action="store_true", help="print whole records, one a line")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="the newest N (default: 100)")
    parser.add_argument("--outcome", choices=("allowed", "denied", "failed"), help="only these")
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print the kept events, and with --follow whatever follows."""
    with control(arguments) as emulator:
        world = ("worlds", arguments.world, "events")
        for event in emulator.api("GET", *world, limit=arguments.limit, outcome=arguments.outcome):
            _print(event, arguments)
        if not arguments.follow:
            return
        for event in emulator.stream(*world, "stream"):
            if arguments.outcome in (None, event["additionalEventData"]["outcome"]):
                _print(event, arguments)


def _print(event: Mapping[str, object], arguments: argparse.Namespace) -> None:
    print(json.dumps(event) if arguments.json else painted(line(event)), flush=True)


def line(event: Mapping[str, Any]) -> str:
    """An event in one line: when, what came of it, what, by whom, for what, and the error."""
    identity = event["userIdentity"]
    who = identity.get("arn") or identity.get("identityProvider") or identity["type"]
    what = (event["requestParameters"] or {}).get("roleArn", "")
    told = event["additionalEventData"].get("told")
    error = f"{told['code']}: {told['message']}" if told else ""
    parts = (
        event["eventTime"],
        f"{event['additionalEventData']['outcome']:<7}",
        event["eventName"],
        who,
        f"-> {what}" if what else "",
        error,
        f"[{event['requestID']}]",
    )
    return printable("  ".join(part for part in parts if part))
