"""Pages `start/signin…`: a person tells who they are, with password and second factor."""

from __future__ import annotations

import json
from typing import Final

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import browsers, passwords, portal_sessions
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import Cookie, open_sealed, seal_until
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_STEP_LIFETIME: Final = 300  # between the password and the code
_STEP: Final = "identity-center-second-step"
_VISITOR: Final = Cookie("sts-emulator-visitor", "identity-center-visitor", 3_600)
_FORM: Final = "sign-in"


@page("GET", "/start/signin", refusal=as_page)
def sign_in_form(visit: Visit) -> Response:
    return _form(visit, browsers.instance_of(visit, visit.query.get("instance", "")))


@page("POST", "/start/signin", refusal=as_page)
def sign_in(visit: Visit) -> Response:
    """The name and password: signed in, asked for a code, or the form again."""
    _VISITOR.check_form(visit, _FORM)
    fields = visit.posted
    instance = browsers.instance_of(visit, fields.get("instance", ""))
    name = fields.get("username", "")
    try:
        with visit.attempt("signin", "CredentialVerification") as attempt:
            attempt.ctx.evidence.update(person=name[:200], credential="PASSWORD")
            person = passwords.verify(visit.world, instance, name, fields.get("password", ""))
            attempt.result = {"CredentialVerification": "Success"}
    except AwsError as refusal:
        return _form(visit, instance, refusal)
    return _ask_code(visit, instance, person) if passwords.needs_code(person) else _enter(visit, instance, person)


@page("POST", "/start/signin/code", refusal=as_page)
def second_step(visit: Visit) -> Response:
    """The code of the person's device."""
    _VISITOR.check_form(visit, _FORM)
    step = open_sealed(visit.world, _STEP, visit.posted.get("step", ""))
    if step is None:
        raise AwsError("Refused", "That took too long. Sign in again.", status=403)
    instance_id, user_id = json.loads(step)
    instance = browsers.instance_of(visit, instance_id)
    person = directory.user(visit.world, instance["store"], user_id)
    if person is None or not person["enabled"]:
        raise AwsError("Refused", passwords.WRONG, status=403)
    try:
        with visit.attempt("signin", "CredentialVerification") as attempt:
            attempt.ctx.evidence.update(person=person["name"], credential="TOTP")
            passwords.use_code(visit.world, person, visit.posted.get("code", ""))
            attempt.result = {"CredentialVerification": "Success"}
    except AwsError as refusal:
        return _ask_code(visit, instance, person, refusal)
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


def _enter(visit: Visit, instance: Instance, person: DirectoryUser) -> Response:
    with visit.attempt("signin", "UserAuthentication") as attempt:
        attempt.ctx.evidence.update(person=person["name"], instance=instance["arn"])
        session = portal_sessions.start(visit.world, instance, person)
        attempt.result = {"UserAuthentication": "Success"}
    place = browsers.place_after(visit.posted.get("then", ""))
    return render.redirect(f"{visit.root}{place}", [browsers.carried(visit, session)])


def _form(visit: Visit, instance: Instance, refusal: AwsError | None = None) -> Response:
    given = visit.posted if refusal else visit.query
    header, token = _VISITOR.begin(visit, _FORM)
    return render.page(
        "portal_signin.html",
        visit.root,
        status=200 if refusal is None else refusal.status or 400,
        headers=[header],
        token=token,
        wrong=refusal.message if refusal else "",
        username=given.get("username", ""),
        then=given.get("then", ""),
        instance=instance,
    )


def _ask_code(visit: Visit, instance: Instance, person: DirectoryUser, refusal: AwsError | None = None) -> Response:
    until = int(visit.world.now()) + _STEP_LIFETIME
    header, token = _VISITOR.begin(visit, _FORM)
    return render.page(
        "second_factor.html",
        visit.root,
        action="/start/signin/code",
        status=200 if refusal is None else refusal.status or 400,
        headers=[header],
        token=token,
        wrong=refusal.message if refusal else "",
        then=visit.posted.get("then", ""),
        step=seal_until(visit.world, _STEP, json.dumps([instance["id"], person["id"]]).encode(), until),
    )
