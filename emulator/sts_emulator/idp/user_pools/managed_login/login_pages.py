"""Pages `oauth2/authorize`, `login…`, `logout`, `error`: an app sends a person, who signs in and goes back."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import mfa, signin
from sts_emulator.idp.user_pools.federation import asking
from sts_emulator.idp.user_pools.kinds import USER, IdentityProvider, Pool, PoolUser, not_authorized
from sts_emulator.idp.user_pools.managed_login import authorization, login_sessions
from sts_emulator.idp.user_pools.managed_login.app_settings import LOCAL
from sts_emulator.idp.user_pools.managed_login.authorization import Asked, as_login
from sts_emulator.idp.user_pools.managed_login.login_sessions import Present
from sts_emulator.idp.user_pools.progress import NEW_PASSWORD, Attempt
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.steps import Steps
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

STEPS: Final = Steps(Cookie("sts-emulator-login-visitor", "managed-login-visitor", 3_600), "managed-login")
_STEP: Final = "managed-login-challenge"
_NEW_ATTRIBUTES: Final = 20  # attributes of a form that are looked at
_CODES: Final = {  # challenge -> the member of its answer
    mfa.SOFTWARE_TOKEN: "SOFTWARE_TOKEN_MFA_CODE",
    "SMS_MFA": "SMS_MFA_CODE",
    "EMAIL_OTP": "EMAIL_OTP_CODE",
    "SMS_OTP": "SMS_OTP_CODE",
}
_FACTORS: Final = {
    mfa.SOFTWARE_TOKEN: "The code of my authenticator app",
    "SMS_MFA": "A text message",
    "EMAIL_OTP": "An e-mail",
}
_ELSEWHERE: Final = {  # refusal of a password -> the page that helps
    "UserNotConfirmedException": "/confirmUser",
    "PasswordResetRequiredException": "/confirmForgotPassword",
}


@page("GET", "/oauth2/authorize", refusal=as_login, foreign=True)
async def authorize(visit: Visit) -> Response:
    """Straight back for who is signed in; to an identity provider, where one is named; else to sign in."""
    asked = authorization.read(visit, visit.query)
    known = None if asked.prompts & {"login", "select_account"} else login_sessions.present(visit, asked.pool)
    if known is not None:
        with visit.attempt("cognito-idp", "OAuth2Authorize_GET", asked.parameters()) as attempt:
            attempt.ctx.evidence.update(pool=asked.pool["id"], person=known.user["username"])
            location = await login_sessions.answer(visit, asked, known)
            attempt.result = {}
        return render.redirect(location)
    if "none" in asked.prompts:
        raise asked.refused("login_required")
    provider = _provider(visit, asked)
    if provider is not None:
        return asking.begin(visit, asked, provider)
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
    """Name and password: signed in, asked for more, or the form again."""
    asked, fields = authorization.read(visit, visit.query), visit.posted
    STEPS.check(visit)
    name = fields.get("username", "")[:128]
    given = {"USERNAME": name, "PASSWORD": fields.get("password", "")[:512]}

    async def prove(attempt: Attempt) -> Mapping[str, Any]:
        if LOCAL not in authorization.providers(asked.client):
            raise not_authorized()
        return await signin.begin_flow(attempt, "USER_PASSWORD_AUTH", given)

    try:
        return await go_on(visit, asked, prove)
    except AwsError as refusal:
        helping = _ELSEWHERE.get(refusal.code)
        if helping:
            return render.redirect(f"{visit.root}{helping}?{asked.query}&username={quote(name)}")
        return _form(visit, asked, refusal)


@page("POST", "/login/challenge", refusal=as_login)
async def challenged(visit: Visit) -> Response:
    """The answer to what was asked after the password: a code, a new password, an authenticator app."""
    asked, fields = authorization.read(visit, visit.query), visit.posted
    step = json.loads(STEPS.opened(visit, _purpose(asked)))
    try:
        return await go_on(visit, asked, _answering(visit, step, fields))
    except AwsError as refusal:
        if refusal.code in ("CodeMismatchException", "InvalidPasswordException", "EnableSoftwareTokenMFAException"):
            return _challenge(visit, asked, step, refusal)
        return _form(visit, asked, refusal)


@page("GET", "/logout", refusal=as_login, foreign=True)
def logout(visit: Visit) -> Response:
    """Signed out, and on to one of the client's sign-out URLs, or to sign in anew."""
    query = visit.query
    client, pool = authorization.client_at(visit, query.get("client_id", ""))
    place = query.get("logout_uri", "")
    if place:
        if place not in (client["settings"].get("LogoutURLs") or ()):
            raise authorization.error_page(visit, "redirect_mismatch", client["id"])
        location = authorization.escaped(place)
    else:
        location = f"{visit.root}/login?{authorization.read(visit, query).query}"
    with visit.attempt("cognito-idp", "Logout_GET", {"client_id": client["id"]}) as attempt:
        attempt.ctx.evidence["pool"] = pool["id"]
        attempt.result = {}
    return render.redirect(location, [login_sessions.leave(visit, pool)])


