"""Page `start/account-access`: the account access portal, with the roles to which a person is entitled.

At AWS it has an address of its own, and is an application in the access portal (docs/aws/identity-center.md, "Account
access manager").
"""

from __future__ import annotations

from typing import Final

from sts_emulator.accounts import account_access
from sts_emulator.accounts.resources import account_name
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center import access_runtime, browsers, handing
from sts_emulator.methods.identity_center.access_runtime import Visitor
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.arns import account_in
from sts_emulator.vending.assume import Vended
from sts_emulator.wire.http import Response

PLACE: Final = "/start/account-access"
_FORM: Final = "account-access"


def of(world: World, session: PortalSession) -> Visitor | None:
    """The person before the manager of their instance; None where there is none for them."""
    application = account_access.of_instance(world, session.instance)
    if application is None or not access_runtime.is_open(world, application, session):
        return None
    return Visitor(session, application)


@page("GET", PLACE, refusal=as_page)
def portal(visit: Visit) -> Response:
    """The roles, by account."""
    session = browsers.signed_in(visit)
    if session is None:
        return browsers.to_sign_in(visit)
    roles = [_told(visit.world, role) for role in access_runtime.entitled(visit.world, _visitor(visit.world, session))]
    token = browsers.COOKIE.form_token(visit, _FORM)
    return render.page("access_portal.html", visit.root, person=session.person["name"], roles=roles, token=token)


@page("POST", f"{PLACE}/credentials", refusal=as_page)
def command_line_access(visit: Visit) -> Response:
    """Credentials to copy."""
    role, vended = _chosen(visit)
    return handing.shown(visit, vended, role.rpartition("/")[2])


@page("POST", f"{PLACE}/console", refusal=as_page)
def management_console(visit: Visit) -> Response:
    """Into the console."""
    return handing.to_console(visit, _chosen(visit)[1], "")


def _visitor(world: World, session: PortalSession) -> Visitor:
    visitor = of(world, session)
    if visitor is None:
        raise AwsError("NotFound", "There is no account access manager for you here.", status=404)
    return visitor


def _chosen(visit: Visit) -> tuple[str, Vended]:
    session = browsers.present(visit)
    browsers.COOKIE.check_form(visit, _FORM)
    visitor, role = _visitor(visit.world, session), visit.posted.get("role", "")[:2_048]
    parameters = {"tenantId": visitor.application["tenant"], "roleArn": role}
    with visit.attempt("account-access-runtime", "GetRoleCredentials", parameters) as attempt:
        attempt.ctx.evidence.update(session.evidence)
        vended = access_runtime.vend(attempt.ctx, visitor, role, "", None)
    return role, vended


def _told(world: World, role: str) -> dict[str, str]:
    account = account_in(role)
    return {"arn": role, "name": role.rpartition("/")[2], "account": account_name(world, account) or account}
