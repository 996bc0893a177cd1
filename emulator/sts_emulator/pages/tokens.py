"""Tokens of access to what is the emulator's own: the server's, and those derived from it for one world or for reading.

A derived token is its scope and a code over it, so that a server, or a replica, knows it without keeping anything.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.hosts import is_loopback
from sts_emulator.settings import NO_TOKEN, Settings

ALL: Final = "*"
"""Instead of a world: what concerns them all."""

LEAST: Final = 16  # characters of a token that somebody chooses

_SECRETS: Final = frozenset(("credentials", "mfa-code", "messages", "mailbox"))
"""What whoever may only read does not see: with it they could do more."""


def settled(settings: Settings) -> str:
    """The token that a server with these settings asks for; "" for none. A made one is another each time.

    Raises:
        ValueError: it can be guessed, or not be sent.
    """
    if settings.token == NO_TOKEN or (not settings.token and is_loopback(settings.host)):
        return ""
    if settings.token and len(settings.token) < LEAST:
        raise ValueError(f"a token has {LEAST} characters at least")
    if not (settings.token.isascii() and settings.token.isprintable()) or " " in settings.token:
        raise ValueError("a token is of ASCII without blanks and ends of lines, or no header could hold it")
    return settings.token or secrets.token_hex(24)


def derived(token: str, world: str = "", *, reads: bool = False) -> str:
    """The token for one world, or for all, which may only be good for reading."""
    scope = f"{'read' if reads else 'write'}:{world or ALL}"
    return f"{scope}:{_code(token, scope)}"


def check(token: str, authorization: str, world: str, *, writes: bool, path: str) -> None:
    """Refuse who has no token for what is asked: of a world, or of ALL.

    Raises:
        AwsError: Unauthorized 401, AccessDenied 403.
    """
    given = _given(authorization)
    if hmac.compare_digest(given.encode(), token.encode()):
        return
    scope, _, code = given.rpartition(":")
    if not hmac.compare_digest(code.encode(), _code(token, scope).encode()):
        raise AwsError("Unauthorized", "this needs the token of the server: see docs/security.md", status=401)
    kind, _, only = scope.partition(":")
    if only not in (ALL, world):
        raise AwsError("AccessDenied", f"this token is for world `{only}`", status=403)
    if kind == "read" and (writes or not _SECRETS.isdisjoint(path.split("/"))):
        raise AwsError("AccessDenied", "this token is for reading", status=403)


def _code(token: str, scope: str) -> str:
    digest = hmac.digest(token.encode(), f"sts-emulator token {scope}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _given(authorization: str) -> str:
    """What a header brings: a bearer token, or the password by which browsers ask for one."""
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def is_for_one_world(settings: Settings, authorization: str) -> bool:
    """Whether the token that was checked is good for nothing that concerns all."""
    given = _given(authorization)
    return settings.is_shared and given != settings.token and given.split(":")[1] != ALL


def only_reads(settings: Settings, authorization: str) -> bool:
    """Whether the token that was checked is good for reading alone, so that secrets are left out."""
    return settings.is_shared and _given(authorization).startswith("read:")
