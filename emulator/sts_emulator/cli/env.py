"""`env`: prints the environment variables that point AWS clients at a running emulator."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sts_emulator.cli.control import add_server_options, control, settings_from_environment

SERVICES = ("STS", "IAM", "ROLESANYWHERE", "EKS_AUTH", "SSO", "SSO_OIDC")
"""Services of the emulator whose own endpoint variable is needed beside the global one.

Inside their credential providers some SDKs, Go's among them, read only that
(docs/aws/clients.md, "Endpoint variables")."""

OVERRULING = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
"""Variables that would defeat the ones printed."""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "env",
        help="print the environment variables for a running emulator",
        description="Print credentials and endpoint variables for AWS clients.",
        epilog='example: eval "$(sts-emulator env)"',
        allow_abbrev=False,
    )
    parser.add_argument("--account", metavar="ID", help="whose credentials (default: the first account)")
    parser.add_argument("--user", metavar="NAME", default="", help="an IAM user of the account (default: its root)")
    parser.add_argument("--format", choices=tuple(FORMATS), default="sh", help="how to write them (default: sh)")
    add_server_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Ask the server for the credentials and print everything."""
    with control(arguments) as emulator:
        key = emulator.api(
            "GET", "worlds", arguments.world, "credentials", account=arguments.account, user=arguments.user or None
        )
        found = variables(emulator.endpoint(arguments.world), key, settings_from_environment().region)
    print("\n".join(FORMATS[arguments.format](found)))


def variables(endpoint: str, key: Mapping[str, str], region: str) -> dict[str, str]:
    """Every variable, in order; `key` has access_key_id, secret_access_key and perhaps session_token."""
    found = {
        "AWS_ACCESS_KEY_ID": key["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        **{f"AWS_ENDPOINT_URL_{service}": endpoint for service in SERVICES},
    }
    if key.get("session_token"):
        found["AWS_SESSION_TOKEN"] = key["session_token"]
    return found


def _sh(found: Mapping[str, str]) -> Iterator[str]:
    if gone := [name for name in OVERRULING if name not in found]:
        yield f"unset {' '.join(gone)}"
    for name, value in found.items():
        yield f"export {name}={shlex.quote(value)}"


def _powershell(found: Mapping[str, str]) -> Iterator[str]:
    for name in OVERRULING:
        if name not in found:
            yield f"Remove-Item Env:{name} -ErrorAction Ignore"
    for name, value in found.items():
        quoted = value.replace("'", "''")
        yield f"$Env:{name} = '{quoted}'"


def _dotenv(found: Mapping[str, str]) -> Iterator[str]:
    for name, value in found.items():
        plain = value.replace("_", "").replace("-", "").replace("/", "").replace(":", "").replace(".", "").isalnum()
        yield f"{name}={value}" if plain else f"{name}='{value}'"


def _json(found: Mapping[str, str]) -> Iterator[str]:
    yield json.dumps(found, indent=2)


FORMATS: Mapping[str, Callable[[Mapping[str, str]], Iterator[str]]] = {
    "sh": _sh,
    "json": _json,
    "dotenv": _dotenv,
    "powershell": _powershell,
}
