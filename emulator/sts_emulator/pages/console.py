"""Console sessions: a role session that a browser holds, sealed in its cookie, and the page that shows it.

Nothing is stored. The cookie only tells who is signed in; credentials are shown in the answer to a POST that proved
something itself, so that no other page can make the browser fetch them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import documents
from sts_emulator.accounts.resources import Stored
from sts_emulator.core import clock, names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.pages import render
from sts_emulator.pages.sessions import Cookie, open_sealed, seal_until
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import authenticate
from sts_emulator.vending.credentials import Credentials
from sts_emulator.vending.session import FEDERATED, ROLE, USER, Session
from sts_emulator.wire.http import Response

LONGEST: Final = 43_200
"""Seconds that a console session may last (docs/aws/console-sign-in.md, "Federation endpoint")."""

COOKIE: Final = Cookie("sts-emulator-console", "console", LONGEST)
CREDENTIALS_FORM: Final = "credentials"

SIGN_IN_TOKEN: Final = "signin-token"  # noqa: S105 - what it is sealed for
"""What a token for the federation endpoint is sealed for."""

_TOKEN_LIFETIME: Final = 900

# Strict, because browsers read more into a link than a parser of ours would: a backslash is a slash to them.
_CONSOLE = re.compile(
    r"https://(?:[a-z0-9-]+\.)*(?:aws\.amazon\.com|amazonaws-us-gov\.com|amazonaws\.cn)(?::443)?(?:[/?#][!-\[\]-~]*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """Who is signed in; `until` in seconds, which may be later than the credentials behind it expire."""

    session: Session
    until: int

    def seal(self, world: World, purpose: str, until: int) -> str:
        """This session as text that only this world can have written, good for one purpose and until a second."""
        return seal_until(world, purpose, self.to_bytes(), until)

    @staticmethod
    def open(world: World, purpose: str, text: str) -> ConsoleSession | None:
        """What `seal` sealed for the same purpose; None when it is not ours, or over."""
        body = open_sealed(world, purpose, text)
        return None if body is None else ConsoleSession.from_bytes(body)

    def to_bytes(self) -> bytes:
        """What a cookie carries."""
        return str(self.until).encode() + b"\n" + self.session.to_bytes()

    @staticmethod
    def from_bytes(body: bytes) -> ConsoleSession:
        until, _, session = body.partition(b"\n")
        return ConsoleSession(Session.from_bytes(session), int(until))


def signed_in(visit: Visit) -> ConsoleSession | None:
    """Who is signed in with this browser, unless the session is over or the role behind it was deleted meanwhile."""
    body = COOKIE.read(visit)
    if body is None:
        return None
    console = ConsoleSession.from_bytes(body)
    try:
        authenticate.caller_of_session(visit.world, console.session, "")
    except AwsError:
        return None
    return console


def present(visit: Visit) -> ConsoleSession:
    """The same. Raises AwsError: Refused 401."""
    console = signed_in(visit)
    if console is None:
        raise AwsError("Refused", "You are not signed in, or no longer.", status=401)
    return console


def of_role(world: World, session: Session, until: int) -> ConsoleSession:
    """The console session of a role's session, no longer than the role's MaxSigninSessionDuration lets it last.

    That AWS shortens such a session, and does not refuse it, is our reading.
    """
    role = world.find(documents.ROLE, session.id) if session.kind == ROLE else None
    longest = role.get("max_signin_duration") if role else None
    return ConsoleSession(session, min(until, int(world.now()) + longest) if longest else until)


def sign_in_token(world: World, console: ConsoleSession) -> str:
    """What the federation endpoint takes for this session, within fifteen minutes."""
    latest = int(world.now()) + _TOKEN_LIFETIME
    return console.seal(world, SIGN_IN_TOKEN, min(console.until, latest))


def sign_in_header(visit: Visit, console: ConsoleSession) -> tuple[str, str]:
    """The header that gives the browser its cookie: the console's pages look at it, and those of `aws login`."""
    return COOKIE.give(visit, console.to_bytes(), console.until - int(visit.world.now()))


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
    known = visit.world.get(documents.ACCOUNT, session.account)
    account: Stored = known or {}
    return render.page(
        "console.html",
        visit.root,
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
        token=COOKIE.form_token(visit, CREDENTIALS_FORM) if not credentials else "",
    )


def arn_of(session: Session) -> str:
    """The ARN by which a role session, a federated user, a user or root is known."""
    if session.kind == USER and not session.name:
        return names.root_arn(session.account)
    if session.kind == USER:
        return names.iam_arn(session.account, "user", "/", session.name)
    if session.kind == FEDERATED:
        return f"arn:{names.PARTITION}:sts::{session.account}:federated-user/{session.name}"
    return names.session_arn(session.account, session.name, session.session_name)


def is_console(url: str) -> bool:
    """Whether a link leads to AWS's console; no other is shown, or the page could be made to lead anywhere."""
    return _CONSOLE.fullmatch(url) is not None


def _left(seconds: float) -> str:
    minutes = max(0, int(seconds)) // 60
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    return " ".join([*parts, f"{minutes} min"])
