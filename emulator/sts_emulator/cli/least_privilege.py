"""`least-privilege`: proposes the least policy for what a principal used, and shows what is attached beyond it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.cli.inputs import file_trouble
from sts_emulator.cli.screen import add_json_format
from sts_emulator.core.terminal import printable

if TYPE_CHECKING:
    from sts_emulator.analysis.least_privilege import Proposal
    from sts_emulator.vending.context import Consulted

EPILOG = """\
examples:
  sts-emulator serve --upstream http://127.0.0.1:5000 --record used.jsonl
  sts-emulator least-privilege used.jsonl deploy
  sts-emulator least-privilege used.jsonl arn:aws:iam::111122223333:role/deploy \\
    --format policy > deploy.json

Everything that was recorded is decided again with the proposal before it is shown. Statements that deny stay.

exit codes: 0 there is a proposal; 1 nothing of that name was recorded; 2 the file cannot be used
"""


HELP = "propose the least policy for what a role used"
DESCRIPTION = "Propose the least policy for what was recorded of a role or user (`serve --record FILE`)."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what `serve --record FILE` wrote")
    parser.add_argument("role", metavar="ROLE", help="the name or ARN of the role, or of the user")
    parser.add_argument("--format", choices=("text", "json", "policy"), default="text", help="of what is printed")
    add_json_format(parser)


def run(arguments: argparse.Namespace) -> int:
    from sts_emulator.analysis.least_privilege import TooNarrowError, propose

    principal, uses = _uses(Path(arguments.file), arguments.role)
    try:
        proposal = propose(uses)
    except TooNarrowError as error:
        raise CommandError(f"no least policy was found: {error}", UNUSABLE) from None
    print("\n".join(_FORMATS[arguments.format](principal, proposal)))
    return 0


def _uses(file: Path, wanted: str) -> tuple[str, list[Consulted]]:
    """The principal that is meant, and what it used. Raises CommandError."""
    from sts_emulator.vending.usage import UnreadableError, principal_of, read

    by_principal: dict[str, list[Consulted]] = {}
    try:
        with file_trouble(file):
            for _, used in read(file):
                by_principal.setdefault(principal_of(used), []).append(used)
    except UnreadableError as error:
        raise CommandError(str(error), UNUSABLE) from None
    meant = [arn for arn in by_principal if wanted in (arn, arn.rpartition("/")[2])]
    if len(meant) > 1:
        raise CommandError(f"several are called `{wanted}`; write the ARN: {', '.join(meant)}", UNUSABLE)
    if not meant:
        known = ", ".join(sorted(by_principal)) or "nobody"
        raise CommandError(f"{file} has nothing of `{wanted}`; there is {known}", REFUSED)
    if meant[0].endswith(":root"):
        raise CommandError(f"{meant[0]} may do everything whatever its policies say; use a role or a user", REFUSED)
    return meant[0], by_principal[meant[0]]


def _as_text(principal: str, proposal: Proposal) -> Iterator[str]:
    uses = f"{proposal.needed} use{'' if proposal.needed == 1 else 's'}"
    yield printable(f"the least policy for {principal}, by {uses} that were recorded:")
    yield ""
    yield from _as_policy(principal, proposal)
    if proposal.spared:
        yield from ("", f"left out: {proposal.spared} that the resource's own policy allows by itself")
    if proposal.folders:
        yield from ("", "wider than what was used, since there were many of them:")
        yield from (printable(f"  {folder}") for folder in proposal.folders)
    yield ""
    if not proposal.unused:
        yield "nothing is attached that was not used"
        return
    yield "attached, and not used:"
    yield from (printable(f"  {unused.words}") for unused in proposal.unused)


def _as_policy(_principal: str, proposal: Proposal) -> Iterator[str]:
    yield json.dumps(proposal.policy, indent=2, ensure_ascii=True)


def _as_json(principal: str, proposal: Proposal) -> Iterator[str]:
    unused = [
        {
            "policy": part.policy,
            "statement": part.statement,
            "whole": part.whole,
            "actions": list(part.actions),
            "resources": list(part.resources),
        }
        for part in proposal.unused
    ]
    told = {
        "principal": principal,
        "policy": proposal.policy,
        "uses": proposal.needed,
        "spared": proposal.spared,
        "folders": list(proposal.folders),
        "unused": unused,
    }
    yield json.dumps(told, indent=2)


_FORMATS = {"text": _as_text, "json": _as_json, "policy": _as_policy}
