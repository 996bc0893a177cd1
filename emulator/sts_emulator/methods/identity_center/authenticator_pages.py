"""Page `start/mfa/app`: a person registers an authenticator app, by a key to scan and the code that it then shows."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from sts_emulator.accounts import people
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import browsers, second_factors
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import passkeys, render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_FORM: Final = "authenticator"
_LIFETIME: Final = 600  # seconds in which the code must come
_ISSUER: Final = "AWS IAM Identity Center"


@page("GET", "/start/mfa/app", refusal=as_page)
def offer(visit: Visit) -> Response:
    """A new secret key, which the form carries sealed until it is proven."""
    session = browsers.signed_in(visit)
    return browsers.to_sign_in(visit) if session is None else _shown(visit, session, people.new_seed())


@page("POST", "/start/mfa/app", refusal=as_page)
def register(visit: Visit) -> Response:
    """The code that the app shows for the key."""
    session, fields = browsers.present(visit), visit.posted
    browsers.COOKIE.check_form(visit, _FORM)
    sealed = open_sealed(visit.world, _purpose(session), fields.get("key", ""))
    if sealed is None:
        late = AwsError("Refused", "That took too long. Scan the new key.", status=403)
        return _shown(visit, session, people.new_seed(), late)
    seed = sealed.decode()
    try:
        with visit.attempt("sso-directory", "CompleteVirtualMfaDeviceRegistration") as attempt:
            attempt.ctx.evidence.update(session.evidence, device=fields.get("name", "")[:64])
            second_factors.add_app(
                visit.world, session.person, passkeys.device_name(visit), seed, fields.get("code", "")
            )
    except AwsError as refusal:
        return _shown(visit, session, seed, refusal)
    return render.redirect(f"{visit.root}/start/mfa")


def _shown(visit: Visit, session: PortalSession, seed: str, refusal: AwsError | None = None) -> Response:
    import segno

    label = f"{quote(_ISSUER)}:{quote(session.person['name'])}"
    address = f"otpauth://totp/{label}?secret={seed}&issuer={quote(_ISSUER)}"
    return render.page(
        "authenticator.html",
        visit.root,
        person=session.person["name"],
        picture=segno.make_qr(address).svg_inline(scale=4, light="#fff"),
        seed=seed,
        key=seal_until(visit.world, _purpose(session), seed.encode(), int(visit.world.now()) + _LIFETIME),
        token=browsers.COOKIE.form_token(visit, _FORM),
        **render.refused(refusal),
    )


def _purpose(session: PortalSession) -> str:
    return f"identity-center:authenticator:{session.id}"
