"""The way to an identity provider: what is asked, for whom, and how its answer finds back to the browser that asked.

What was asked is a row, found by a number that travels as `state` or `RelayState`; a cookie says which a browser has.
"""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import urlencode

from sts_emulator.accounts import documents, single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.presets import PRESETS
from sts_emulator.idp.user_pools.federation import outside_providers, saml_keys
from sts_emulator.idp.user_pools.federation.pool_providers import identified, issuer_of
from sts_emulator.idp.user_pools.kinds import IDENTITY_PROVIDER, POOL, IdentityProvider, Pool
from sts_emulator.idp.user_pools.managed_login.authorization import Asked, pool_at
from sts_emulator.idp.user_pools.pools import host_of
from sts_emulator.methods.saml import service_provider
from sts_emulator.methods.saml.assertion_refusals import Refused
from sts_emulator.pages import render
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response


class Question(Kept):
    """What a provider was asked, for the request of an app."""

    pool: str  # its id
    provider: str
    given: dict[str, str]
    nonce: str


LIFETIME: Final = 600  # seconds for which an answer is waited for
OIDC_PLACE: Final = "/oauth2/idpresponse"
SAML_PLACE: Final = "/saml2/idpresponse"
_QUESTION: Final[Kind[Question]] = Kind("user-pool-federation")
_COOKIE: Final = Cookie("sts-emulator-federation", "user-pool-federation", LIFETIME)
_MOST: Final = 5  # questions of one browser at a time: tabs


def named(world: World, pool: Pool, name: str, identifier: str = "") -> IdentityProvider | None:
    """A provider of the pool by its name, or by one of its identifiers."""
    if name:
        return world.get(IDENTITY_PROVIDER, f"{pool['id']}/{name}")
    return identified(world, pool, identifier) if identifier else None


async def begin(visit: Visit, asked: Asked, provider: IdentityProvider) -> Response:
    """Send the browser to an identity provider. Raises Sent: nobody can answer, of this world or outside."""
    number, nonce = f"_{os.urandom(20).hex()}", os.urandom(16).hex()
    if provider["type"] == "SAML":
        target, query = await _to_saml(visit, asked, provider, number)
    else:
        target, query = await _to_oidc(visit, asked, provider, number, nonce)
    question: Question = {
        "name": number,
        "until": int(visit.world.now()) + LIFETIME,
        "pool": asked.pool["id"],
        "provider": provider["name"],
        "given": dict(asked.given),
        "nonce": nonce,
    }
    single_use.keep(visit.world, _QUESTION, question)
    numbers = ",".join([*_numbers(visit), number][-_MOST:])
    location = f"{target}{'&' if '?' in target else '?'}{urlencode(query)}"
    return render.redirect(location, [_COOKIE.give(visit, numbers.encode())])


def asks(visit: Visit) -> bool:
    """Whether this browser brings along that it asked."""
    return bool(_numbers(visit))


def take(visit: Visit, number: str) -> Question | None:
    """What was asked under a number, by this browser and not answered yet; used up by this."""
    if not number or number not in _numbers(visit):
        return None
    return single_use.take(visit.world, _QUESTION, number[:100])


def entity_of(pool: Pool) -> str:
    """As whom a pool asks SAML providers (docs/aws/cognito.md, "Federation")."""
    return f"urn:amazon:cognito:sp:{pool['id']}"


def whole(visit: Visit, place: str) -> str:
    """An address of a provider's metadata: a lab identity provider's is where this was asked."""
    return f"{visit.base_url}{place}" if place.startswith("/") else place


def home_of(world: World, provider: IdentityProvider) -> str:
    """Where the provider's own pages are in this world, below its address; "" for nobody of this world."""
    issuer = world.find(documents.ISSUER, issuer_of(provider)) if issuer_of(provider) else None
    if issuer is None:
        return ""
    if issuer.get("preset") in PRESETS:
        return f"/issuers/{issuer['name']}/oauth2"
    return "/oauth2" if issuer["name"].startswith("user-pool/") else ""


def address_of(visit: Visit, provider: IdentityProvider) -> str:
    """Where the provider's pages are: at the address that was asked, or at another pool's domain."""
    home = home_of(visit.world, provider)
    issuer = visit.world.find(documents.ISSUER, issuer_of(provider)) if home == "/oauth2" else None
    if issuer is None or pool_at(visit) is None:
        return f"{visit.base_url}{home}"
    pool = visit.world.get(POOL, issuer["name"].removeprefix("user-pool/"))
    host = host_of(visit.world, pool) if pool else ""
    return f"{visit.request.scheme}://{host}{visit.root}{home}"


def _numbers(visit: Visit) -> list[str]:
    carried = _COOKIE.read(visit)
    return carried.decode().split(",") if carried else []


async def _to_saml(visit: Visit, asked: Asked, provider: IdentityProvider, number: str) -> tuple[str, dict[str, str]]:
    details = provider["details"]
    target, place = whole(visit, details["SSORedirectBindingURI"]), f"{visit.base_url}{SAML_PLACE}"
    request = service_provider.authn_request(entity_of(asked.pool), place, number, visit.world.now(), target)
    query = {"SAMLRequest": request, "RelayState": number}
    if details.get("RequestSigningAlgorithm"):
        key = await saml_keys.signing(visit.world, asked.pool)
        query = service_provider.signed(query, key["private_key"])
    return target, query


async def _to_oidc(
    visit: Visit, asked: Asked, provider: IdentityProvider, number: str, nonce: str
) -> tuple[str, dict[str, str]]:
    if home_of(visit.world, provider):
        target = f"{address_of(visit, provider)}/authorize"
    else:
        try:
            known = await outside_providers.of(visit.server.settings, provider)
        except AwsError as why:
            raise asked.refused("invalid_request", why.message) from None
        target = known.addresses["authorize_url"]
    query = {
        "client_id": provider["details"]["client_id"],
        "redirect_uri": f"{visit.base_url}{OIDC_PLACE}",
        "response_type": "code",
        "scope": provider["details"].get("authorize_scopes") or "openid",
        "state": number,
        "nonce": nonce,
    }
    hints = {name: asked.given[name] for name in ("login_hint", "prompt") if name in asked.given}
    return target, {**query, **hints}


def refusal_of(error: AwsError, name: str) -> str:
    """What an app is told when a provider's answer is not taken; of a proof that is none the event log tells why."""
    return f"The answer of {name} was not accepted." if isinstance(error, Refused) else error.message
