"""Pages `start/mfa…`: a person registers passkeys, and takes devices away (apps: authenticator_pages)."""

from __future__ import annotations

from typing import Final

from sts_emulator.accounts.directory import MfaMeans
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import browsers, second_factors
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import passkeys, render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_FORM: Final = "mfa"
_TYPES: Final = {"totp": "authenticator app", "passkey": "passkey"}


@page("GET", "/start/mfa", refusal=as_page)
def devices(visit: Visit) -> Response:
    session = browsers.signed_in(visit)
    return browsers.to_sign_in(visit) if session is None else _shown(visit, session)


@page("POST", "/start/mfa/passkey", refusal=as_page)
def register(visit: Visit) -> Response:
    """The answer of the authenticator in which a passkey was made."""
    session, fields = _present(visit), visit.posted
    try:
        with visit.attempt("sso-directory", "CompleteWebAuthnDeviceRegistration") as attempt:
            attempt.ctx.evidence.update(session.evidence, device=fields.get("name", "")[:64])
            name, response = passkeys.device_name(visit), fields.get("credential", "")
            second_factors.add_passkey(attempt.ctx, passkeys.here(visit), session.person, name, response)
    except AwsError as refusal:
        return _shown(visit, session, refusal)
    return render.redirect(f"{visit.root}/start/mfa")


@page("POST", "/start/mfa/remove", refusal=as_page)
def remove(visit: Visit) -> Response:
    session = _present(visit)
    with visit.attempt("sso-directory", "DeleteMfaDeviceForUser") as attempt:
        attempt.ctx.evidence.update(session.evidence)
        second_factors.remove(visit.world, session.person, visit.posted.get("device", ""))
    return render.redirect(f"{visit.root}/start/mfa")


def _present(visit: Visit) -> PortalSession:
    session = browsers.present(visit)
    browsers.COOKIE.check_form(visit, _FORM)
    return session


def _shown(visit: Visit, session: PortalSession, refusal: AwsError | None = None) -> Response:
    party = passkeys.party(visit)
    return render.page(
        "mfa.html",
        visit.root,
        place="Access portal",
        person=session.person["name"],
        devices=[_told(means) for means in second_factors.of(session.person)],
        action="/start/mfa",
        app="/start/mfa/app",
        passkey=second_factors.holder(session.person).asks_registration(visit.world, party) if party else None,
        elsewhere=passkeys.elsewhere(visit, "/start/mfa"),
        token=browsers.COOKIE.form_token(visit, _FORM),
        **render.refused(refusal),
        back="/start",
    )


def _told(means: MfaMeans) -> dict[str, str]:
    since = f"since {clock.iso(means['created'])}"
    site = f", at {means['passkey']['party']}" if "passkey" in means else ""
    return {"id": means["id"], "name": means["name"], "type": _TYPES[means["type"]], "told": since + site}
