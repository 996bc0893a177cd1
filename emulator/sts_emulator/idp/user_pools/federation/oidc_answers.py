"""A code of an OIDC or social provider becomes proven claims: redeemed at the provider, its token checked by its keys.

A provider of this world is asked as anybody would: by its pages, not behind their backs.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools.federation import asking, outside_providers
from sts_emulator.idp.user_pools.federation.inbound import Proof
from sts_emulator.idp.user_pools.federation.pool_providers import issuer_of
from sts_emulator.idp.user_pools.kinds import IdentityProvider
from sts_emulator.methods.saml.assertion_refusals import Refused
from sts_emulator.methods.tokens import checks, issuer_keys, jwk, jwt
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, Provider
from sts_emulator.methods.tokens.jwk import KeySet
from sts_emulator.pages import answering
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.wire.http import Request, Response

_TOLERANCE: Final = 300  # seconds; AWS publishes no number; this one is STS's
_LONGEST_SUBJECT: Final = 128  # characters of a user name in a pool, with the provider's in front


async def prove(visit: Visit, ctx: Context, provider: IdentityProvider, code: str, nonce: str) -> Proof:
    """Who the person is whose code this is, and what the provider says of them.

    Raises:
        AwsError: IdpError, the provider refuses the code; Refused, its token proves nothing.
    """
    if asking.home_of(visit.world, provider):
        given = await _redeem(visit, provider, code)
        issuer = Provider(provider["name"], issuer_of(provider), issuer_of(provider))
        claims = _proven(provider, given.get("id_token", ""), lambda key: issuer_keys.known(ctx, issuer, key))
        subject = _subject(provider, _meant(visit, provider, claims, nonce))
        return Proof(subject, claims, {"tokenResponse": given, "idToken": claims})
    outside = await outside_providers.of(visit.server.settings, provider)
    given = await outside.redeem(code[:2_048], f"{visit.base_url}{asking.OIDC_PLACE}")
    if not issuer_of(provider):
        subject, said = await outside.subject(given.get("access_token"))
        return Proof(_subject(provider, {"sub": subject}), said, {"tokenResponse": given, "userInfo": said})
    keys = await outside.keys()
    claims = _meant(visit, provider, _proven(provider, given.get("id_token", ""), lambda _: keys), nonce)
    said = await outside.attributes(given.get("access_token"))
    if said and said.get("sub") != claims.get("sub"):  # OpenID Connect Core, 5.3.2
        raise _no("attributes_url tells of somebody else than the token")
    parts = {"tokenResponse": given, "idToken": claims, **({"userInfo": said} if said else {})}
    return Proof(_subject(provider, claims), {**said, **claims}, parts)


def _meant(visit: Visit, provider: IdentityProvider, claims: JsonObject, nonce: str) -> JsonObject:
    """The claims, once they are of now, for this client and the answer to this question. Raises Refused."""
    now = visit.world.now()
    try:
        times = checks.lifetime(claims)
    except ValueError:
        raise _no("a time that is none") from None
    if times.expires is None or times.expires + _TOLERANCE <= now or (times.issued or 0) > now + _TOLERANCE:
        raise _no("the token is over, or not good yet")
    details = provider["details"]
    audiences = checks.audiences(claims)
    if claims.get("iss") != issuer_of(provider) or details["client_id"] not in audiences:
        raise _no("the token is of another issuer, or for another client")
    if len(audiences) > 1 and claims.get("azp") != details["client_id"]:
        raise _no("the token is for several, and not meant for this client")
    if claims.get("nonce") != nonce:
        raise _no("the token answers another question: its nonce is not the one that was asked with")
    return claims


def _subject(provider: IdentityProvider, claims: JsonObject) -> str:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) < _LONGEST_SUBJECT - len(provider["name"]):
        raise _no("the provider names no subject that a user can be called by")
    return subject


async def _redeem(visit: Visit, provider: IdentityProvider, code: str) -> JsonObject:
    form = outside_providers.code_form(provider, code[:2_048], f"{visit.base_url}{asking.OIDC_PLACE}")
    path = f"{asking.home_of(visit.world, provider)}/token"
    host = urlsplit(asking.address_of(visit, provider)).netloc
    headers = {"host": host, "content-type": "application/x-www-form-urlencoded"}
    request = Request("POST", path, path, headers=headers, body=urlencode(form).encode(), scheme=visit.request.scheme)
    answer = answering.answer(visit.server, visit.world, request, visit.base_url)
    response = await answer if inspect.isawaitable(answer) else answer
    status = response.status if isinstance(response, Response) else 503  # a fault that the world holds for it
    if status != 200:  # noqa: PLR2004 - the one that has tokens
        raise AwsError("IdpError", f"{provider['name']} Error - {status} error getting token")
    given: Mapping[str, Any] = json.loads(response.body)
    return given


def _proven(provider: IdentityProvider, text: object, keys_of: Callable[[str | None], KeySet | None]) -> JsonObject:
    try:
        token = jwt.parse(text if isinstance(text, str) else "")
        keys = keys_of(token.key_id)
        verify = keys.verifier(token.key_id, token.algorithm) if keys and token.algorithm in jwk.ALGORITHMS else None
        if verify is None:
            raise _no("no key of the issuer fits the token")
        return token.claims(verify)
    except (jwt.NotAToken, jwt.BadSignature, KeysUnavailableError) as bad:
        raise _no(f"the token of {provider['name']} does not verify: {bad}") from None


def _no(why: str) -> AwsError:
    """What the app is not told: it stands in the event log, as of assertions."""
    return Refused("Refused", "The token was not accepted.", why)
