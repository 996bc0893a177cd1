"""What an app asks of managed login: for whom, where the answer goes, for which scopes. Nothing unregistered passes.

Source: docs/aws/cognito.md, "Managed login". A mistake in who asks or where the answer goes is told to the person, on a
page; any other goes back to the app.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.kinds import CLIENT, POOL, Client, Pool
from sts_emulator.idp.user_pools.pools import DOMAIN, domain_of
from sts_emulator.pages import pkce, render
from sts_emulator.pages.guard import host_name
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire.http import Response

_PREFIXED = re.compile(r"([a-z0-9-]{1,63})\.auth(?:-fips)?\.[a-z0-9-]{1,30}\.amazoncognito\.com")
_KNOWN: Final = (
    *("client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge"),
    *("code_challenge_method", "identity_provider", "idp_identifier", "prompt", "login_hint", "lang", "resource"),
)
_LONGEST: Final = 2_048  # characters of a parameter. AWS publishes no number; this one is ours
_PROMPTS: Final = frozenset({"none", "login", "select_account", "consent"})
_RESOURCE = re.compile(r"(?:https://[^/\s#]+|http://localhost|(?!https?:)[a-z][a-z0-9+.-]*:/)[^\s#]*")
_MOST_ORIGINS: Final = 100
_URL_SIGNS: Final = "!#$%&'()*+,/:;=?@[]~"  # what a URL may have: all else is escaped for its header


class Sent(AwsError):  # noqa: N818 - an answer that goes elsewhere
    """A refusal that is the app's business: the browser goes to `location`."""

    __slots__ = ("location",)

    def __init__(self, code: str, message: str, location: str) -> None:
        super().__init__(code, message)
        self.location = location


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of a registered client; `given` are its parameters, which go along from page to page."""

    pool: Pool
    client: Client
    redirect: str
    kind: str  # `code` or `token`
    scopes: tuple[str, ...]
    state: str
    nonce: str
    challenge: str
    prompts: frozenset[str]
    resource: str
    given: Mapping[str, str]

    @property
    def query(self) -> str:
        return urlencode(self.given)

    def query_for(self, name: str) -> str:
        """The same, with who is about to sign in."""
        return urlencode({**self.given, "login_hint": name})

    def back(self, members: Mapping[str, str], *, fragment: bool = False) -> str:
        """Where the browser goes with these members and the state."""
        told = urlencode({**members, **({"state": self.state} if self.state else {})})
        place = escaped(self.redirect)
        return f"{place}{'#' if fragment else '&' if '?' in place else '?'}{told}"

    def refused(self, error: str, description: str = "") -> Sent:
        """A refusal that the app is told."""
        told = {"error_description": description} if description else {}
        return Sent(error, description or error, self.back({**told, "error": error}))

    def parameters(self) -> dict[str, str]:
        """For the event."""
        return {"client_id": self.client["id"], "redirect_uri": self.redirect, "scope": " ".join(self.scopes)}


def read(visit: Visit, given: Mapping[str, str]) -> Asked:
    """The request behind the parameters of a page.

    Raises:
        Sent: to the error page, or back to the app.
        AwsError: Refused, where nobody can be told but the person.
    """
    known = {name: given[name] for name in _KNOWN if given.get(name)}
    if any(len(value) > _LONGEST for value in known.values()):
        raise AwsError("Refused", "A parameter of this request is too long.", status=400)
    client, pool = client_at(visit, known.get("client_id", ""))
    redirect = _redirect(visit, client, known)
    asked = Asked(
        pool=pool,
        client=client,
        redirect=redirect,
        kind=known.get("response_type", ""),
        scopes=(),
        state=known.get("state", ""),
        nonce=known.get("nonce", ""),
        challenge=known.get("code_challenge", ""),
        prompts=frozenset(known.get("prompt", "").split()),
        resource=known.get("resource", ""),
        given={**known, "redirect_uri": redirect},
    )
    _check_flow(asked)
    method = known.get("code_challenge_method")
    if (method or asked.challenge) and (method != "S256" or not pkce.is_challenge(asked.challenge)):
        raise asked.refused("invalid_request")
    if not asked.prompts <= _PROMPTS or ("none" in asked.prompts and len(asked.prompts) > 1):
        raise asked.refused("invalid_request")
    if asked.resource and not is_resource(asked.resource):
        raise asked.refused("invalid_request")
    return replace(asked, scopes=_scopes(asked, known))


def client_at(visit: Visit, client_id: str) -> tuple[Client, Pool]:
    """The client of that id and its pool, whose domain this is. Raises Sent: to the error page."""
    client = visit.world.get(CLIENT, client_id)
    pool = visit.world.get(POOL, client["pool"]) if client else None
    if client is None or pool is None or pool_at(visit) not in (None, pool["id"]):
        raise error_page(visit, "invalid_request", client_id)
    if not domain_of(visit.world, pool):
        message = f"The user pool {pool['id']} has no domain, so managed login is off. CreateUserPoolDomain makes one."
        raise AwsError("Refused", message, status=400)
    return client, pool


def pool_at(visit: Visit) -> str | None:
    """The pool whose domain was asked, in transparent mode; None at the server's own address, where clients tell.

    Raises:
        AwsError: NotFound 404, nobody has that domain.
    """
    host = host_name(visit.request.headers.get("host", ""))
    match = _PREFIXED.fullmatch(host)
    domain = visit.world.get(DOMAIN, match[1] if match else host)
    if domain is None:
        if match:
            raise AwsError("NotFound", f"no user pool has the domain {match[1]}", status=404)
        return None
    return domain["pool"] if match or "certificate" in domain else None


def error_page(visit: Visit, error: str, client_id: str) -> Sent:
    """As AWS tells a person what it may not tell the app (docs/aws/cognito.md, "Managed login")."""
    told = urlencode({"error": error, "client_id": client_id[:128]})
    return Sent(error, f"An error was encountered with the requested page: {error}", f"{visit.root}/error?{told}")


def as_login(visit: Visit, error: AwsError) -> Response:
    """How refusals look: the browser goes where it is told, or a page says what was wrong."""
    if isinstance(error, Sent):
        return render.redirect(error.location)
    code = error.code if error.code not in ("Refused", "NotFound", "MethodNotAllowed", "MalformedRequest") else ""
    return show_error(visit, error.message, code, "", error.status or 400)


def show_error(visit: Visit, sentence: str, code: str, client: str, status: int = 400) -> Response:
    template = "managed_login/error.html"
    return render.page(template, visit.root, status=status, sentence=sentence, code=code, client=client)


def providers(client: Client) -> tuple[str, ...]:
    """By whom a client's users may be vouched for: `COGNITO` and names of identity providers."""
    return tuple(client["settings"].get("SupportedIdentityProviders") or ())


