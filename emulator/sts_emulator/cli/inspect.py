"""`inspect`: what a token, an assertion, a certificate, a session token or an encoded message says."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sts_emulator.cli.control import ControlError, add_server_options, control
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json, answer
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.scenario.problems import NOTHING

_LONGEST = 200_000  # as the control API takes them
_LONGEST_NAME = 200
_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".xml", ".json", ".txt", ".jwt")
EPILOG = """\
examples:
  sts-emulator token github --repo acme/shop | sts-emulator inspect -
  sts-emulator inspect response.xml
  sts-emulator inspect certs/server.pem
  aws sts assume-role --role-arn … --role-session-name me | sts-emulator inspect -

Nothing is verified. A token, an assertion and a certificate are read without a server. A session token (in the answer
that came with it, or with --access-key-id) and an encoded authorization message are opened by who made it.
"""


HELP = "say what a token, assertion, certificate or session token holds"
DESCRIPTION = "Take a piece of evidence or a credential apart."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="TEXT | FILE | -", help="the thing itself, a file of it, or standard input")
    parser.add_argument("--access-key-id", metavar="ID", default="", help="to which a session token belongs")
    add_json(parser)
    add_server_options(parser)


def run(arguments: argparse.Namespace) -> None:
    """Print what it holds. Raises CommandError for what nobody can read."""
    from sts_emulator.analysis import inspection

    data = _data(arguments.what)
    if not data.strip():
        raise CommandError(f"{_called(arguments.what) or 'this'}: {NOTHING}", UNUSABLE)
    try:
        inspected = inspection.inspect(data)
    except ValueError as unreadable:
        raise CommandError(f"{_called(arguments.what)}: {unreadable}", UNUSABLE) from None
    if inspected is None:
        told = _opened(data.decode("utf-8", "replace").strip(), arguments)
    else:
        told = {
            inspected.kind: inspected.facts,
            "a trust policy may test": inspected.keys,
            "notes": ["its signature was not checked", *inspected.notes],
        }
    answer(arguments, told, *_lines(told))


def _data(what: str) -> bytes:
    if what == "-":
        return sys.stdin.buffer.read()
    try:
        is_folder = Path(what).is_dir()
        if Path(what).is_file():
            return Path(what).read_bytes()
    except (OSError, ValueError):  # longer than a name can be, or with a NUL in it
        is_folder = False
    if is_folder and what:
        raise CommandError(f"{what}: is a folder; name a file in it", UNUSABLE)
    if what.endswith(_SUFFIXES):
        raise CommandError(f"{what}: no such file", UNUSABLE)
    return what.encode("utf-8", "surrogateescape")


def _called(what: str) -> str:
    return "(standard input)" if what == "-" else what if len(what) < _LONGEST_NAME and "\n" not in what else "this"


def _opened(text: str, arguments: argparse.Namespace) -> JsonObject:
    """What the emulator opens. Raises CommandError."""
    key, token = _credentials(text)
    key = arguments.access_key_id or key
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise CommandError("this is no token, assertion, certificate, session token or encoded message", UNUSABLE)
    if len(token) > _LONGEST:
        raise CommandError(f"this is longer than whatever can be opened ({_LONGEST:,} characters)", UNUSABLE)
    if re.fullmatch(r"[^.]*\.[^.]*\.[^.]*", token):
        raise CommandError(
            "this looks like a token, but its header and claims are not JSON objects in base64url", UNUSABLE
        )
    body = {"session_token": token, "access_key_id": key} if key else {"message": token}
    with control(arguments) as emulator:
        try:
            opened: dict[str, Any] = emulator.api("POST", "worlds", arguments.world, "inspect", body=body)
        except ControlError as refused:
            hint = "" if key else "; a session token needs --access-key-id"
            raise CommandError(f"{refused}{hint}") from None
    return opened


def _credentials(text: str) -> tuple[str, str]:
    """Access key id and session token of an answer of STS or of a credential process; else no id and the text."""
    try:
        given = json.loads(text)
        given = given.get("Credentials", given)
        return str(given["AccessKeyId"]), str(given["SessionToken"])
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        return "", text


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """Data as indented lines, what is empty left out."""
    pairs = value.items() if isinstance(value, Mapping) else [("-", item) for item in value]
    for name, item in pairs:
        label = f"{indent}{name}" if name == "-" else f"{indent}{name}:"
        if item in ({}, [], ""):
            continue
        if isinstance(item, Mapping) or name == "notes":
            yield label
            yield from _lines(item, f"{indent}  ")
        else:
            yield f"{label} {', '.join(map(str, item)) if isinstance(item, list) else item}"
