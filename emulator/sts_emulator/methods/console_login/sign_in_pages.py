"""Pages `signin…`: an IAM user or root signs in to the console, with password and second factor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login import console_people, own_passwords, permission, second_factors
from sts_emulator.pages import passkeys, render
from sts_emulator.pages.console import ConsoleSession, arn_of, sign_in_header
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.steps import Steps, passkey_values
from sts_emulator.pages.visit import Visit, own_place
from sts_emulator.vending import authenticate
from sts_emulator.vending.context import Context
from sts_emulator.vending.record import record
from sts_emulator.vending.session import Session
from sts_emulator.wire.http import Response

_STEPS: Final = Steps(Cookie("sts-emulator-console-visitor", "console-visitor", 3_600), "console-sign-in")
_STEP: Final = "console-second-step"
_NEW_PASSWORD: Final = "console-new-password"  # noqa: S105 - what a step is sealed for


@page("GET", "/signin", refusal=as_page)
def sign_in_form(visit: Visit) -> Response:
    return _form(visit)


@page("POST", "/signin", refusal=as_page)
def sign_in(visit: Visit) -> Response:
    """Account, name and password: signed in, asked for more, or the form again."""
    _STEPS.check(visit)
    fields = visit.posted
    account = console_people.account_of(visit.world, fields.get("account", "")[:64])
    name = fields.get("username", "") or console_people.ROOT
    before = visit.context("signin", "ConsoleLogin")
    try:
        permission.check_before(before, account, console_people.arn(account, name))
        among_others = visit.server.settings.is_shared
        session = console_people.verify(
            visit.world, account, name, fields.get("password", ""), among_others=among_others
        )
    except AwsError as refusal:
        return _refused(visit, refusal, before)
    return _ask_second(visit, session) if second_factors.of(visit.world, session) else _proven(visit, session)


@page("POST", "/signin/code", refusal=as_page)
def second_step(visit: Visit) -> Response:
    """The code of a device."""
    session = _in_step(visit, _STEP)
    code = visit.posted.get("code", "")
    return _second(visit, session, "Virtual MFA", lambda ctx: second_factors.use_code(ctx.world, session, code))


@page("POST", "/signin/code/passkey", refusal=as_page)
def second_step_by_passkey(visit: Visit) -> Response:
    """The answer of an authenticator."""
    session = _in_step(visit, _STEP)
    site, answer = passkeys.here(visit), visit.posted.get("credential", "")
    return _second(visit, session, "U2F MFA", lambda ctx: second_factors.use_passkey(ctx, site, session, answer))


def _second(visit: Visit, session: Session, kind: str, prove: Callable[[Context], str]) -> Response:
    try:
        with visit.attempt("signin", "CheckMfa") as attempt:
            attempt.ctx.evidence |= {"MfaType": kind, "arn": arn_of(session)}
            device = prove(attempt.ctx)
            attempt.result = {"CheckMfa": "Success"}
    except AwsError as refusal:
        return _ask_second(visit, session, refusal)
    return _proven(visit, replace(session, mfa_at=int(visit.world.now())), device)


@page("POST", "/signin/password", refusal=as_page)
def change_password(visit: Visit) -> Response:
    """A password of the user's own, in the place of the one that may not stay."""
    session, fields = _in_step(visit, _NEW_PASSWORD), visit.posted
    try:
        with visit.attempt("iam", "ChangePassword") as attempt:
            own_passwords.change(attempt.ctx, session, fields)
    except AwsError as refusal:
        return _ask_new_password(visit, session, refusal)
    return _enter(visit, replace(session, issued=int(visit.world.now())))  # no older than the password


def _in_step(visit: Visit, step: str) -> Session:
    """Who came as far as this step, with the form of it. Raises AwsError: Refused 403."""
    session = Session.from_bytes(_STEPS.opened(visit, step))
    if session.name and console_people.session_of(visit.world, session.account, session.name) is None:
        raise AwsError("Refused", console_people.WRONG, status=403)  # deleted meanwhile
    return session


def _proven(visit: Visit, session: Session, device: str = "") -> Response:
    try:
        must_change = own_passwords.must_change(visit.world, session)
    except AwsError as refusal:
        return _refused(visit, refusal)
    return _ask_new_password(visit, session) if must_change else _enter(visit, session, device)


def _enter(visit: Visit, session: Session, device: str = "") -> Response:
    place = visit.posted.get("then", "")
    place = place if own_place(place, "/console", "/v1/authorize", "/signin/mfa") else "/console"
    try:
        _log_in(visit, session, device, place)
    except AwsError as refusal:
        return _form(visit, refusal)
    return render.redirect(f"{visit.root}{place}", [sign_in_header(visit, ConsoleSession(session, session.expires))])


def _log_in(visit: Visit, session: Session, device: str, place: str) -> None:
    """Raises AwsError: Refused 403, a policy denies it."""
    with visit.attempt("signin", "ConsoleLogin") as attempt:
        attempt.ctx.caller = authenticate.caller_of_session(visit.world, session, "")
        attempt.ctx.evidence |= {"LoginTo": place, "MFAUsed": "Yes" if session.mfa_at else "No"}
        if device:
            attempt.ctx.evidence["MFAIdentifier"] = device
        permission.check_after(attempt.ctx, session)
        own_passwords.note_use(visit.world, session)
        attempt.result = {"ConsoleLogin": "Success"}


def _refused(visit: Visit, refusal: AwsError, ctx: Context | None = None) -> Response:
    """The form again, and an event with what was asked on the way."""
    record(ctx or visit.context("signin", "ConsoleLogin"), error=refusal)
    return _form(visit, refusal)


def _form(visit: Visit, refusal: AwsError | None = None) -> Response:
    given = visit.posted if refusal else visit.query
    asked = {name: given.get(name, "") for name in ("account", "username", "then")}
    return _STEPS.ask(visit, "console_signin.html", refusal, **asked)


def _ask_second(visit: Visit, session: Session, refusal: AwsError | None = None) -> Response:
    """By code or passkey, whichever there is; a passkey only where it was made."""
    world = visit.world
    holder = second_factors.holder(world, session)
    values = {
        "action": "/signin/code",
        "code": bool(second_factors.virtual(world, session)),
        **passkey_values(visit, "/signin", holder),
    }
    return _STEPS.ask_next(visit, "second_factor.html", _STEP, session.to_bytes(), refusal, **values)


def _ask_new_password(visit: Visit, session: Session, refusal: AwsError | None = None) -> Response:
    told = "It must be as the password policy of the account says."
    values = {"action": "/signin/password", "told": told, "old": True}
    return _STEPS.ask_next(visit, "new_password.html", _NEW_PASSWORD, session.to_bytes(), refusal, **values)
