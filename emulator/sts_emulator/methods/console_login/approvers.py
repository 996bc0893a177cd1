"""A script says yes or no to `aws login` in the place of a user or root."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login import authorizing, console_people, second_factors
from sts_emulator.pages.approvals import Outcome, Request, approver
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.session import Session
from sts_emulator.wire.http import form


@approver
def approve(visit: Visit, request: Request, /) -> Outcome | None:
    """None: the URL is none of `aws login`'s."""
    parts = urlsplit(request.url)
    if not request.url or parts.path not in (f"{visit.root}/v1/authorize", "/v1/authorize"):
        return None
    asked = authorizing.read(visit, form(parts.query))
    with visit.attempt("signin", "AuthorizeOAuth2Access", asked.parameters()) as attempt:
        session = _session(visit, request.user)
        if request.deny:
            return Outcome() if asked.remote else Outcome(location=asked.denied())
        members = asked.granted(attempt.ctx, session)
    return Outcome(paste=authorizing.pasted(members)) if asked.remote else Outcome(location=asked.location(members))


def _session(visit: Visit, who: str) -> Session:
    """It stands for a password, and for the code of a device where there is one."""
    account, _, name = who.partition("/")
    session = console_people.session_of(visit.world, console_people.account_of(visit.world, account[:64]), name[:128])
    if session is None:
        message = f"`{who[:200]}` is no one who signs in to the console; say ACCOUNT/NAME or ACCOUNT/root"
        raise AwsError("NotFound", message, status=404)
    if second_factors.of(visit.world, session):
        return replace(session, mfa_at=session.issued)
    return session
