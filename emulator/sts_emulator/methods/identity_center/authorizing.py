"""The request that a tool's browser brings to `/authorize`, and where the browser goes with the answer.

Source: docs/aws/identity-center.md, "Clients".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center import applications, clients, grants
from sts_emulator.methods.identity_center.clients import AUTHORIZATION_CODE, Client
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.pages import pkce
from sts_emulator.policy.light_dataclass import dataclass

MEMBERS: Final = (
    *("response_type", "client_id", "redirect_uri", "state"),
    *("code_challenge", "code_challenge_method", "scope", "scopes"),
)
"""What of a query counts, and comes back with the answer's form."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """A tool asks a person for a code."""

    client: Client
    instance: Instance
    redirect: str
    state: str
    challenge: str
    scopes: tuple[str, ...]

    def granted(self, world: World, session: PortalSession) -> str:
        """Where the browser goes after a yes. Raises AwsError: Refused 403, the person may not use the application."""
        application = world.get(directory.APPLICATION, self.client.application) if self.client.application else None
        if application is not None and not directory.is_assigned(world, application, session.person):
            who, where = session.person["name"], application["name"]
            raise AwsError("Refused", f"{who} is not assigned to the application {where}.", status=403)
        code = grants.issue_code(world, self.client, session, self.redirect, self.challenge)
        return self._back(code=code)

    def denied(self) -> str:
        """Where it goes after a no."""
        return self._back(error="access_denied", error_description="The person denied the request")

    def _back(self, **members: str) -> str:
        query = urlencode({**members, "state": self.state})
        return f"{self.redirect}{'&' if urlsplit(self.redirect).query else '?'}{query}"


def read(world: World, query: Mapping[str, str]) -> Authorization:
    """The request, checked whole. Raises AwsError: Refused 400."""
    client_id = query.get("client_id", "")
    client = clients.find(world, client_id) or applications.as_client(world, client_id)
    if client is None:
        raise pkce.refused("the client is not registered here, or no longer")
    if not client.may_use(AUTHORIZATION_CODE):
        raise pkce.refused("the client did not register for the grant authorization_code")
    redirect = query.get("redirect_uri", "")
    if not client.takes_redirect(redirect):
        raise pkce.refused("the redirect_uri is not one that the client registered")
    if query.get("response_type") != "code":
        raise pkce.refused("response_type must be code")
    state, challenge = pkce.asked(query, "S256")
    scopes = tuple((query.get("scopes") or query.get("scope") or "").split())
    if not set(scopes) <= set(client.scopes):
        raise pkce.refused("scopes are asked that the client did not register")
    return Authorization(client, _instance(world, client), redirect, state, challenge, scopes or client.scopes)


def _instance(world: World, client: Client) -> Instance:
    """The instance of the start URL that the client registered with, or the only one."""
    known = directory.instances(world)
    instance = directory.instance_by_start_url(world, client.issuer)
    if instance is None and not client.issuer and len(known) == 1:
        instance = known[0]
    if instance is None:
        raise pkce.refused("no Identity Center of this world has the start URL that the client registered as issuerUrl")
    return instance
