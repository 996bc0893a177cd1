"""`explain`: says which policy, statement and condition decided: of an event, or of a file's expectations."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sts_emulator.cli.check import outcomes_of
from sts_emulator.cli.control import ControlError, add_server_options, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.inputs import account_options, add_account_options, scenario_files
from sts_emulator.cli.screen import painted
from sts_emulator.core.terminal import printable
from sts_emulator.policy.json_types import JsonObject

if TYPE_CHECKING:
    from sts_emulator.scenario.judge import Outcome

LAST = "last"
_SUFFIXES = (".yaml", ".yml", ".json", ".template", ".tfstate")


HELP = "say why an attempt, or a file's expectation, is allowed or denied"
DESCRIPTION = (
    "Explain an event of a running emulator (its id is the request id that the client was given), "
    "or, for files, every expectation without a server."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", nargs="*", metavar="EVENT_ID | FILE", help="default: the last event")
    parser.add_argument("--last", action="store_true", help="the last event")
    parser.add_argument(
        "--json", action="store_true", help="evidence and decisions of an event, or of expectations, as JSON"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="of a file, expectations whose name has this in it")
    add_server_options(parser)
    add_account_options(parser.add_argument_group("imports"))


def run(arguments: argparse.Namespace) -> None:
    """Explain what is named: what exists as a file is one, anything else is an event."""
    wanted = arguments.what or [LAST]
    if arguments.last and arguments.what:
        raise CommandError("--last stands for an event, so no other can be named", UNUSABLE)
    if all(map(_is_path, wanted)):
        _explain_files(wanted, arguments)
    elif len(wanted) == 1 and "/" not in wanted[0] and not wanted[0].endswith(_SUFFIXES):
        _explain_event(wanted[0], arguments)
    else:
        missing = next(named for named in wanted if not _is_path(named))
        raise CommandError(f"{missing}: no such file or folder", UNUSABLE)


def _is_path(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # longer than a name can be, or with a NUL in it
        return False


def _explain_files(paths: list[str], arguments: argparse.Namespace) -> None:
    from sts_emulator.analysis.trials import explanation

    told = []
    given = account_options(arguments)
    for path in scenario_files(paths):
        for outcome in outcomes_of(path, *given):
            if arguments.only not in outcome.expectation.title:
                continue
            if arguments.json:
                told.append(_expectation(outcome))
                continue
            where = outcome.expectation.where
            lines = (f"  {line}" for line in explanation(outcome))
            head = f"{where.file}:{where.line}: {outcome.expectation.title}: {outcome.verdict}"
            print(painted("\n".join(map(printable, (head, *lines)))))
    if arguments.json:
        print(json.dumps({"schema": 1, "expectations": told}, indent=2))


def _expectation(outcome: Outcome) -> JsonObject:
    """Like the explanation of an event, of what a file expects."""
    error, where = outcome.error, outcome.expectation.where
    return {
        "name": outcome.expectation.title,
        "file": where.file,
        "line": where.line,
        "passed": outcome.passed,
        "outcome": "denied" if error else "allowed",
        "error": {"code": error.code, "message": error.message} if error else None,
        "evidence": dict(outcome.evidence),
        "explanation": outcome.tree,
    }


def _explain_event(event: str, arguments: argparse.Namespace) -> None:
    form = "json" if arguments.json else "text"
    with control(arguments) as emulator:
        try:
            answer = emulator.api("GET", "worlds", arguments.world, "explain", event, format=form)
        except ControlError as refused:
            hint = "; `sts-emulator events` lists them" if "no event" in str(refused) else ""
            raise CommandError(f"{refused}{hint}") from None
    if arguments.json:
        print(json.dumps(answer, indent=2))
    else:
        print(
            painted("\n".join(map(printable, answer.rstrip().split("\n"))))
        )  # what others sent may hold escape sequences
