"""Pages `oauth2/authorize`, `login…`, `logout`, `error`: an app sends a person, who signs in and goes back."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import quote

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import signin
from sts_emulator.idp.user_pools.federation import asking, saml_sign_out
from sts_emulator.idp.user_pools.kinds import IdentityProvider, not_authorized
from sts_emulator.idp.user_pools.managed_login import authorization, login_sessions, login_steps
from sts_emulator.idp.user_pools.managed_login.app_settings import LOCAL
from sts_emulator.idp.user_pools.managed_login.authorization import Asked, Sent, as_login
from sts_emulator.idp.user_pools.managed_login.login_steps import STEPS
from sts_emulator.idp.user_pools.progress import Attempt
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response

_ELSEWHERE: Final = {  # refusal of a sign-in -> the page that helps
    "UserNotConfirmedException": "/confirmUser",
    "PasswordResetRequiredException": "/confirmForgotPassword",
}
_SLIPS: Final = ("CodeMismatchException", "InvalidPasswordException", "EnableSoftwareTokenMFAException")
"""Refusals after which a step is shown again."""


@page("GET", "/oauth2/authorize", refusal=as_login, foreign=True)
async def authorize(visit: Visit) -> Response:
    """Straight back for who is signed in; to an identity provider, where one is named; else to sign in."""
    asked = authorization.read(visit, visit.query)
    known = None if asked.prompts & {"login", "select_account"} else login_sessions.present(visit, asked.pool)
    if known is not None:
        with visit.attempt("cognito-idp", "OAuth2Authorize_GET", asked.parameters()) as attempt:
            attempt.ctx.evidence.update(pool=asked.pool["id"], person=known.user["username"])
            location = await login_sessions.answer(attempt.ctx, asked, known)
        return render.redirect(location)
    if "none" in asked.prompts:
        raise asked.refused("login_required")
    provider = _provider(visit, asked)
    if provider is not None:
        return await asking.begin(visit, asked, provider)
    return render.redirect(f"{visit.root}/login?{asked.query}")


def _provider(visit: Visit, asked: Asked) -> IdentityProvider | None:
    """The identity provider that the app names, or the only one that its users have; None for the pool itself."""
    listed = authorization.providers(asked.client)
    name, identifier = asked.given.get("identity_provider", ""), asked.given.get("idp_identifier", "")
    if not name and not identifier and len(listed) == 1:
        name = listed[0]
    if name == LOCAL or not (name or identifier):
        return None
    provider = asking.named(visit.world, asked.pool, name, identifier)
    if provider is None or provider["name"] not in listed:
        raise asked.refused("invalid_request", "The identity provider is none of this client's.")
    return provider


@page("GET", "/login", refusal=as_login, foreign=True)
def login_form(visit: Visit) -> Response:
    return _form(visit, authorization.read(visit, visit.query))


@page("POST", "/login", refusal=as_login)
async def login(visit: Visit) -> Response:
    """A name, and a password where people do not choose: signed in, asked for more, or the form again."""
    asked, fields = authorization.read(visit, visit.query), visit.posted
    STEPS.check(visit)
    name = fields.get("username", "")[:128]
    given = {"USERNAME": name, "PASSWORD": fields.get("password", "")[:512]}
    flow = "USER_AUTH" if login_steps.are_chosen(visit, asked) else "USER_PASSWORD_AUTH"

    async def prove(attempt: Attempt) -> Result:
        if LOCAL not in authorization.providers(asked.client):
            raise not_authorized()
        return await signin.begin_flow(attempt, flow, given)

    try:
        return await login_steps.go_on(visit, asked, name, prove)
    except AwsError as refusal:
        return _refused(visit, asked, refusal, name)


@page("POST", "/login/challenge", refusal=as_login)
async def challenged(visit: Visit) -> Response:
    """The answer to what was asked after the name: a choice, a code, a new password, an authenticator, a passkey."""
    asked, fields = authorization.read(visit, visit.query), visit.posted
    step = json.loads(STEPS.opened(visit, login_steps.purpose(asked)))
    try:
        return await login_steps.go_on(visit, asked, step["typed"], login_steps.answering(step, fields))
    except AwsError as refusal:
        if refusal.code in _SLIPS:
            return login_steps.show(visit, asked, step, refusal)
        return _refused(visit, asked, refusal, step["typed"])


def _refused(visit: Visit, asked: Asked, refusal: AwsError, name: str) -> Response:
    """The page that helps, or the form again. Raises Sent: it is the app's business."""
    if isinstance(refusal, Sent):
        raise refusal
    helping = _ELSEWHERE.get(refusal.code)
    if helping:
        return render.redirect(f"{visit.root}{helping}?{asked.query}&username={quote(name)}")
    return _form(visit, asked, refusal, name)


@page("GET", "/logout", refusal=as_login, foreign=True)
async def logout(visit: Visit) -> Response:
    """Signed out, and on to one of the client's sign-out URLs, or to sign in anew; by way of a SAML provider's."""
    query = visit.query
    client, pool = authorization.client_at(visit, query.get("client_id", ""))
    place = query.get("logout_uri", "")
    if place:
        if place not in (client["settings"].get("LogoutURLs") or ()):
            raise authorization.error_page(visit, "redirect_mismatch", client["id"])
        location = authorization.escaped(place)
    else:
        location = f"{visit.root}/login?{authorization.read(visit, query).query}"
    known = login_sessions.present(visit, pool)
    with visit.attempt("cognito-idp", "Logout_GET", {"client_id": client["id"]}) as attempt:
        attempt.ctx.evidence["pool"] = pool["id"]
        location = await saml_sign_out.begin(visit, pool, known.vouched if known else None, location)
    return render.redirect(location, [login_sessions.leave(visit, pool)])


@page("GET", "/error", refusal=as_login, foreign=True)
def error(visit: Visit) -> Response:
    """Where AWS sends a person when an app asked for what it may not."""
    told = visit.query.get("error", "")
    code = told if told.replace("_", "").isalpha() and len(told) <= 40 else ""  # noqa: PLR2004 - the words of OAuth
    sentence, client = "An error was encountered with the requested page.", visit.query.get("client_id", "")
    return authorization.show_error(visit, sentence, code, client[:128])


def _form(visit: Visit, asked: Asked, refusal: AwsError | None = None, name: str = "") -> Response:
    listed = authorization.providers(asked.client)
    can_sign_up = not asked.pool["settings"].get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly")
    return login_steps.forms(
        visit,
        asked,
        "managed_login/login.html",
        refusal,
        username=name or asked.given.get("login_hint", "")[:128],
        local=LOCAL in listed,
        others=[other for other in listed if other != LOCAL],
        can_sign_up=can_sign_up,
        chooses=login_steps.are_chosen(visit, asked),
        name_is=login_steps.name_of(asked.pool),
    )
