"""Pages `signin/mfa…`: a user or root who is signed in registers passkeys, and takes devices away."""

from __future__ import annotations

from typing import Final

from sts_emulator.accounts.documents import FidoDevice
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login import second_factors
from sts_emulator.pages import passkeys, render
from sts_emulator.pages.console import COOKIE, arn_of, present, signed_in
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending import authenticate
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.session import USER, Session
from sts_emulator.wire.http import Response

_FORM: Final = "console-mfa"


@page("GET", "/signin/mfa", refusal=as_page)
def devices(visit: Visit) -> Response:
    console = signed_in(visit)
    if console is None:
        return render.redirect(f"{visit.root}/signin?then=/signin/mfa")
    return _shown(visit, _own(console.session))


@page("POST", "/signin/mfa/passkey", refusal=as_page)
def register(visit: Visit) -> Response:
    """The answer of the authenticator in which a passkey was made."""
    session, fields = _present(visit), visit.posted
    try:
        with visit.attempt("iam", "EnableMFADevice", {"userName": session.name or "root"}) as attempt:
            _permit(attempt.ctx, session, "iam:EnableMFADevice")
            name, response = passkeys.device_name(visit), fields.get("credential", "")
            device = second_factors.add_passkey(attempt.ctx, passkeys.here(visit), session, name, response)
            attempt.ctx.evidence["serialNumber"] = device["arn"]
    except AwsError as refusal:
        return _shown(visit, session, refusal)
    return render.redirect(f"{visit.root}/signin/mfa")


@page("POST", "/signin/mfa/remove", refusal=as_page)
def remove(visit: Visit) -> Response:
    session, arn = _present(visit), visit.posted.get("device", "")
    try:
        with visit.attempt("iam", "DeactivateMFADevice", {"serialNumber": arn[:256]}) as attempt:
            _permit(attempt.ctx, session, "iam:DeactivateMFADevice")
            second_factors.remove(visit.world, session, arn)
    except AwsError as refusal:
        return _shown(visit, session, refusal)
    return render.redirect(f"{visit.root}/signin/mfa")


def _present(visit: Visit) -> Session:
    """Raises AwsError: Refused 401, 403."""
    console = present(visit)
    COOKIE.check_form(visit, _FORM)
    return _own(console.session)


def _own(session: Session) -> Session:
    """Raises AwsError: Refused 403, it is the session of a role or federated user: those have no devices."""
    if session.kind != USER:
        raise AwsError("Refused", "Devices are of users and root; you are signed in as neither.", status=403)
    return session


def _permit(ctx: Context, session: Session, action: str) -> None:
    """By the policies of who is signed in; who has a device must have shown one (as in IAM's API, AWS-2023-001)."""
    ctx.caller = authenticate.caller_of_session(ctx.world, session, "")
    authorize(ctx, action, arn_of(session), {"aws:resourceaccount": (session.account,)})
    if second_factors.of(ctx.world, session) and not session.mfa_at:
        message = (
            "To complete this action, please ensure that you are authenticated with an MFA device that is enabled for "
            "this user."
        )
        raise AwsError("AccessDenied", message, status=403)


def _shown(visit: Visit, session: Session, refusal: AwsError | None = None) -> Response:
    party = passkeys.party(visit)
    return render.page(
        "mfa.html",
        visit.root,
        place="Console",
        person=arn_of(session),
        devices=[_told(device) for device in second_factors.fido(visit.world, session)],
        action="/signin/mfa",
        passkey=second_factors.holder(visit.world, session).asks_registration(visit.world, party) if party else None,
        elsewhere=passkeys.elsewhere(visit, "/signin/mfa"),
        token=COOKIE.form_token(visit, _FORM),
        **render.refused(refusal),
        back="/console",
    )


def _told(device: FidoDevice) -> dict[str, str]:
    told = f"since {clock.iso(device['enabled'])}, at {device['passkey']['party']}"
    return {"id": device["arn"], "name": device["name"], "type": "passkey", "told": told}
