"""`env`: prints the environment variables that point AWS clients at a running emulator."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sts_emulator.cli.control import add_server_options, control, settings_from_environment
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json_format

SERVICES = (
    *("STS", "IAM", "ROLESANYWHERE", "EKS_AUTH", "SSO", "SSO_OIDC", "SIGNIN"),
    *("COGNITO_IDENTITY", "COGNITO_IDENTITY_PROVIDER"),
)
"""Services of the emulator whose own endpoint variable is needed beside the global one.

Inside their credential providers some SDKs, Go's among them, read only that
(docs/aws/clients.md, "Endpoint variables")."""

_PROFILE = re.compile(r"[\w.@+-]+")
OVERRULING = ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
"""Variables that would defeat the ones printed."""


EPILOG = """\
examples:
  eval "$(sts-emulator env)"
  sts-emulator env --format profile --user alice --profile lab >> ~/.aws/config
"""


HELP = "print the environment variables for a running emulator"
DESCRIPTION = "Print credentials and endpoint variables for AWS clients."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--account", metavar="ID", help="whose credentials (default: the first account)")
    parser.add_argument("--user", metavar="NAME", default="", help="an IAM user of the account (default: its root)")
    parser.add_argument(
        "--format",
        choices=(*FORMATS, *KEY_FORMATS),
        metavar="FORMAT",
        default="sh",
        help="how to write them: sh (the default), json, dotenv, powershell; "
        "`credential-process` is what a profile runs, `profile` is a profile that does, for ~/.aws/config",
    )
    add_json_format(parser)
    parser.add_argument("--profile", metavar="NAME", default="sts-emulator", help="how `--format profile` calls it")
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Ask the server for the credentials and print everything."""
    if not _PROFILE.fullmatch(arguments.profile):
        raise CommandError(
            f"`{arguments.profile}` cannot be a profile's name: letters, digits and . _ @ + - can", UNUSABLE
        )
    with control(arguments) as emulator:
        key = emulator.api(
            "GET", "worlds", arguments.world, "credentials", account=arguments.account, user=arguments.user or None
        )
        endpoint, region = emulator.endpoint(arguments.world), settings_from_environment().region
    if form := KEY_FORMATS.get(arguments.format):
        print("\n".join(form(arguments, endpoint, key, region)))
    else:
        print("\n".join(FORMATS[arguments.format](variables(endpoint, key, region))))


def variables(endpoint: str, key: Mapping[str, str], region: str) -> dict[str, str]:
    """Every variable, in order; `key` has access_key_id, secret_access_key and perhaps session_token."""
    environment = {
        "AWS_ACCESS_KEY_ID": key["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": key["secret_access_key"],
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        **{f"AWS_ENDPOINT_URL_{service}": endpoint for service in SERVICES},
    }
    if key.get("session_token"):
        environment["AWS_SESSION_TOKEN"] = key["session_token"]
    return environment


def _sh(environment: Mapping[str, str]) -> Iterator[str]:
    if gone := [name for name in OVERRULING if name not in environment]:
        yield f"unset {' '.join(gone)}"
    for name, value in environment.items():
        yield f"export {name}={shlex.quote(value)}"


def _powershell(environment: Mapping[str, str]) -> Iterator[str]:
    for name in OVERRULING:
        if name not in environment:
            yield f"Remove-Item Env:{name} -ErrorAction Ignore"
    for name, value in environment.items():
        quoted = value.replace("'", "''")
        yield f"$Env:{name} = '{quoted}'"


def _dotenv(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        plain = value.replace("_", "").replace("-", "").replace("/", "").replace(":", "").replace(".", "").isalnum()
        yield f"{name}={value}" if plain else f"{name}='{value}'"


def _json(environment: Mapping[str, str]) -> Iterator[str]:
    yield json.dumps(environment, indent=2)


FORMATS: Mapping[str, Callable[[Mapping[str, str]], Iterator[str]]] = {
    "sh": _sh,
    "json": _json,
    "dotenv": _dotenv,
    "powershell": _powershell,
}


def _credential_process(_: argparse.Namespace, __: str, key: Mapping[str, str], ___: str) -> Iterator[str]:
    """What AWS clients read from a process."""
    yield json.dumps(
        {"Version": 1, "AccessKeyId": key["access_key_id"], "SecretAccessKey": key["secret_access_key"]}, indent=2
    )


def _profile(arguments: argparse.Namespace, endpoint: str, _: Mapping[str, str], region: str) -> Iterator[str]:
    """A profile that asks again each time, so that it outlives the server's keys, and names every endpoint."""
    asked = ["env", "--format", "credential-process", *_place(endpoint)]
    for flag in ("account", "user"):
        if given := getattr(arguments, flag):
            asked += [f"--{flag}", given]
    yield f"[profile {arguments.profile}]"
    yield f"region = {region}"
    yield f"endpoint_url = {endpoint}"
    yield f"services = {arguments.profile}"
    yield f"credential_process = {shlex.join([_program(), *asked])}"
    yield ""
    yield f"[services {arguments.profile}]"
    for service in SERVICES:
        yield f"{service.lower()} ="
        yield f"  endpoint_url = {endpoint}"


def _place(endpoint: str) -> Iterator[str]:
    """The options by which the command finds this endpoint again."""
    parts = urlsplit(endpoint)
    yield from ("--host", parts.hostname or "", "--port", str(parts.port or 80))
    if "/w/" in parts.path:
        yield from ("--world", parts.path.rpartition("/")[2])


def _program() -> str:
    """The command as a profile must write it: clients that are started elsewhere know no virtual environment."""
    beside = Path(sys.executable).parent / "sts-emulator"
    return str(beside) if beside.exists() else "sts-emulator"


KEY_FORMATS: Mapping[str, Callable[[argparse.Namespace, str, Mapping[str, str], str], Iterator[str]]] = {
    "credential-process": _credential_process,
    "profile": _profile,
}