def may_use(client: Client, flow: str) -> bool:
    """Whether the client may have tokens by the OAuth flow `code`, `implicit` or `client_credentials`."""
    settings = client["settings"]
    return bool(settings.get("AllowedOAuthFlowsUserPoolClient")) and flow in (settings.get("AllowedOAuthFlows") or ())


def is_resource(text: str) -> bool:
    """Whether an access token may be for it: a URL, or an app's own scheme."""
    return len(text) <= _LONGEST and _RESOURCE.fullmatch(text) is not None


def escaped(url: str) -> str:
    """A registered URL as a header takes it."""
    return quote(url, safe=_URL_SIGNS)


def app_origins(world: World, member: str = "CallbackURLs") -> list[str]:
    """Where the apps of this world's clients are: a form on the way to one of them may lead there.

    `LogoutURLs`: where they are after a sign-out.
    """
    origins = {origin_of(url): None for client in world.page(CLIENT) for url in client["settings"].get(member) or ()}
    return [origin for origin in origins if origin][:_MOST_ORIGINS]


def origin_of(url: str) -> str:
    """A URL's origin as a content security policy takes it; a scheme for an app's own."""
    parts = urlsplit(url)
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", parts.scheme):
        return ""
    if parts.scheme not in ("http", "https"):
        return f"{parts.scheme}:"
    return f"{parts.scheme}://{parts.netloc}" if re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc) else ""


def _redirect(visit: Visit, client: Client, given: Mapping[str, str]) -> str:
    """One of the client's callback URLs, exactly; without one, the default of a client with but one provider."""
    settings = client["settings"]
    default = settings.get("DefaultRedirectURI", "") if len(providers(client)) == 1 else ""
    redirect = given.get("redirect_uri") or default
    if not redirect or redirect not in (settings.get("CallbackURLs") or ()):
        raise error_page(visit, "redirect_mismatch", client["id"])
    return str(redirect)


def _check_flow(asked: Asked) -> None:
    if asked.kind not in ("code", "token"):
        raise asked.refused("invalid_request")
    if not may_use(asked.client, "code" if asked.kind == "code" else "implicit"):
        raise asked.refused("unauthorized_client")
    if not providers(asked.client):
        message = f"The app client {asked.client['id']} has no identity provider: SupportedIdentityProviders is empty."
        raise AwsError("Refused", message, status=400)


def _scopes(asked: Asked, given: Mapping[str, str]) -> tuple[str, ...]:
    allowed = asked.client["settings"].get("AllowedOAuthScopes") or ()
    wanted = tuple(dict.fromkeys(given.get("scope", "").split())) or tuple(allowed)
    is_lone = {"email", "phone", "profile"} & set(wanted) and "openid" not in wanted
    if not wanted or not set(wanted) <= set(allowed) or is_lone:
        raise asked.refused("invalid_scope")
    return wanted
