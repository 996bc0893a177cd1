"""Registered clients. A client id is the registration, sealed: nothing is stored, and no other world knows it."""

from __future__ import annotations

import hmac
import json
import re
from dataclasses import asdict
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.credentials import seal, unseal

LIFETIME: Final = 90 * 86_400
ACCOUNT_ACCESS: Final = "sso:account:access"
READ_ROLES: Final = "account_access:read_only"
ASSUME_ROLES: Final = "account_access:assume"
CHECKED: Final = (ACCOUNT_ACCESS, READ_ROLES, ASSUME_ROLES)
"""The scopes that somebody here asks for: the portal the first, the account access manager the others."""

DEVICE_CODE: Final = "urn:ietf:params:oauth:grant-type:device_code"
AUTHORIZATION_CODE: Final = "authorization_code"
REFRESH_TOKEN: Final = "refresh_token"  # noqa: S105 - the name of a grant

_GRANTS: Final = (DEVICE_CODE, AUTHORIZATION_CODE, REFRESH_TOKEN)
_SCOPE: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}(:[A-Za-z0-9_.-]{1,64}){0,4}")
_MOST: Final = 20  # scopes or redirections: AWS publishes no number
_LONGEST: Final = 1_000  # characters of a name or address, likewise
_PURPOSE: Final = "identity-center-client"
_SECRET: Final = "identity-center-client-secret"  # noqa: S105 - what it is sealed for


@dataclass(frozen=True, slots=True)
class Client:
    """A tool that signs people in. Without `grants` it said none: then it may use device codes."""

    name: str
    scopes: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    redirects: tuple[str, ...] = ()
    issuer: str = ""
    issued: int = 0
    key: str = ""
    """What codes and tokens that are made for it name it by."""
    application: str = ""
    """The ARN of the application that it is, which nobody registers here (identity_center.applications)."""

    @property
    def expires(self) -> int:
        return self.issued + LIFETIME

    def may_use(self, grant: str) -> bool:
        """Whether it registered for a grant; who said none gets what device codes lead to."""
        return grant in self.grants if self.grants else grant != AUTHORIZATION_CODE

    @property
    def is_refreshable(self) -> bool:
        """Who asks no scope is of the old kind: eight hours, and no refresh token.

        Source: docs/aws/identity-center.md, "Recorded in 2026".
        """
        return not set(CHECKED).isdisjoint(self.scopes) and self.may_use(REFRESH_TOKEN)

    def takes_redirect(self, uri: str) -> bool:
        """Whether the browser may be sent to `uri`: as registered, but for the port, which a tool is free to choose.

        Source: docs/aws/identity-center.md, "Clients".
        """
        if self.application:
            return uri in self.redirects
        return is_redirect(uri) and _without_port(uri) in [_without_port(redirect) for redirect in self.redirects]


def checked(client: Client) -> Client:
    """A registration that AWS would take. Raises AwsError."""
    if len(client.name) > _LONGEST or len(client.issuer) > _LONGEST:
        raise refused("InvalidClientMetadataException", "Invalid client metadata")
    if unknown := [grant for grant in client.grants if grant not in _GRANTS]:
        raise refused("UnsupportedGrantTypeException", f"Unsupported grant type {unknown[0][:100]}")
    if len(client.scopes) > _MOST or not all(_SCOPE.fullmatch(scope) for scope in client.scopes):
        raise refused("InvalidScopeException", "Invalid scope")
    if len(client.redirects) > _MOST or not all(is_redirect(uri) for uri in client.redirects):
        raise refused("InvalidRedirectUriException", "Invalid redirect uri")
    if AUTHORIZATION_CODE in client.grants and not client.redirects:
        raise refused("InvalidRedirectUriException", "Redirect uris are required for the authorization_code grant")
    return client


def register(world: World, client: Client) -> tuple[str, str]:
    """The id and secret of a client."""
    body = json.dumps(asdict(client), separators=(",", ":")).encode()
    client_id = seal_until(world, _PURPOSE, body, client.expires)
    return client_id, seal(world, _SECRET, _key(client_id).encode())


def find(world: World, client_id: str) -> Client | None:
    """The client of that id, unless its registration is over."""
    body = open_sealed(world, _PURPOSE, client_id)
    if body is None:
        return None
    known = json.loads(body)
    lists = {name: tuple(known[name]) for name in ("scopes", "grants", "redirects")}
    return Client(**{**known, **lists, "key": _key(client_id)})


def prove(world: World, client_id: str, secret: str) -> Client:
    """The client that knows its secret. Raises AwsError: InvalidClientException 401."""
    client = find(world, client_id)
    own = unseal(world, _SECRET, secret)
    if client is None or own is None or not hmac.compare_digest(own, client.key.encode()):
        raise refused("InvalidClientException", "Invalid client provided")
    return client


def is_redirect(uri: str) -> bool:
    """Whether a public client may have the browser sent there: to itself, on the person's own machine."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    own = parts.scheme == "http" and is_loopback(host) and not parts.username and parts.password is None
    return own and not parts.fragment and len(uri) <= _LONGEST and uri.isascii() and uri.isprintable()


def _key(client_id: str) -> str:
    return client_id[-32:]


def _without_port(uri: str) -> tuple[str, str, str, str]:
    parts = urlsplit(uri)
    return parts.scheme, parts.hostname or "", parts.path, parts.query