@page("GET", "/error", refusal=as_login, foreign=True)
def error(visit: Visit) -> Response:
    """Where AWS sends a person when an app asked for what it may not."""
    told = visit.query.get("error", "")
    code = told if told.replace("_", "").isalpha() and len(told) <= 40 else ""  # noqa: PLR2004 - the words of OAuth
    sentence, client = "An error was encountered with the requested page.", visit.query.get("client_id", "")
    return authorization.show_error(visit, sentence, code, client[:128])


async def enter(visit: Visit, asked: Asked, person: Present) -> Response:
    """Sign a person in, and send them to the app."""
    location = await login_sessions.answer(visit, asked, person)
    return render.redirect(location, [login_sessions.enter(visit, asked.pool, person)])


def forms(visit: Visit, asked: Asked, template: str, refusal: AwsError | None, **values: Any) -> Response:
    """A form of managed login; it may lead on to apps."""
    return STEPS.ask(
        visit, template, refusal, posts_to=authorization.app_origins(visit.world), query=asked.query, **values
    )


# -- from step to step -----------------------------------------------------------------------------------------------


async def go_on(visit: Visit, asked: Asked, prove: Callable[[Attempt], Awaitable[Mapping[str, Any]]]) -> Response:
    """What comes of a proof: signed in and on the way to the app, or the form of what is asked next."""
    with visit.attempt("cognito-idp", "Login_POST", asked.parameters()) as attempt:
        attempt.ctx.evidence["pool"] = asked.pool["id"]
        result = await prove(Attempt(attempt.ctx, asked.pool, asked.client, on_page=True))
        attempt.result = {"ChallengeName": result["ChallengeName"]} if "ChallengeName" in result else {}
    if "ChallengeName" not in result:
        return await enter(visit, asked, Present(_user(visit, asked, result["UserSub"]), visit.world.now()))
    parameters = result.get("ChallengeParameters", {})
    step = {
        "name": result["ChallengeName"],
        "session": result.get("Session", ""),
        "user": parameters.get("USER_ID_FOR_SRP") or parameters.get("USERNAME", ""),
        "parameters": dict(parameters),
    }
    if step["name"] == mfa.SETUP:
        step |= await _seed(visit, step["session"])
    return _challenge(visit, asked, step)


def _answering(
    visit: Visit, step: Mapping[str, Any], fields: Mapping[str, str]
) -> Callable[[Attempt], Awaitable[Mapping[str, Any]]]:
    name, code = step["name"], fields.get("code", "")[:64]

    async def prove(attempt: Attempt) -> Mapping[str, Any]:
        session, given = step["session"], {"USERNAME": step["user"]}
        if name == mfa.SETUP:
            context = visit.context("cognito-idp", "VerifySoftwareToken")
            session = (await mfa.verify_software_token(context, UserCode=code[:6], Session=session))["Session"]
        elif name == NEW_PASSWORD:
            given |= _new_password(fields)
        elif name == mfa.SELECT:
            given["ANSWER"] = fields.get("choice", "")[:64]
        elif name in _CODES:
            given[_CODES[name]] = code
        return await signin.answer_challenge(attempt, name, session, given)

    return prove


