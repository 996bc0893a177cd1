"""Pages `instance…`: the tiles of the access portal as JSON, which browser extensions and scripts ask for.

AWS documents none of it; the members are those that public scripts read (docs/aws/identity-center.md, "Recorded in
2026").
"""

from __future__ import annotations

import base64
from urllib.parse import urlencode

from sts_emulator.accounts.resources import account_name
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.identity_center import portal_sessions, roles
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.methods.identity_center.refusals import portal_refused
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response

_PREFIX = "ins-"


def as_portal(_: Visit, error: AwsError) -> Response:
    """A refusal as the portal writes it."""
    return render.data(error.status or 400, {"message": error.message, **error.members})


@page("GET", "/instance/appinstances", refusal=as_portal)
def list_app_instances(visit: Visit) -> Response:
    """A tile for each account in which the person has a role."""
    accounts = roles.offered(visit.world, bearer(visit))
    return render.data(200, {"paginationToken": None, "result": [_tile(visit, account) for account in accounts]})


@page("GET", "/instance/appinstance/{identifier}/profiles", refusal=as_portal)
def list_profiles(visit: Visit, identifier: str) -> Response:
    """The roles behind a tile."""
    offers = roles.offered(visit.world, bearer(visit))
    account = identifier.removeprefix(_PREFIX)
    if not identifier.startswith(_PREFIX) or account not in offers:
        raise portal_refused("ResourceNotFoundException", "App instance not found")
    profiles = [_profile(visit, account, name, known["relay_state"]) for name, known in offers[account].items()]
    return render.data(200, {"paginationToken": None, "result": profiles})


def bearer(visit: Visit) -> PortalSession:
    """Whose access token the request brings. Raises AwsError: UnauthorizedException 401."""
    headers = visit.request.headers
    token = headers.get("x-amz-sso_bearer_token") or headers.get("x-amz-sso-bearer-token") or ""
    session = portal_sessions.of_access_token(visit.world, token)
    if session is None:
        raise portal_refused("UnauthorizedException", "Session token not found or invalid")
    return session


def _tile(visit: Visit, account: str) -> Result:
    name = account_name(visit.world, account) or account
    known = {"AccountId": account, "AccountName": name, "AccountEmail": f"{account}@accounts.example"}
    return {
        "id": f"{_PREFIX}{account}",
        "name": f"{account} ({name})",
        "description": "AWS Account",
        "applicationId": "app-aws-account",
        "applicationName": "AWS Account",
        "icon": "",
        "searchMetadata": known,
    }


def _profile(visit: Visit, account: str, role: str, relay_state: str) -> Result:
    query = urlencode({"account_id": account, "role_name": role})
    number = base64.urlsafe_b64encode(f"{account}/{role}".encode()).decode().rstrip("=")
    return {
        "id": f"p-{number}",
        "name": role,
        "description": "",
        "url": f"{visit.base_url}/start/console?{query}",
        "protocol": "SAML",
        "relayState": relay_state or None,
    }
