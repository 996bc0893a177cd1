"""Page `console`: where a browser is after it signed in, and the credentials on request."""

from __future__ import annotations

from sts_emulator.core.errors import AwsError
from sts_emulator.pages import render
from sts_emulator.pages.console import COOKIE, CREDENTIALS_FORM, ConsoleSession, landing, signed_in
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending import credentials
from sts_emulator.wire.http import Response


@page("GET", "/console", refusal=as_page)
def console_page(visit: Visit) -> Response:
    """Who is signed in."""
    return landing(visit, _present(visit), destination=visit.query.get("destination", ""))


@page("POST", "/console/credentials", refusal=as_page)
def show_credentials(visit: Visit) -> Response:
    """Credentials of the session, with its own expiry, for a form that this session was shown."""
    console = _present(visit)
    COOKIE.check_form(visit, CREDENTIALS_FORM)
    if console.session.expires <= visit.world.now():
        raise AwsError("Refused", "The credentials behind this session have expired.", status=403)
    return landing(visit, console, credentials=credentials.mint(visit.world, console.session))


@page("GET", "/console/signout", refusal=as_page)
def sign_out(visit: Visit) -> Response:
    """Take the session out of the browser."""
    headers = [COOKIE.take(visit)]
    return render.page(
        "refused.html", visit.root, headers=headers, sentence="You are signed out.", code="", invalid=False
    )


@page("GET", "/console/static/{name}")
def static_file(_: Visit, name: str) -> Response:
    return render.asset(name)


def _present(visit: Visit) -> ConsoleSession:
    console = signed_in(visit)
    if console is None:
        raise AwsError("Refused", "You are not signed in. Sign in at an identity provider.", status=401)
    return console
