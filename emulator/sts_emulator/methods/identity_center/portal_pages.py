"""Pages `start…`: the access portal, with the accounts and roles of a person, and what leads from there.

The paths that browser extensions know are here as well (docs/aws/identity-center.md, "Recorded in 2026").
"""

from __future__ import annotations

from typing import Any

from sts_emulator.accounts.resources import account_name
from sts_emulator.core import clock
from sts_emulator.methods.identity_center import access_pages, app_instances, browsers, handing, roles
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import render
from sts_emulator.pages.console import of_role, sign_in_token
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.assume import Vended
from sts_emulator.wire.http import Response

_FORM = "portal"


@page("GET", "/start", refusal=as_page)
def portal(visit: Visit) -> Response:
    """Accounts, and the roles in each."""
    session = browsers.signed_in(visit)
    if session is None:
        return browsers.to_sign_in(visit)
    offers = roles.offered(visit.world, session)
    accounts = [
        {"id": account, "name": account_name(visit.world, account), "roles": list(by_name)}
        for account, by_name in offers.items()
    ]
    return render.page(
        "portal.html",
        visit.root,
        person=session.person["name"],
        accounts=accounts,
        manager=access_pages.PLACE if access_pages.of(visit.world, session) else "",
        until=clock.iso(session.until),
        token=browsers.COOKIE.form_token(visit, _FORM),
    )


@page("POST", "/start/credentials", refusal=as_page)
def command_line_access(visit: Visit) -> Response:
    """Credentials to copy, in three forms."""
    session, vended = _chosen(visit)
    return handing.shown(visit, vended, visit.posted.get("role", ""), session.instance)


@page("POST", "/start/console", refusal=as_page)
def management_console(visit: Visit) -> Response:
    """Into the console, by the federation endpoint."""
    return handing.to_console(visit, _chosen(visit)[1], visit.posted.get("destination", ""))


@page("GET", "/start/console", refusal=as_page)
def deep_link(visit: Visit) -> Response:
    """`#/console?account_id=…&role_name=…` of the portal, which its script sends here: asked before it is followed."""
    session = browsers.signed_in(visit)
    if session is None:
        return browsers.to_sign_in(visit)
    query = visit.query
    account, role = query.get("account_id", ""), query.get("role_name", "")
    names = [role] if role else list(roles.offered(visit.world, session).get(account, ()))
    return render.page(
        "portal_console.html",
        visit.root,
        account=account,
        roles=names,
        destination=query.get("destination", ""),
        token=browsers.COOKIE.form_token(visit, _FORM),
    )


@page("GET", "/federation/console", refusal=app_instances.as_portal)
def federation_console(visit: Visit) -> Response:
    """A sign-in token for the federation endpoint, for who has an access token of the portal."""
    session, query = app_instances.bearer(visit), visit.query
    vended = _vend(visit, session, query.get("account_id", ""), query.get("role_name", ""))
    token = sign_in_token(visit.world, of_role(visit.world, vended.session, vended.session.expires))
    return render.data(200, {"signInToken": token, "signInFederationLocation": f"{visit.base_url}/federation"})


def _chosen(visit: Visit) -> tuple[PortalSession, Vended]:
    session, fields = browsers.present(visit), visit.posted
    browsers.COOKIE.check_form(visit, _FORM)
    return session, _vend(visit, session, fields.get("account", ""), fields.get("role", ""))


def _vend(visit: Visit, session: PortalSession, account: str, role: str) -> Vended:
    parameters: dict[str, Any] = {"accountId": account[:12], "roleName": role[:64]}
    with visit.attempt("sso", "GetRoleCredentials", parameters) as attempt:
        attempt.ctx.evidence.update(session.evidence)
        return roles.vend(attempt.ctx, session, account, role)
