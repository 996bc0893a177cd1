"""Pages `start/device` and `authorize`: a signed-in person lets a tool act for them, or does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from sts_emulator.accounts import directory
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import authorizing, browsers, grants
from sts_emulator.methods.identity_center.authorizing import Authorization
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response

_APPROVED = "Request approved. You can close this window and go back to your tool."
_DENIED = "Request denied. You can close this window."


# -- a device's code ----------------------------------------------------------------------------------------------


@page("GET", "/start/device", refusal=as_page)
def device_form(visit: Visit) -> Response:
    """The code that the device shows, typed here or brought by the link; then the question."""
    user_code = visit.query.get("user_code", "")
    if not user_code:
        return render.page("device.html", visit.root)
    device = grants.guess(visit.world, user_code, visit.request.client)
    session = browsers.signed_in(visit)
    if session is None or session.instance["id"] != device["instance"]:
        return browsers.to_sign_in(visit, visit.world.get(directory.INSTANCE, device["instance"]))
    tool, scopes, values = device["client_name"], device["scopes"], {"user_code": device["name"]}
    return _question(visit, session, tool, scopes, "/start/device", values, device["name"])


@page("POST", "/start/device", refusal=as_page)
def answer_device(visit: Visit) -> Response:
    session = browsers.present(visit)
    device = grants.guess(visit.world, visit.posted.get("user_code", ""), visit.request.client)
    browsers.COOKIE.check_form(visit, device["name"])
    allowed = visit.posted.get("answer") == "allow"
    with visit.attempt("sso", "AuthorizeDevice") as attempt:
        attempt.ctx.evidence.update(session.evidence, tool=device["client_name"])
        if session.instance["id"] != device["instance"]:
            raise AwsError("Refused", "That code belongs to another Identity Center.", status=403)
        grants.answer(visit.world, device, session if allowed else None)
        attempt.result = {"AuthorizeDevice": "Success" if allowed else "Denied"}
    return render.page("told.html", visit.root, title=_APPROVED if allowed else _DENIED, again="/start")


# -- a tool's browser ---------------------------------------------------------------------------------------------


@page("GET", "/authorize", refusal=as_page)
def authorize_form(visit: Visit) -> Response:
    asked = authorizing.read(visit.world, visit.query)
    session = _session_for(visit, asked)
    if session is None:
        return browsers.to_sign_in(visit, asked.instance)
    values = {name: value for name, value in visit.query.items() if name in authorizing.MEMBERS}
    return _question(visit, session, asked.client.name, asked.scopes, "/authorize", values, asked.challenge, asked)


@page("POST", "/authorize", refusal=as_page)
def answer_tool(visit: Visit) -> Response:
    asked = authorizing.read(visit.world, visit.posted)
    session = _session_for(visit, asked)
    if session is None:
        raise AwsError("Refused", "You are not signed in, or no longer.", status=401)
    browsers.COOKIE.check_form(visit, asked.challenge)
    allowed = visit.posted.get("answer") == "allow"
    with visit.attempt("sso", "Authorize") as attempt:
        attempt.ctx.evidence.update(session.evidence, tool=asked.client.name)
        location = asked.granted(visit.world, session) if allowed else asked.denied()
        attempt.result = {"Authorize": "Success" if allowed else "Denied"}
    return render.redirect(location)


def _session_for(visit: Visit, asked: Authorization) -> PortalSession | None:
    session = browsers.signed_in(visit)
    return session if session is not None and session.instance["id"] == asked.instance["id"] else None


def _question(
    visit: Visit,
    session: PortalSession,
    tool: str,
    scopes: Sequence[str],
    action: str,
    values: Mapping[str, str],
    form: str,
    asked: Authorization | None = None,
) -> Response:
    origin = urlsplit(asked.redirect) if asked else None
    return render.page(
        "consent.html",
        visit.root,
        posts_to=[f"{origin.scheme}://{origin.netloc}"] if origin else [],
        tool=tool,
        person=session.person["name"],
        user_code=values.get("user_code", ""),
        scopes=scopes,
        action=action,
        values=values,
        token=browsers.COOKIE.form_token(visit, form),
    )
