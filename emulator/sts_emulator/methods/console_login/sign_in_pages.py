"""Pages `signin…`: an IAM user or root signs in to the console, with password and second factor."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login import console_people
from sts_emulator.pages import render
from sts_emulator.pages.console import ConsoleSession, sign_in_header
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import Cookie, open_sealed, seal_until
from sts_emulator.pages.visit import Visit, own_place
from sts_emulator.vending import authenticate
from sts_emulator.vending.session import Session
from sts_emulator.wire.http import Response

_VISITOR: Final = Cookie("sts-emulator-console-visitor", "console-visitor", 3_600)
_FORM: Final = "console-sign-in"
_STEP: Final = "console-second-step"
_STEP_LIFETIME: Final = 300


@page("GET", "/signin", refusal=as_page)
def sign_in_form(visit: Visit) -> Response:
    return _form(visit)


@page("POST", "/signin", refusal=as_page)
def sign_in(visit: Visit) -> Response:
    """Account, name and password: signed in, asked for a code, or the form again."""
    _VISITOR.check_form(visit, _FORM)
    fields = visit.posted
    account = console_people.account_of(visit.world, fields.get("account", "")[:64])
    try:
        session = console_people.verify(
            visit.world, account, fields.get("username", "") or console_people.ROOT, fields.get("password", "")
        )
    except AwsError as refusal:
        return _refused(visit, refusal)
    if console_people.devices(visit.world, session):
        return _ask_code(visit, session)
    return _enter(visit, session)


@page("POST", "/signin/code", refusal=as_page)
def second_step(visit: Visit) -> Response:
    _VISITOR.check_form(visit, _FORM)
    step = open_sealed(visit.world, _STEP, visit.posted.get("step", ""))
    if step is None:
        raise AwsError("Refused", "That took too long. Sign in again.", status=403)
    session = Session.from_bytes(step)
    try:
        console_people.use_code(visit.world, session, visit.posted.get("code", ""))
    except AwsError as refusal:
        return _ask_code(visit, session, refusal)
    return _enter(visit, replace(session, mfa_at=int(visit.world.now())))


def _enter(visit: Visit, session: Session) -> Response:
    place = visit.posted.get("then", "")
    place = place if own_place(place, "/console", "/v1/authorize") else "/console"
    with visit.attempt("signin", "ConsoleLogin") as attempt:
        attempt.ctx.caller = authenticate.caller_of_session(visit.world, session, "")
        attempt.ctx.evidence |= {"LoginTo": place, "MFAUsed": "Yes" if session.mfa_at else "No"}
        attempt.result = {"ConsoleLogin": "Success"}
    return render.redirect(f"{visit.root}{place}", [sign_in_header(visit, ConsoleSession(session, session.expires))])


def _refused(visit: Visit, refusal: AwsError) -> Response:
    try:
        with visit.attempt("signin", "ConsoleLogin"):
            raise refusal
    except AwsError:
        return _form(visit, refusal)


def _form(visit: Visit, refusal: AwsError | None = None) -> Response:
    given = visit.posted if refusal else visit.query
    header, token = _VISITOR.begin(visit, _FORM)
    return render.page(
        "console_signin.html",
        visit.root,
        status=200 if refusal is None else refusal.status or 400,
        headers=[header],
        token=token,
        wrong=refusal.message if refusal else "",
        account=given.get("account", ""),
        username=given.get("username", ""),
        then=given.get("then", ""),
    )


def _ask_code(visit: Visit, session: Session, refusal: AwsError | None = None) -> Response:
    header, token = _VISITOR.begin(visit, _FORM)
    until = int(visit.world.now()) + _STEP_LIFETIME
    return render.page(
        "second_factor.html",
        visit.root,
        status=200 if refusal is None else refusal.status or 400,
        headers=[header],
        action="/signin/code",
        token=token,
        wrong=refusal.message if refusal else "",
        then=visit.posted.get("then", ""),
        step=seal_until(visit.world, _STEP, session.to_bytes(), until),
    )
