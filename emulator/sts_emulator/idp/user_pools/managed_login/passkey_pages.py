"""Page `passkeys/add`: who is signed in to managed login registers a passkey, and goes back to the app."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import passkey_registration, tokens
from sts_emulator.idp.user_pools.managed_login import authorization, login_sessions, login_steps
from sts_emulator.idp.user_pools.managed_login.authorization import Asked, as_login
from sts_emulator.idp.user_pools.managed_login.login_steps import STEPS
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import object_in
from sts_emulator.wire.http import Response

_LONGEST = 16_384  # characters of a credential


@page("GET", "/passkeys/add", refusal=as_login, foreign=True)
def offer(visit: Visit) -> Response:
    """What the browser's authenticator is asked, for who is signed in; others sign in first, and come back later."""
    asked = _asked(visit)
    party = _party(visit, asked)
    return render.redirect(f"{visit.root}/login?{asked.query}") if party is None else _form(visit, asked, party)


@page("POST", "/passkeys/add", refusal=as_login)
def add(visit: Visit) -> Response:
    asked = _asked(visit)
    STEPS.check(visit)
    party = _party(visit, asked)
    if party is None:
        raise AwsError("Refused", "You are not signed in, or no longer.", status=401)
    try:
        with visit.attempt("cognito-idp", "CompleteWebAuthnRegistration", asked.parameters()) as attempt:
            attempt.ctx.evidence.update(pool=asked.pool["id"], person=party.user["username"])
            passkey_registration.keep(attempt.ctx, party, _credential(visit))
    except AwsError as refusal:
        return _form(visit, asked, party, refusal)
    return render.redirect(asked.back({}) if asked.state else authorization.escaped(asked.redirect))


def _asked(visit: Visit) -> Asked:
    """Raises AwsError: Refused 400, the domain has the classic pages, which have no passkeys."""
    asked = authorization.read(visit, visit.query)
    if not login_steps.is_managed(visit, asked.pool):
        raise AwsError("Refused", "Passkeys are of managed login; this domain has ManagedLoginVersion 1.", status=400)
    return asked


def _party(visit: Visit, asked: Asked) -> tokens.Party | None:
    known = login_sessions.present(visit, asked.pool)
    return None if known is None else tokens.Party(asked.pool, asked.client, known.user)


def _credential(visit: Visit) -> Mapping[str, object]:
    text = visit.posted.get("credential", "")
    unfit = AwsError("WebAuthnCredentialNotSupportedException", "The credential is not supported.")
    return required(object_in(text) if len(text) <= _LONGEST else None, unfit)


def _form(visit: Visit, asked: Asked, party: tokens.Party, refusal: AwsError | None = None) -> Response:
    options = passkey_registration.options_for(visit.context("cognito-idp", "StartWebAuthnRegistration"), party)
    return login_steps.forms(
        visit,
        asked,
        "managed_login/passkey.html",
        refusal,
        person=party.user["attributes"].get("email") or party.user["username"],
        options=options,
    )
