"""`saml`: asks a running emulator's lab identity providers for an assertion."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any
from urllib.parse import quote

from sts_emulator.cli.control import DEFAULT_WORLD, Control, add_server_options, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.inputs import named_values
from sts_emulator.cli.screen import add_json, answer

HELP = "make an assertion of a lab identity provider"


def add_options(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    command = commands.add_parser(
        "assert",
        help="print a SAMLResponse, in base64, for AssumeRoleWithSAML",
        epilog='example: aws sts assume-role-with-saml --saml-assertion "$(sts-emulator saml assert --user jane)" …',
    )
    _add_options(command)
    add_server_options(command)


def run(arguments: argparse.Namespace) -> None:
    with closing(control(arguments)) as emulator:
        made = _made(emulator, arguments)
    if getattr(arguments, "json", False):
        answer(arguments, made)
    elif arguments.xml:
        print(base64.b64decode(made["SAMLResponse"]).decode())
    elif arguments.pairs:
        for pair in made["roles"]:
            print(f"{pair['role']} {pair['provider']}")
    else:
        print(made["SAMLResponse"])


def _made(emulator: Control, arguments: argparse.Namespace) -> Any:
    body = request(arguments)
    prefix = "" if arguments.world == DEFAULT_WORLD else f"/w/{arguments.world}"
    idp = arguments.idp or _only(emulator.page("GET", f"{prefix}/idp/")["identity_providers"])
    return emulator.page("POST", f"{prefix}/idp/{quote(idp, '', errors='surrogateescape')}/assertions", body=body)


def request(arguments: argparse.Namespace) -> Mapping[str, object]:
    """What to ask the identity provider for."""
    body = {
        "user": arguments.user,
        "roles": arguments.role or None,
        "audience": arguments.audience,
        "recipient": arguments.recipient,
        "session_name": arguments.session_name,
        "session_duration": arguments.session_duration,
        "source_identity": arguments.source_identity,
        "tags": dict(named_values("--tag", arguments.tag, "KEY=VALUE")) or None,
        "transitive": arguments.transitive or None,
        "expires_in": arguments.expires_in,
    }
    return {name: value for name, value in body.items() if value is not None}


DESCRIPTION = "Make an assertion about a user of a lab identity provider, signed as that would sign it."


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--user", required=True, metavar="NAME", help="whom the assertion is about")
    parser.add_argument("--idp", metavar="NAME", help="which identity provider of the world (default: its only one)")
    says = parser.add_argument_group("what the assertion says")
    says.add_argument(
        "--role", action="append", metavar="ROLE", help="an ARN or a name; default: all that the user has"
    )
    says.add_argument("--session-name", metavar="NAME")
    says.add_argument("--session-duration", type=int, metavar="SECONDS")
    says.add_argument("--source-identity", metavar="NAME")
    says.add_argument("--tag", action="append", default=[], metavar="KEY=VALUE", help="may be given several times")
    says.add_argument("--transitive", action="append", metavar="KEY", help="a tag that stays with chained sessions")
    says.add_argument("--audience", metavar="URI")
    says.add_argument("--recipient", metavar="URL", help="what SAML:aud will be")
    says.add_argument("--expires-in", type=int, metavar="SECONDS", help="lifetime; negative for one that is over")
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--xml", action="store_true", help="print the XML instead of base64")
    add_json(shown)
    shown.add_argument("--pairs", action="store_true", help="print `role provider` lines instead")


def _only(idps: Sequence[dict[str, Any]]) -> str:
    if len(idps) != 1:
        listed = ", ".join(idp["name"] for idp in idps) or "none"
        raise CommandError(f"name an identity provider with --idp; there are: {listed}", UNUSABLE)
    return str(idps[0]["name"])
