"""Pages `signup`, `confirmUser`, `resendcode`, `forgotPassword`, `confirmForgotPassword`: before a sign-in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import clients, pools, sign_up, signin
from sts_emulator.idp.user_pools.managed_login import authorization, login_steps, terms
from sts_emulator.idp.user_pools.managed_login.app_settings import LOCAL
from sts_emulator.idp.user_pools.managed_login.authorization import Asked, Sent, as_login
from sts_emulator.idp.user_pools.managed_login.login_steps import STEPS
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_MOST_ATTRIBUTES: Final = 30
_PROVEN_LIFETIME: Final = 900  # seconds in which who has just signed up may confirm and be signed in
_LONGEST_PROOF: Final = 2_048  # characters: a password of 256, sealed, takes less
_SIGNS_IN: Final = "managed-login-signed-up"


@page("GET", "/signup", refusal=as_login, foreign=True)
def sign_up_form(visit: Visit) -> Response:
    return _sign_up(visit, _asked(visit))


@page("POST", "/signup", refusal=as_login)
async def create(visit: Visit) -> Response:
    """A new user, who is sent a code; or signed in at once, where nothing is to be confirmed."""
    asked, fields = _posted(visit)
    name, password = fields.get("username", ""), fields.get("password", "")
    pairs = [
        {"Name": member.removeprefix("attribute."), "Value": value[:2048]}
        for member, value in fields.items()
        if member.startswith("attribute.") and value
    ][:_MOST_ATTRIBUTES]
    secret = {"Password": password[:256]} if password else {}
    given = {"Username": name[:128], **secret, "UserAttributes": pairs}
    try:
        made = await _call(visit, asked, "SignUp", sign_up.sign_up, given)
    except AwsError as refusal:
        return _sign_up(visit, asked, refusal)
    if made["UserConfirmed"]:
        return await _sign_in(visit, asked, name, password)
    proof = _proof(visit, asked, name, password)
    return _confirm(visit, asked, name, made.get("CodeDeliveryDetails", {}).get("Destination", ""), proof)


@page("GET", "/confirm", refusal=as_login, foreign=True)
@page("GET", "/confirmUser", refusal=as_login, foreign=True)
def confirm_form(visit: Visit) -> Response:
    return _confirm(visit, _asked(visit), visit.query.get("username", "")[:128])


@page("POST", "/confirm", refusal=as_login)
@page("POST", "/confirmUser", refusal=as_login)
async def confirm(visit: Visit) -> Response:
    """The code: confirmed, and signed in where this browser has just signed up."""
    asked, fields = _posted(visit)
    name, proof = fields.get("username", "")[:128], fields.get("proof", "")[:_LONGEST_PROOF]
    given = {"Username": name, "ConfirmationCode": fields.get("code", "")[:64]}
    try:
        await _call(visit, asked, "ConfirmSignUp", sign_up.confirm_sign_up, given)
    except AwsError as refusal:
        return _confirm(visit, asked, name, proof=proof, refusal=refusal)
    password = open_sealed(visit.world, _purpose(asked, name), proof)
    if not password:
        return render.redirect(f"{visit.root}/login?{asked.query_for(name)}")
    return await _sign_in(visit, asked, name, password.decode())


@page("POST", "/resendcode", refusal=as_login)
async def resend(visit: Visit) -> Response:
    asked, fields = _posted(visit)
    name, proof = fields.get("username", "")[:128], fields.get("proof", "")[:_LONGEST_PROOF]
    try:
        sent = await _call(visit, asked, "ResendConfirmationCode", sign_up.resend_confirmation_code, {"Username": name})
    except AwsError as refusal:
        return _confirm(visit, asked, name, proof=proof, refusal=refusal)
    return _confirm(visit, asked, name, sent["CodeDeliveryDetails"].get("Destination", ""), proof)


@page("GET", "/forgotPassword", refusal=as_login, foreign=True)
def forgot_form(visit: Visit) -> Response:
    return _forgot(visit, _asked(visit))


@page("POST", "/forgotPassword", refusal=as_login)
async def forgot(visit: Visit) -> Response:
    asked, fields = _posted(visit)
    name = fields.get("username", "")[:128]
    try:
        sent = await _call(visit, asked, "ForgotPassword", sign_up.forgot_password, {"Username": name})
    except AwsError as refusal:
        return _forgot(visit, asked, refusal)
    return _reset(visit, asked, name, sent["CodeDeliveryDetails"].get("Destination", ""))


@page("GET", "/confirmforgotPassword", refusal=as_login, foreign=True)
@page("GET", "/confirmForgotPassword", refusal=as_login, foreign=True)
def reset_form(visit: Visit) -> Response:
    return _reset(visit, _asked(visit), visit.query.get("username", "")[:128])


@page("POST", "/confirmforgotPassword", refusal=as_login)
@page("POST", "/confirmForgotPassword", refusal=as_login)
async def reset(visit: Visit) -> Response:
    """The new password, which then signs in."""
    asked, fields = _posted(visit)
    name, password = fields.get("username", "")[:128], fields.get("new_password", "")[:256]
    given = {"Username": name, "ConfirmationCode": fields.get("code", "")[:64], "Password": password}
    if password != fields.get("repeated", ""):
        differs = AwsError("InvalidPasswordException", "The two passwords are not the same.")
        return _reset(visit, asked, name, refusal=differs)
    try:
        await _call(visit, asked, "ConfirmForgotPassword", sign_up.confirm_forgot_password, given)
    except AwsError as refusal:
        return _reset(visit, asked, name, refusal=refusal)
    return await _sign_in(visit, asked, name, password)


# -- what they share -------------------------------------------------------------------------------------------------


def _asked(visit: Visit) -> Asked:
    """Raises AwsError: Refused, where the client is for other identity providers only."""
    asked = authorization.read(visit, visit.query)
    if LOCAL not in authorization.providers(asked.client):
        raise AwsError("Refused", "This app's users sign in with an identity provider of their own.", status=400)
    return asked


def _posted(visit: Visit) -> tuple[Asked, dict[str, str]]:
    asked = _asked(visit)
    STEPS.check(visit)
    return asked, visit.posted


async def _call(
    visit: Visit, asked: Asked, operation: str, function: Callable[..., Awaitable[Any]], given: Mapping[str, Any]
) -> Any:
    """What the app itself would call, for it; its event does not tell the password."""
    told = {name: value for name, value in given.items() if name in ("Username", "UserAttributes")}
    with visit.attempt("cognito-idp", operation, {"ClientId": asked.client["id"], **told}) as attempt:
        attempt.ctx.evidence["pool"] = asked.pool["id"]
        proof = clients.secret_hash(asked.client, given["Username"])
        return await function(attempt.ctx, ClientId=asked.client["id"], SecretHash=proof, **given)


async def _sign_in(visit: Visit, asked: Asked, name: str, password: str) -> Response:
    given = {"USERNAME": name, "PASSWORD": password}
    try:
        return await login_steps.go_on(
            visit, asked, name, lambda attempt: signin.begin_flow(attempt, "USER_PASSWORD_AUTH", given)
        )
    except Sent:
        raise
    except AwsError:
        return render.redirect(f"{visit.root}/login?{asked.query_for(name)}")


def _proof(visit: Visit, asked: Asked, name: str, password: str) -> str:
    """The password, sealed, so that the code that follows may sign in; the browser keeps it, we do not."""
    until = int(visit.world.now()) + _PROVEN_LIFETIME
    return seal_until(visit.world, _purpose(asked, name), password.encode(), until)


def _purpose(asked: Asked, name: str) -> str:
    return f"{_SIGNS_IN}:{asked.client['id']}:{name}"


def _sign_up(visit: Visit, asked: Asked, refusal: AwsError | None = None) -> Response:
    settings, given = asked.pool["settings"], visit.posted if refusal else {}
    factors = pools.first_factors(settings)
    if settings.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly"):
        raise AwsError("Refused", "Only administrators add users to this user pool.", status=400)
    names = settings.get("UsernameAttributes") or ()
    required = [attribute["Name"] for attribute in asked.pool["schema"] if attribute.get("Required")]
    wanted = [*required, *(settings.get("AutoVerifiedAttributes") or ())]
    known = {"sub", *(names if len(names) == 1 else ())}
    asks = [name for name in dict.fromkeys(wanted) if name not in known]
    return login_steps.forms(
        visit,
        asked,
        "managed_login/sign_up.html",
        refusal,
        username=given.get("username", "")[:128],
        name_is=login_steps.name_of(asked.pool),
        needs_password=not login_steps.are_chosen(visit, asked) or not {"EMAIL_OTP", "SMS_OTP"} & set(factors),
        asks=[{"name": name, "value": given.get(f"attribute.{name}", "")[:2048]} for name in asks],
        terms=terms.links_of(visit.world, asked.pool, asked.client["id"]),
    )


def _confirm(
    visit: Visit, asked: Asked, name: str, sent_to: str = "", proof: str = "", refusal: AwsError | None = None
) -> Response:
    return login_steps.forms(
        visit,
        asked,
        "managed_login/confirm.html",
        refusal,
        username=name,
        sent_to=sent_to,
        proof=proof,
    )


def _forgot(visit: Visit, asked: Asked, refusal: AwsError | None = None) -> Response:
    return login_steps.forms(
        visit,
        asked,
        "managed_login/forgot.html",
        refusal,
        username=visit.posted.get("username", "")[:128] if refusal else "",
        name_is=login_steps.name_of(asked.pool),
    )


def _reset(visit: Visit, asked: Asked, name: str, sent_to: str = "", refusal: AwsError | None = None) -> Response:
    return login_steps.forms(
        visit,
        asked,
        "managed_login/reset.html",
        refusal,
        username=name,
        sent_to=sent_to,
        name_is=login_steps.name_of(asked.pool),
    )
