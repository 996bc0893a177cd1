"""Page `console`: where a browser is after it signed in, the credentials on request, and the pages' own assets."""

from __future__ import annotations

from sts_emulator.core.errors import AwsError
from sts_emulator.vending import authenticate, credentials
from sts_emulator.vending.console import ConsoleSession, is_form_token, landing, sign_out_header, signed_in
from sts_emulator.vending.context import Visit
from sts_emulator.wire import pages
from sts_emulator.wire.http import Response, form


def respond(visit: Visit) -> Response:
    """Answer one request to the console."""
    method, path = visit.request.method, visit.path.strip("/")
    if method in ("GET", "HEAD") and path.startswith("static/"):
        return pages.asset(path.removeprefix("static/")) or pages.data(404, {"message": "no such file"})
    if method in ("GET", "HEAD") and path == "signout":
        return _plain(visit, 200, "You are signed out.", sign_out=True)
    console = _present(visit)
    if console is None:
        return _plain(visit, 401, "You are not signed in. Sign in at an identity provider.")
    if method in ("GET", "HEAD") and not path:
        return landing(visit, console, destination=form(visit.request.query).get("destination", ""))
    if method == "POST" and path == "credentials":
        return _credentials(visit, console)
    return pages.data(404, {"message": f"no page `{method} console/{path[:100]}`"})


def _present(visit: Visit) -> ConsoleSession | None:
    """Whoever is signed in, unless the role behind it was deleted meanwhile."""
    console = signed_in(visit)
    if console is None:
        return None
    try:
        authenticate.caller_of_session(visit.world, console.session, "")
    except AwsError:
        return None
    return console


def _credentials(visit: Visit, console: ConsoleSession) -> Response:
    """Credentials of the session, with its own expiry, for a form that this session was shown."""
    if not is_form_token(visit, pages.posted(visit.request).get("token", "")):
        return _plain(visit, 403, "That form is not the one that this session was shown.")
    if console.session.expires <= visit.world.now():
        return _plain(visit, 403, "The credentials behind this session have expired.")
    return landing(visit, console, credentials=credentials.mint(visit.world, console.session))


def _plain(visit: Visit, status: int, sentence: str, *, sign_out: bool = False) -> Response:
    headers = [sign_out_header(visit)] if sign_out else []
    root = pages.root_of(visit.base_url)
    return pages.page("refused.html", root, status=status, headers=headers, sentence=sentence, code="", invalid=False)