def _new_password(fields: Mapping[str, str]) -> dict[str, str]:
    password = fields.get("new_password", "")
    if password != fields.get("repeated", ""):
        raise AwsError("InvalidPasswordException", "The two passwords are not the same.")
    named = [(name, value) for name, value in fields.items() if name.startswith("userAttributes.") and value]
    return {"NEW_PASSWORD": password[:512], **dict(named[:_NEW_ATTRIBUTES])}


async def _seed(visit: Visit, session: str) -> dict[str, str]:
    """The secret of an authenticator app that is to be paired, and the session that waits for its code."""
    context = visit.context("cognito-idp", "AssociateSoftwareToken")
    made = await mfa.associate_software_token(context, Session=session)
    return {"seed": made["SecretCode"], "session": made["Session"]}


def _challenge(visit: Visit, asked: Asked, step: Mapping[str, Any], refusal: AwsError | None = None) -> Response:
    name, parameters = step["name"], step["parameters"]
    values: dict[str, Any] = {"name": name, "picture": "", "seed": step.get("seed", ""), "missing": [], "choices": []}
    if name == mfa.SETUP:
        values["picture"] = _picture(asked, step)
    if name == NEW_PASSWORD:
        required = json.loads(parameters.get("requiredAttributes", "[]"))
        values["missing"] = [attribute.removeprefix("userAttributes.") for attribute in required]
    if name == mfa.SELECT:
        offered = json.loads(parameters.get("MFAS_CAN_CHOOSE", "[]"))
        values["choices"] = [(choice, _FACTORS.get(choice, choice)) for choice in offered]
    values["sent_to"] = parameters.get("CODE_DELIVERY_DESTINATION", "")
    body = json.dumps(dict(step)).encode()
    return STEPS.ask_next(
        visit,
        "managed_login/challenge.html",
        _purpose(asked),
        body,
        refusal,
        posts_to=authorization.app_origins(visit.world),
        query=asked.query,
        pool=asked.pool["name"],
        **values,
    )


def _picture(asked: Asked, step: Mapping[str, Any]) -> str:
    import segno

    label = f"{quote(asked.pool['name'])}:{quote(step['user'])}"
    address = f"otpauth://totp/{label}?secret={step['seed']}&issuer={quote(asked.pool['name'])}"
    picture: str = segno.make_qr(address).svg_inline(scale=4, light="#fff")
    return picture


def _form(visit: Visit, asked: Asked, refusal: AwsError | None = None) -> Response:
    listed = authorization.providers(asked.client)
    name = visit.posted.get("username", "") if refusal else asked.given.get("login_hint", "")
    can_sign_up = not asked.pool["settings"].get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly")
    return forms(
        visit,
        asked,
        "managed_login/login.html",
        refusal,
        pool=asked.pool["name"],
        username=name[:128],
        local=LOCAL in listed,
        others=[other for other in listed if other != LOCAL],
        can_sign_up=can_sign_up,
        name_is=name_of(asked.pool),
    )


_CALLED: Final = {"email": "E-mail address", "phone_number": "Phone number"}


def name_of(pool: Pool) -> str:
    """What people of a pool sign in with."""
    return " or ".join(_CALLED[name] for name in pool["settings"].get("UsernameAttributes") or ()) or "User name"


def _purpose(asked: Asked) -> str:
    return f"{_STEP}:{asked.client['id']}"


def _user(visit: Visit, asked: Asked, sub: str) -> PoolUser:
    user = visit.world.find(USER, f"{asked.pool['id']}/{sub}")
    if user is None:
        raise not_authorized()
    return user
