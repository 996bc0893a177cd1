"""A script says yes or no in a person's place: to a device's code, or to the page that a tool opened."""

from __future__ import annotations

from urllib.parse import urlsplit

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.core.spelling import meant
from sts_emulator.methods.identity_center import authorizing, grants, portal_sessions
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages.approvals import Outcome, Request, approver
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import form


@approver
def approve(visit: Visit, request: Request, /) -> Outcome | None:
    """None: no device waits with this code, and the URL is none of these pages."""
    parts = urlsplit(request.url)
    if request.url and parts.path == f"{visit.root}/authorize":
        return _authorize(visit, request, form(parts.query))
    user_code = form(parts.query).get("user_code", "") if parts.path == f"{visit.root}/start/device" else request.code
    device = grants.waiting(visit.world, user_code)
    if device is None:
        return None
    with visit.attempt("sso", "UserAuthentication") as attempt:
        attempt.ctx.evidence.update(person=request.user, tool=device["client_name"])
        instance = visit.world.get(directory.INSTANCE, device["instance"])
        assert instance is not None, "a device waits for one of these"
        session = sign_in(visit, instance, request.user)
        attempt.ctx.evidence.update(session.evidence)
        grants.answer(visit.world, device, None if request.deny else session)
    return Outcome()


def _authorize(visit: Visit, request: Request, query: dict[str, str]) -> Outcome:
    asked = authorizing.read(visit.world, query)
    with visit.attempt("sso", "UserAuthentication") as attempt:
        attempt.ctx.evidence.update(person=request.user, tool=asked.client.name)
        session = sign_in(visit, asked.instance, request.user)
        attempt.ctx.evidence.update(session.evidence)
        if request.deny:
            return Outcome(location=asked.denied())
        return Outcome(location=asked.granted(visit.world, session))


def sign_in(visit: Visit, instance: Instance, name: str) -> PortalSession:
    """What stands for password and second factor, and for nothing else. Raises AwsError."""
    person = directory.user_by_name(visit.world, instance["store"], name[:200])
    if person is None:
        near = meant(name, (known["name"] for known in visit.world.page(directory.USERS, f"{instance['store']}/")))
        raise AwsError("NotFound", f"Identity Center has no user `{name[:200]}`{near}", status=404)
    if not person["enabled"]:
        raise AwsError("Refused", f"the user `{name}` is disabled", status=403)
    return portal_sessions.start(visit.world, instance, person)
