"""What `aws login` brings to `/v1/authorize`, and the answers (docs/aws/console-sign-in.md, "AWS login")."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from sts_emulator.core.hosts import is_loopback
from sts_emulator.methods.console_login import logins, permission
from sts_emulator.methods.console_login.permission import CROSS_DEVICE, SAME_DEVICE
from sts_emulator.pages import pkce
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.vending.session import Session

MEMBERS: Final = (
    *("response_type", "client_id", "redirect_uri", "state"),
    *("code_challenge", "code_challenge_method", "scope"),
)
"""What of a query counts, and comes back with the answer's form."""

CONFIRMATION: Final = "/v1/sessions/confirmation"
_CALLBACK: Final = "/oauth/callback"
_LONGEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Authorization:
    """A tool wants to act for somebody who is signed in. `remote`: it runs elsewhere, and takes a pasted code."""

    client: str
    redirect: str
    state: str
    challenge: str

    @property
    def remote(self) -> bool:
        return self.client == CROSS_DEVICE

    def parameters(self) -> dict[str, str]:
        """What CloudTrail shows of the request."""
        return {
            "scope": "openid",
            "redirect_uri": self.redirect,
            "code_challenge_method": "SHA-256",
            "client_id": self.client,
        }

    def granted(self, ctx: Context, session: Session) -> dict[str, str]:
        """The code, as members of the answer. Raises AwsError where policies do not allow it."""
        permission.ask(ctx, session, self.client, permission.AUTHORIZE, {"signin:oauthredirecturi": self.redirect})
        code = logins.issue_code(ctx.world, session, self.client, self.redirect, self.challenge)
        return {"state": self.state, "code": code}

    def location(self, members: Mapping[str, str]) -> str:
        """Where the browser of a tool on the same machine goes."""
        return f"{self.redirect}?{urlencode(members)}"

    def denied(self) -> str:
        return self.location({"error": "access_denied", "state": self.state})


def pasted(members: Mapping[str, str]) -> str:
    """What a person pastes into a tool that runs elsewhere."""
    return base64.b64encode(urlencode(members).encode()).decode()


def read(visit: Visit, query: Mapping[str, str]) -> Authorization:
    """The request, checked whole. Raises AwsError: Refused 400."""
    client, redirect = query.get("client_id", ""), query.get("redirect_uri", "")
    if client not in (SAME_DEVICE, CROSS_DEVICE):
        raise pkce.refused("client_id is none that AWS Sign-In knows")
    own = _is_callback(redirect) if client == SAME_DEVICE else _is_confirmation(visit, redirect)
    if not own:
        raise pkce.refused("redirect_uri is not one of this client")
    if query.get("response_type") != "code" or query.get("scope", "openid") != "openid":
        raise pkce.refused("response_type must be code, and scope openid")
    state, challenge = pkce.asked(query, "SHA-256", "S256")
    return Authorization(client, redirect, state, challenge)


def _is_callback(uri: str) -> bool:
    """The tool itself, on the person's machine: any port, but one path."""
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.password)
    return plain and parts.scheme == "http" and is_loopback(host) and parts.path == _CALLBACK and len(uri) <= _LONGEST


def _is_confirmation(visit: Visit, uri: str) -> bool:
    """Our own page. The AWS CLI makes this address from that of its endpoint, and may leave out a world's path."""
    origin = visit.base_url.removesuffix(visit.root)
    return uri in (f"{visit.base_url}{CONFIRMATION}", f"{origin}{CONFIRMATION}")
