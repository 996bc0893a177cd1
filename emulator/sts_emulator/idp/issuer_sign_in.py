"""Pages `issuers/NAME/oauth2`: people of a lab issuer sign in for a user pool, as whomever the form says.

Only identity providers of this world's user pools are answered, at their own address and with their own secret.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from sts_emulator.accounts import single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp import issuer_pages
from sts_emulator.idp.oidc import issuer_of
from sts_emulator.idp.user_pools.kinds import IDENTITY_PROVIDER
from sts_emulator.idp.user_pools.managed_login.authorization import app_origins
from sts_emulator.pages import render
from sts_emulator.pages.refusals import as_page
from sts_emulator.pages.routes import page
from sts_emulator.pages.sessions import Cookie
from sts_emulator.pages.steps import Steps
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject, object_in
from sts_emulator.wire.http import Response


class Code(Kept):
    """What an authorization code stands for."""

    issuer: str
    client: str
    redirect: str
    claims: JsonObject


_STEPS: Final = Steps(Cookie("sts-emulator-issuer-visitor", "issuer-visitor", 3_600), "issuer-sign-in")
_CODE: Final[Kind[Code]] = Kind("issuer-code")
_LIFETIME: Final = 300
_LONGEST: Final = 4_096
_OURS: Final = frozenset({"iss", "aud", "azp", "nonce", "iat", "exp", "nbf", "sub"})


@page("GET", "/issuers/{name}/oauth2/authorize", refusal=as_page, mistakes=(ValueError,), foreign=True, trusted=True)
def sign_in_form(visit: Visit, name: str) -> Response:
    _check(visit, name, visit.query)
    return _form(visit, name)


@page("POST", "/issuers/{name}/oauth2/authorize", refusal=as_page, mistakes=(ValueError,), trusted=True)
def sign_in(visit: Visit, name: str) -> Response:
    """A code for whoever the form says, or none."""
    query, fields = visit.query, visit.posted
    _check(visit, name, query)
    _STEPS.check(visit)
    state = {"state": query["state"]} if "state" in query else {}
    if "deny" in fields:
        return render.redirect(f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', **state})}")
    try:
        claims = _claims(fields)
    except ValueError as bad:
        return _form(visit, name, AwsError("Refused", str(bad)))
    code = os.urandom(24).hex()
    kept: Code = {
        "name": code,
        "until": int(visit.world.now()) + _LIFETIME,
        "issuer": name,
        "client": query["client_id"],
        "redirect": query["redirect_uri"],
        "claims": {**claims, "aud": query["client_id"], "nonce": query.get("nonce")},
    }
    single_use.keep(visit.world, _CODE, kept)
    return render.redirect(f"{query['redirect_uri']}?{urlencode({'code': code, **state})}")


@page("POST", "/issuers/{name}/oauth2/token", mistakes=(ValueError,), foreign=True)
async def token(visit: Visit, name: str) -> Response:
    """An ID token for a code."""
    fields, world = visit.posted, visit.world
    code = single_use.take(world, _CODE, fields.get("code", "")[:100])
    known = _secrets(world, issuer_of(world, name)["url"]).get(fields.get("client_id", ""))
    if known is None or not hmac.compare_digest(known.encode(), fields.get("client_secret", "").encode()):
        return render.data(400, {"error": "invalid_client"})
    wanted = (name, fields.get("client_id"), fields.get("redirect_uri"))
    if code is None or (code["issuer"], code["client"], code["redirect"]) != wanted:
        return render.data(400, {"error": "invalid_grant"})
    signed, _ = await issuer_pages.minted(world, name, code["claims"])
    return render.data(200, {"id_token": signed, "token_type": "Bearer", "expires_in": 3600})


def _check(visit: Visit, name: str, query: Mapping[str, str]) -> None:
    """Raises ValueError: it is no user pool of this world that asks."""
    known = _secrets(visit.world, issuer_of(visit.world, name)["url"])
    if query.get("client_id", "") not in known:
        raise ValueError(f"no user pool has the client `{query.get('client_id', '')[:80]}` at this issuer")
    if query.get("redirect_uri") != f"{visit.base_url}/oauth2/idpresponse":
        raise ValueError("the redirect_uri is not that of a user pool of this world")
    if query.get("response_type") != "code":
        raise ValueError("response_type must be `code`")


def _secrets(world: World, url: str) -> dict[str, str]:
    """The clients that user pools have at an issuer, with their secrets."""
    from sts_emulator.idp.user_pools.federation.pool_providers import issuer_of as issuer_of_provider

    return {
        provider["details"].get("client_id", ""): provider["details"].get("client_secret", "")
        for provider in world.page(IDENTITY_PROVIDER)
        if issuer_of_provider(provider) == url
    }


def _claims(fields: Mapping[str, str]) -> JsonObject:
    subject, text = fields.get("subject", "").strip(), fields.get("claims", "").strip()
    if not 0 < len(subject) <= 255 or len(text) > _LONGEST:  # noqa: PLR2004 - OpenID Connect Core, 2: `sub`
        raise ValueError("say who you are, in 255 characters at most, and keep the claims short")
    given = object_in(text or "{}")
    if given is None:
        raise ValueError("the claims are no JSON object")
    if taken := sorted(_OURS & given.keys()):
        raise ValueError(f"`{taken[0]}` is what the issuer says itself")
    return {**given, "sub": subject}


def _form(visit: Visit, name: str, refusal: AwsError | None = None) -> Response:
    fields = visit.posted if refusal else {"subject": visit.query.get("login_hint", "")}
    return _STEPS.ask(
        visit,
        "issuer_sign_in.html",
        refusal,
        posts_to=app_origins(visit.world),
        name=name,
        query=visit.request.query,
        subject=fields.get("subject", "")[:255],
        claims=fields.get("claims", "")[:_LONGEST],
    )
