"""From step to step of a sign-in at managed login: what is asked next, the form of it, and what its answer proves.

People say who they are and then choose by what to prove it, where app client and pool let them and the pages are
managed login's (docs/aws/cognito.md, "Managed login"); else one form asks for name and password.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import choices, clients, mfa, passkey_sign_in, pools, signin
from sts_emulator.idp.user_pools.kinds import USER, Pool, not_authorized
from sts_emulator.idp.user_pools.managed_login import authorization, login_sessions, looks
from sts_emulator.idp.user_pools.managed_login.authorization import Asked
from sts_emulator.idp.user_pools.managed_login.login_sessions import Present
from sts_emulator.idp.user_pools.progress import NEW_PASSWORD, Attempt
from sts_emulator.pages import render
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.steps import Steps
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response

STEPS: Final = Steps(Cookie("sts-emulator-login-visitor", "managed-login-visitor", 3_600), "managed-login")
_STEP: Final = "managed-login-challenge"
_MANAGED: Final = 2
"""`ManagedLoginVersion` of a domain whose pages are not the classic ones (botocore's model)."""
_NEW_ATTRIBUTES: Final = 20  # attributes of a form that are looked at
_LONGEST_CREDENTIAL: Final = 32_768  # characters
_CODES: Final = {  # challenge -> the member of its answer
    mfa.SOFTWARE_TOKEN: "SOFTWARE_TOKEN_MFA_CODE",
    mfa.SMS: "SMS_MFA_CODE",
    choices.EMAIL: "EMAIL_OTP_CODE",
    choices.SMS: "SMS_OTP_CODE",
}
_FACTORS: Final = {
    mfa.SOFTWARE_TOKEN: "The code of my authenticator app",
    mfa.SMS: "A text message",
    choices.EMAIL: "An e-mail",
    choices.SMS: "A text message",
    choices.PASSWORD: "My password",
    passkey_sign_in.CHALLENGE: "A passkey",
}
_CALLED: Final = {"email": "E-mail address", "phone_number": "Phone number"}


def are_chosen(visit: Visit, asked: Asked) -> bool:
    """Whether people choose by what they sign in."""
    is_choice = len(pools.first_factors(asked.pool["settings"])) > 1
    return is_choice and clients.allows(asked.client, "ALLOW_USER_AUTH") and is_managed(visit, asked.pool)


def is_managed(visit: Visit, pool: Pool) -> bool:
    """Whether the pool's pages are managed login's, and not the classic ones."""
    return pools.domain_version_of(visit.world, pool) >= _MANAGED


def name_of(pool: Pool) -> str:
    """What people of a pool sign in with."""
    return " or ".join(_CALLED[name] for name in pool["settings"].get("UsernameAttributes") or ()) or "User name"


def purpose(asked: Asked) -> str:
    """What a step is sealed for."""
    return f"{_STEP}:{asked.client['id']}"


async def go_on(
    visit: Visit, asked: Asked, name: str, prove: Callable[[Attempt], Awaitable[Mapping[str, Any]]]
) -> Response:
    """What comes of a proof of who gave this name: signed in and on the way to the app, or what is asked next.

    Raises:
        Sent: it is the app's business.
        AwsError: it proves nothing.
    """
    with visit.attempt("cognito-idp", "Login_POST", asked.parameters()) as attempt:
        attempt.ctx.evidence["pool"] = asked.pool["id"]
        result = await prove(Attempt(attempt.ctx, asked.pool, asked.client, on_page=True))
        if "ChallengeName" not in result:
            user = required(visit.world.find(USER, f"{asked.pool['id']}/{result['UserSub']}"), not_authorized())
            return await enter(visit, attempt.ctx, asked, Present(user, visit.world.now()))
        attempt.result = {"ChallengeName": result["ChallengeName"]}
    parameters = result.get("ChallengeParameters", {})
    step = {
        "name": result["ChallengeName"],
        "session": result.get("Session", ""),
        "user": parameters.get("USER_ID_FOR_SRP") or parameters.get("USERNAME", ""),
        "typed": name,
        "parameters": dict(parameters),
        "offered": [choice for choice in result.get("AvailableChallenges", ()) if choice in _FACTORS],
    }
    if step["name"] == choices.SELECT and len(step["offered"]) < 2:  # noqa: PLR2004 - there is nothing to choose
        return await _by_the_only_one(visit, asked, step)
    if step["name"] == mfa.SETUP:
        seed, following = mfa.begin_pairing(visit.world, None, step["session"])
        step |= {"seed": seed, "session": following}
    return show(visit, asked, step)


async def enter(visit: Visit, ctx: Context, asked: Asked, person: Present) -> Response:
    """Sign a person in, and send them to the app. Raises Sent: they may not."""
    location = await login_sessions.answer(ctx, asked, person)
    return render.redirect(location, [login_sessions.enter(visit, asked.pool, person)])


def forms(visit: Visit, asked: Asked, template: str, refusal: AwsError | None, **values: object) -> Response:
    """A form of managed login; it may lead on to apps."""
    return STEPS.ask(visit, template, refusal, **_common(visit, asked), **values)


def _common(visit: Visit, asked: Asked) -> JsonObject:
    origins = authorization.app_origins(visit.world)
    shown = looks.look(visit, asked.pool, asked.client, managed=is_managed(visit, asked.pool))
    return {"posts_to": origins, "query": asked.query, "pool": asked.pool["name"], **shown}


async def _by_the_only_one(visit: Visit, asked: Asked, step: Mapping[str, Any]) -> Response:
    if not step["offered"]:
        raise not_authorized()  # AWS's sentence for this is not recorded
    return await go_on(visit, asked, step["typed"], answering(step, {"choice": step["offered"][0]}))


def answering(step: Mapping[str, Any], fields: Mapping[str, str]) -> Callable[[Attempt], Awaitable[Mapping[str, Any]]]:
    """What proves the answer to a step, as its form brings it."""
    name, code = step["name"], fields.get("code", "")[:64]

    async def prove(attempt: Attempt) -> Result:
        session, given = step["session"], {"USERNAME": step["user"]}
        if name == mfa.SETUP:
            session = (await mfa.verify_software_token(attempt.ctx, UserCode=code[:6], Session=session))["Session"]
        elif name == NEW_PASSWORD:
            given |= _new_password(fields)
        elif name in (mfa.SELECT, choices.SELECT):
            given["ANSWER"] = fields.get("choice", "")[:64]
        elif name == choices.PASSWORD:
            given["PASSWORD"] = fields.get("password", "")[:512]
        elif name == passkey_sign_in.CHALLENGE:
            given["CREDENTIAL"] = fields.get("credential", "")[:_LONGEST_CREDENTIAL]
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


def show(visit: Visit, asked: Asked, step: Mapping[str, Any], refusal: AwsError | None = None) -> Response:
    name, parameters = step["name"], step["parameters"]
    values: dict[str, Any] = {"name": name, "picture": "", "seed": step.get("seed", ""), "missing": [], "passkey": None}
    if name == mfa.SETUP:
        values["picture"] = _picture(asked, step)
    if name == NEW_PASSWORD:
        required = json.loads(parameters.get("requiredAttributes", "[]"))
        values["missing"] = [attribute.removeprefix("userAttributes.") for attribute in required]
    if name == passkey_sign_in.CHALLENGE:
        values["passkey"] = json.loads(parameters["CREDENTIAL_REQUEST_OPTIONS"])
    offered = json.loads(parameters.get("MFAS_CAN_CHOOSE", "[]")) if name == mfa.SELECT else step["offered"]
    values["choices"] = [(choice, _FACTORS.get(choice, choice)) for choice in offered]
    values["sent_to"] = parameters.get("CODE_DELIVERY_DESTINATION", "")
    return STEPS.ask_next(
        visit,
        "managed_login/challenge.html",
        purpose(asked),
        json.dumps(dict(step)).encode(),
        refusal,
        again=asked.query_for(step["typed"]),
        **_common(visit, asked),
        **values,
    )


def _picture(asked: Asked, step: Mapping[str, Any]) -> str:
    import segno

    label = f"{quote(asked.pool['name'])}:{quote(step['user'])}"
    address = f"otpauth://totp/{label}?secret={step['seed']}&issuer={quote(asked.pool['name'])}"
    picture: str = segno.make_qr(address).svg_inline(scale=4, light="#fff")
    return picture
