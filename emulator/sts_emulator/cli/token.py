"""`token`: asks a running emulator's lab issuers for a token."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sts_emulator.cli.control import DEFAULT_WORLD, control
from sts_emulator.cli.inputs import finish_action, named_values
from sts_emulator.cli.screen import Commands, answer
from sts_emulator.idp.presets import PRESETS, Preset
from sts_emulator.policy.json_types import JsonObject

_OPTION = "option_"


HELP = "mint an OIDC token of a lab issuer"
DESCRIPTION = "Mint a token as the real issuer would write it, signed by this emulator's lab issuer."
EPILOG = "example: sts-emulator token github --repo acme/shop --ref refs/heads/main"


def add_options(parser: argparse.ArgumentParser) -> None:
    kinds = parser.add_subparsers(metavar="KIND", required=True)
    for name, preset in PRESETS.items():
        _add_kind(kinds, name, preset)
    _add_cognito(kinds)


def _add_kind(kinds: Commands, name: str, preset: Preset) -> None:
    parser = kinds.add_parser(name, help=f"shaped like those of {preset.url}")
    claims = parser.add_argument_group("what the token says")
    for option, default in preset.options.items():
        flag = f"--{option.replace('_', '-')}"
        shown = "" if default is None else f"default: {default}".replace("%", "%%")
        if isinstance(default, bool):
            claims.add_argument(flag, dest=_OPTION + option, action="store_true", default=None)
        else:
            claims.add_argument(flag, dest=_OPTION + option, metavar="VALUE", help=shown)
    claims.add_argument("--audience", action="append", metavar="AUD", help="may be given several times")
    claims.add_argument(
        "--claim", action="append", default=[], metavar="NAME=VALUE", help="any claim; VALUE may be JSON"
    )
    claims.add_argument("--expires-in", type=int, metavar="SECONDS", help="lifetime; negative for one that is over")
    parser.add_argument(
        "--issuer", default=name, metavar="NAME", help="which issuer of the world (default: %(default)s)"
    )
    parser.add_argument("--claims", action="store_true", help="print the claims, not the token")
    finish_action(parser, run)


def _add_cognito(kinds: Commands) -> None:
    parser = kinds.add_parser("cognito", help="of a user of a Cognito user pool, as a sign-in gives it")
    parser.add_argument("--pool", default="", help="id or name of the user pool (default: the only one)")
    parser.add_argument("--user", required=True, help="username, alias or sub")
    parser.add_argument("--client", default="", help="id or name of the app client (default: the only one)")
    parser.add_argument("--access", action="store_true", help="print the access token, not the ID token")
    finish_action(parser, run_cognito)


def run_cognito(arguments: argparse.Namespace) -> None:
    """Print the token of a user pool's user, and nothing else."""
    body = {"pool": arguments.pool, "user": arguments.user, "client": arguments.client}
    with control(arguments) as emulator:
        tokens = emulator.page("POST", f"{_prefix(arguments)}/user-pools/tokens", body=body)
    answer(arguments, tokens, tokens["AccessToken" if arguments.access else "IdToken"])


def _prefix(arguments: argparse.Namespace) -> str:
    return "" if arguments.world == DEFAULT_WORLD else f"/w/{quote(arguments.world, '', errors='surrogateescape')}"


def run(arguments: argparse.Namespace) -> None:
    body = request(arguments)
    with control(arguments) as emulator:
        minted = emulator.page(
            "POST", f"{_prefix(arguments)}/issuers/{quote(arguments.issuer, safe='')}/token", body=body
        )
    if arguments.claims:
        print(json.dumps(minted["claims"], indent=2))
    else:
        answer(arguments, minted, minted["token"])


def request(arguments: argparse.Namespace) -> Mapping[str, object]:
    """What to ask the issuer for: options and claims."""
    given = vars(arguments)
    body = {name.removeprefix(_OPTION): value for name, value in given.items() if name.startswith(_OPTION)}
    body = {name: value for name, value in body.items() if value is not None}
    if arguments.audience:
        body["aud"] = arguments.audience[0] if len(arguments.audience) == 1 else arguments.audience
    if arguments.expires_in is not None:
        body["expires_in"] = arguments.expires_in
    return {**body, **_claims(arguments.claim)}


def _claims(given: list[str]) -> JsonObject:
    claims: dict[str, Any] = {}
    for name, value in named_values("--claim", given):
        try:
            claims[name] = json.loads(value)
        except (ValueError, RecursionError):
            claims[name] = value
    return claims
