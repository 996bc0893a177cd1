"""`what-can`: the roles that a principal can get to, directly and by way of other roles."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sts_emulator.cli import screen
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.who_can import add_estate_options, estate, one_of, reach, show

if TYPE_CHECKING:
    from sts_emulator.analysis.estate import Estate

EPILOG = """\
examples:
  sts-emulator what-can alice           a user or role in trust_policies/
  sts-emulator what-can arn:aws:iam::111122223333:role/ci account.json
  sts-emulator what-can token.actions.githubusercontent.com plan.json
  sts-emulator what-can token.actions.githubusercontent.com \\
    --key token.actions.githubusercontent.com:sub=repo:a/b:x
  sts-emulator what-can ec2.amazonaws.com
  sts-emulator what-can 444455556666    whoever acts for another account

exit codes: 0 there are roles; 1 there are none; 2 the files, or the principal, cannot be used
"""


HELP = "say which roles a principal can get to"
DESCRIPTION = "Say which roles a user, role, provider, service or account can assume, also one after the other."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("principal", metavar="PRINCIPAL", help="a name or ARN, a provider, a service, an account id")
    add_estate_options(parser)


def run(arguments: argparse.Namespace) -> int:
    with estate(arguments) as accounts:
        who = principal(accounts, arguments.principal)
        with screen.patience("trying every role"):
            ways = reach(accounts, arguments).what_can(who, chains=not arguments.direct)
    return show(arguments, ways, who, title=f"What {who} can assume", none=f"{who} can assume no role")


def principal(accounts: Estate, text: str) -> str:
    """How the estate calls what a person means. Raises CommandError."""
    providers = dict(accounts.providers())
    named = [text] if text in providers or text in accounts.trusting else []
    named = named or [arn for arn, host in providers.items() if host == text.removeprefix("https://")]
    named = named or accounts.named(text)
    if not named and text.isdigit():
        named = [text]
    if not named and text.startswith("arn:"):
        raise CommandError(f"{text} is not in these files, and no trust policy in them names it", UNUSABLE)
    (only,) = one_of(named, f"user, role, provider, service or account `{text}`")
    return only
