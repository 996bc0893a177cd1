"""Who is signed in at the portal with a browser: a cookie names the session. And the way there, for who is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import portal_sessions
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import render
from sts_emulator.pages.sessions import Cookie, Header
from sts_emulator.pages.visit import Visit, own_place
from sts_emulator.wire.http import Response

LONGEST: Final = 90 * 86_400  # of a portal's session, docs/aws/identity-center.md, "OIDC service"
PORTAL: Final = "/start"
COOKIE: Final = Cookie("sts-emulator-portal", "identity-center-portal", LONGEST)


def signed_in(visit: Visit) -> PortalSession | None:
    """The session that this browser carries, while it lasts."""
    body = COOKIE.read(visit)
    return None if body is None else portal_sessions.find(visit.world, body.decode())


def present(visit: Visit) -> PortalSession:
    """The same. Raises AwsError: Refused 401."""
    session = signed_in(visit)
    if session is None:
        raise AwsError(
            "Refused", "You are not signed in, or no longer. Go to the access portal to sign in.", status=401
        )
    return session


def carried(visit: Visit, session: PortalSession) -> Header:
    """The header that makes the browser carry a session."""
    return COOKIE.give(visit, session.id.encode(), session.until - int(visit.world.now()))


def enter(
    visit: Visit,
    instance: Instance,
    person: DirectoryUser,
    place: str,
    until: int | None = None,
    attributes: Mapping[str, str] | None = None,
) -> Response:
    """Sign a person in who has proven who they are, and send the browser on."""
    with visit.attempt("signin", "UserAuthentication") as attempt:
        session = portal_sessions.start(visit.world, instance, person, until, attributes=attributes)
        attempt.ctx.evidence.update(session.evidence, instance=instance["arn"])
        attempt.result = {"UserAuthentication": "Success"}
    return render.redirect(f"{visit.root}{place_after(place)}", [carried(visit, session)])


def to_sign_in(visit: Visit, instance: Instance | None = None) -> Response:
    """Off to the sign-in page, and back here afterwards."""
    request = visit.request
    place = request.raw_path + (f"?{request.query}" if request.query else "")
    query = {"then": place, **({"instance": instance["id"]} if instance else {})}
    return render.redirect(f"{visit.root}/start/signin?{urlencode(query)}")


def place_after(text: str) -> str:
    """Where to go after a sign-in: the page that asked for it, or the portal."""
    return text if own_place(text, PORTAL, "/authorize") else PORTAL


def instance_of(visit: Visit, identifier: str) -> Instance:
    """The instance that is meant: the one named, or the world's first. Raises AwsError: NotFound 404."""
    known = directory.instances(visit.world)
    named = (instance for instance in known if instance["id"] == identifier)
    instance = next(named, None) if identifier else next(iter(known), None)
    if instance is None:
        raise AwsError("NotFound", "There is no Identity Center here. A scenario or sso-admin makes one.", status=404)
    return instance
