"""`access`: derives a token for one world, or for reading, from the server's own; no server is asked."""

from __future__ import annotations

import argparse

from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json, answer
from sts_emulator.core.world import WORLD_NAME
from sts_emulator.pages import tokens
from sts_emulator.settings import token_in_environment

HELP = "make a token for one world, or for reading"
DESCRIPTION = (
    "Print a token that is good for less than the server's own: at the control API, the console and "
    "the lab's issuers. Whoever has it sets EMULATOR_TOKEN, or gives it to a browser as the password of any name."
    " It is good as long as the server's is."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--token", default=None, help="the server's token (default: EMULATOR_TOKEN)")
    parser.add_argument("--world", default="", metavar="NAME", help="good for this world only")
    parser.add_argument("--read", action="store_true", help="good for reading only, but not for credentials and codes")
    add_json(parser)


def run(arguments: argparse.Namespace) -> None:
    token = token_in_environment() if arguments.token is None else arguments.token
    if len(token) < tokens.LEAST:
        raise CommandError(
            f"give the server's token with --token, or as EMULATOR_TOKEN: {tokens.LEAST} characters", UNUSABLE
        )
    if not arguments.world and not arguments.read:
        raise CommandError("say --world NAME, --read or both: without them it is the server's own token", UNUSABLE)
    if arguments.world and not WORLD_NAME.fullmatch(arguments.world):
        raise CommandError(f"`{arguments.world}` is no name of a world", UNUSABLE)
    made = tokens.derived(token, arguments.world, reads=arguments.read)
    answer(arguments, {"token": made, "world": arguments.world or None, "read": arguments.read}, made)
