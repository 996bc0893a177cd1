"""Pages `start/signin…`: a person tells who they are, with password and second factor."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import browsers, corporate, passwords, portal_sessions, second_factors
from sts_emulator.pages import passkeys, render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.steps import Steps, passkey_values
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.context import Context
from sts_emulator.wire.http import Response

_STEP: Final = "identity-center-second-step"
_NEW_PASSWORD: Final = "identity-center-new-password"  # noqa: S105 - what a step is sealed for
_STEPS: Final = Steps(Cookie("sts-emulator-visitor", "identity-center-visitor", 3_600), "sign-in")


@page("GET", "/start/signin", refusal=as_page)
def sign_in_form(visit: Visit) -> Response:
    """The form, or off to the company's own identity provider."""
    instance = browsers.instance_of(visit, visit.query.get("instance", ""))
    if "identity_provider" not in instance:
        return _form(visit, instance)
    place = browsers.place_after(visit.query.get("then", ""))
    location, cookie = corporate.ask(visit, instance, place)
    if place.rstrip("/") == browsers.PORTAL and visit.request.headers.get("sec-fetch-dest") == "document":
        # A browser that scripts may run in: its script looks for a deep link, whose `#` the way there would lose.
        return render.page("portal_leaving.html", visit.root, headers=[cookie], location=location)
    return render.redirect(location, [cookie])


@page("POST", "/start/signin", refusal=as_page)
def sign_in(visit: Visit) -> Response:
    """The name and password: signed in, asked for more, or the form again."""
    _STEPS.check(visit)
    fields = visit.posted
    instance = browsers.instance_of(visit, fields.get("instance", ""))
    if "identity_provider" in instance:
        raise AwsError("Refused", "People of this directory sign in at their own identity provider.", status=403)
    name = fields.get("username", "")
    try:
        with visit.attempt("signin", "CredentialVerification") as attempt:
            attempt.ctx.evidence.update(person=name[:200], credential="PASSWORD")
            person = passwords.verify(visit.world, instance, name, fields.get("password", ""))
            attempt.ctx.evidence.update(portal_sessions.evidence(instance, person))
            attempt.result = {"CredentialVerification": "Success"}
    except AwsError as refusal:
        return _form(visit, instance, refusal)
    return _ask_second(visit, instance, person) if second_factors.of(person) else _proven(visit, instance, person)


@page("POST", "/start/signin/code", refusal=as_page)
def second_step(visit: Visit) -> Response:
    """The code of the person's app."""
    who, code = _in_step(visit, _STEP), visit.posted.get("code", "")
    return _second(visit, who, "TOTP", lambda ctx, person: second_factors.use_code(ctx.world, person, code))


@page("POST", "/start/signin/code/passkey", refusal=as_page)
def second_step_by_passkey(visit: Visit) -> Response:
    """The answer of the person's authenticator."""
    who = _in_step(visit, _STEP)
    site, answer = passkeys.here(visit), visit.posted.get("credential", "")
    return _second(visit, who, "WEBAUTHN", lambda ctx, person: second_factors.use_passkey(ctx, site, person, answer))


def _second(
    visit: Visit, who: tuple[Instance, DirectoryUser], credential: str, prove: Callable[[Context, DirectoryUser], None]
) -> Response:
    instance, person = who
    try:
        with visit.attempt("signin", "CredentialVerification") as attempt:
            attempt.ctx.evidence.update(portal_sessions.evidence(instance, person), credential=credential)
            prove(attempt.ctx, person)
            attempt.result = {"CredentialVerification": "Success"}
    except AwsError as refusal:
        return _ask_second(visit, instance, person, refusal)
    return _proven(visit, instance, person)


@page("POST", "/start/signin/password", refusal=as_page)
def change_password(visit: Visit) -> Response:
    """A password of the person's own, in the place of the one that was good once."""
    instance, person = _in_step(visit, _NEW_PASSWORD)
    fields = visit.posted
    try:
        with visit.attempt("sso-directory", "UpdatePassword") as attempt:
            attempt.ctx.evidence.update(portal_sessions.evidence(instance, person))
            passwords.change_once(visit.world, person, fields.get("new_password", ""), fields.get("repeated", ""))
    except AwsError as refusal:
        return _ask_new_password(visit, instance, person, refusal)
    return _enter(visit, instance, person)


@page("GET", "/start/signout", refusal=as_page)
def sign_out(visit: Visit) -> Response:
    """The person's session ends, with every token of it; a link from elsewhere may do that too, as at AWS's portal."""
    session = browsers.signed_in(visit)
    if session is not None:
        portal_sessions.end(visit.world, session)
    return render.page(
        "told.html", visit.root, headers=[browsers.COOKIE.take(visit)], title="You are signed out.", again="/start"
    )


def _in_step(visit: Visit, step: str) -> tuple[Instance, DirectoryUser]:
    """Who came as far as this step, with the form of it. Raises AwsError: Refused 403."""
    instance_id, user_id = json.loads(_STEPS.opened(visit, step))
    instance = browsers.instance_of(visit, instance_id)
    person = directory.user(visit.world, instance["store"], user_id)
    if person is None or not person["enabled"]:
        raise AwsError("Refused", passwords.WRONG, status=403)
    return instance, person


def _proven(visit: Visit, instance: Instance, person: DirectoryUser) -> Response:
    if passwords.is_once(person):
        return _ask_new_password(visit, instance, person)
    return _enter(visit, instance, person)


def _enter(visit: Visit, instance: Instance, person: DirectoryUser) -> Response:
    return browsers.enter(visit, instance, person, visit.posted.get("then", ""))


def _form(visit: Visit, instance: Instance, refusal: AwsError | None = None) -> Response:
    given = visit.posted if refusal else visit.query
    asked = {name: given.get(name, "") for name in ("username", "then")}
    return _STEPS.ask(visit, "portal_signin.html", refusal, instance=instance, **asked)


def _ask_second(visit: Visit, instance: Instance, person: DirectoryUser, refusal: AwsError | None = None) -> Response:
    """By code or passkey, whichever the person has; a passkey only where it was made."""
    values = {
        "action": "/start/signin/code",
        "code": any(means["type"] == "totp" for means in second_factors.of(person)),
        **passkey_values(visit, "/start", second_factors.holder(person)),
    }
    return _STEPS.ask_next(visit, "second_factor.html", _STEP, _who(instance, person), refusal, **values)


def _ask_new_password(
    visit: Visit, instance: Instance, person: DirectoryUser, refusal: AwsError | None = None
) -> Response:
    values = {"action": "/start/signin/password", "told": passwords.RULE, "old": False}
    return _STEPS.ask_next(visit, "new_password.html", _NEW_PASSWORD, _who(instance, person), refusal, **values)


def _who(instance: Instance, person: DirectoryUser) -> bytes:
    return json.dumps([instance["id"], person["id"]]).encode()
