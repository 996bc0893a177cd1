"""Console sessions: a role session that a browser holds, sealed in its cookie, and the page that shows it.

Nothing is stored. The cookie only tells who is signed in; credentials are shown in the answer to a POST that proved
something itself, so that no other page can make the browser fetch them.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.core import clock, names
from sts_emulator.core.world import World
from sts_emulator.vending.context import Visit
from sts_emulator.vending.credentials import Credentials, seal, unseal
from sts_emulator.vending.session import FEDERATED, Session
from sts_emulator.wire import pages
from sts_emulator.wire.http import Response

COOKIE: Final = "sts-emulator-console"
LONGEST: Final = 43_200
"""Seconds that a console session may last (docs/aws/console-sign-in.md, "Federation endpoint")."""

_DESTINATIONS = (".aws.amazon.com", ".amazonaws-us-gov.com", ".amazonaws.cn")


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """Who is signed in; `until` in seconds, which may be later than the credentials behind it expire."""

    session: Session
    until: int


def seal_console(world: World, purpose: str, console: ConsoleSession, latest: int | None = None) -> str:
    """A console session as text that only this world can have written, good for one purpose and until `latest`."""
    head = json.dumps([console.until, console.until if latest is None else latest]).encode()
    return seal(world, purpose, zlib.compress(head + b"\n" + console.session.to_bytes()))


def unseal_console(world: World, purpose: str, text: str) -> ConsoleSession | None:
    """The console session that `seal_console` sealed for the same purpose; None when it is not ours, or over."""
    opened = unseal(world, purpose, text)
    if opened is None:
        return None
    head, _, session = zlib.decompress(opened).partition(b"\n")
    until, latest = json.loads(head)
    return ConsoleSession(Session.from_bytes(session), until) if world.now() < min(until, latest) else None


def signed_in(visit: Visit) -> ConsoleSession | None:
    """The console session of the visit's cookie, or None."""
    text = cookie_of(visit)
    return unseal_console(visit.world, "console", text) if text else None


def cookie_of(visit: Visit) -> str:
    """The text of our cookie, "" when there is none."""
    for pair in visit.request.headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == COOKIE:
            return value
    return ""


def sign_in_header(visit: Visit, console: ConsoleSession) -> tuple[str, str]:
    """The header that gives the browser its cookie, for the console's own pages only."""
    left = max(0, console.until - int(visit.world.now()))
    return _cookie_header(visit, seal_console(visit.world, "console", console), left)


def sign_out_header(visit: Visit) -> tuple[str, str]:
    """The header that takes the cookie away."""
    return _cookie_header(visit, "", 0)


def form_token(visit: Visit) -> str:
    """What the form for credentials must send back: bound to the cookie, unknown to every other page."""
    return seal(visit.world, "console-form", hashlib.sha256(cookie_of(visit).encode()).digest())


def is_form_token(visit: Visit, token: str) -> bool:
    """Whether a form of ours, shown to this very session, sent the token."""
    return unseal(visit.world, "console-form", token) == hashlib.sha256(cookie_of(visit).encode()).digest()


def landing(
    visit: Visit,
    console: ConsoleSession,
    *,
    credentials: Credentials | None = None,
    about: Mapping[str, str] | None = None,
    destination: str = "",
    sign_in: bool = False,
) -> Response:
    """The console's page: who is signed in, until when and, when given, the credentials to copy.

    `about` are further lines to show, by name. With `sign_in` the browser gets the cookie.
    """
    session = console.session
    account = visit.world.get("account", session.account) or {}
    return pages.page(
        "console.html",
        pages.root_of(visit.base_url),
        headers=[sign_in_header(visit, console)] if sign_in else [],
        session=session,
        arn=arn_of(session),
        account_name=account.get("alias") or account.get("name") or "",
        until=clock.iso(console.until),
        left=_left(console.until - visit.world.now()),
        credentials=credentials,
        expiration=clock.iso(session.expires),
        alive=session.expires > visit.world.now(),
        endpoint=visit.base_url,
        region=visit.server.settings.region,
        about=about or {},
        destination=destination if is_console(destination) else "",
        token=form_token(visit) if not credentials else "",
    )


def arn_of(session: Session) -> str:
    """The ARN by which a role session or federated user is known."""
    if session.kind == FEDERATED:
        return f"arn:{names.PARTITION}:sts::{session.account}:federated-user/{session.name}"
    return names.session_arn(session.account, session.name, session.session_name)


def is_console(url: str) -> bool:
    """Whether a link leads to AWS's console; no other is shown, or the page could be made to lead anywhere."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme == "https" and not parts.username and any(f".{host}".endswith(each) for each in _DESTINATIONS)


def _cookie_header(visit: Visit, value: str, seconds: int) -> tuple[str, str]:
    secure = "; Secure" if visit.request.scheme == "https" else ""
    path = f"{pages.root_of(visit.base_url)}/console"
    return "set-cookie", f"{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"


def _left(seconds: float) -> str:
    minutes = max(0, int(seconds)) // 60
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{minutes} min"])
