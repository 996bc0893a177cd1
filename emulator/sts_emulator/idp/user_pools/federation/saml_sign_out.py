"""Sign-out that reaches a SAML provider: the way there, and page `saml2/logout`, where its answer comes back.

The person is signed out of the pool before the provider is asked: its answer only says where to go on.
Source: docs/aws/cognito.md, "Federation".
"""

from __future__ import annotations

import asyncio
import os
from typing import Final
from urllib.parse import urlencode

from sts_emulator.accounts import single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.idp.user_pools.federation import asking, saml_answers, saml_keys
from sts_emulator.idp.user_pools.kinds import POOL, Pool
from sts_emulator.idp.user_pools.managed_login.authorization import as_login
from sts_emulator.idp.user_pools.managed_login.login_sessions import Vouched
from sts_emulator.methods.saml import service_provider
from sts_emulator.methods.saml.assertion_refusals import Refused
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response


class Leaving(Kept):
    """Where somebody goes whom a provider signs out."""

    pool: str  # its id
    provider: str
    then: str


PLACE: Final = "/saml2/logout"
_LEAVING: Final[Kind[Leaving]] = Kind("user-pool-saml-sign-out")
_LONGEST: Final = 100_000  # characters of a response


async def begin(visit: Visit, pool: Pool, vouched: Vouched | None, then: str) -> str:
    """Where the browser goes: to who vouched for the person, where the pool has them signed out there, else `then`."""
    provider = asking.named(visit.world, pool, vouched.provider) if vouched else None
    details = provider["details"] if provider else {}
    target = details.get("SLORedirectBindingURI", "")
    if vouched is None or not target or details.get("IDPSignout") != "true":
        return then
    number, now = f"_{os.urandom(20).hex()}", visit.world.now()
    leaving: Leaving = {
        "name": number,
        "until": int(now) + asking.LIFETIME,
        "pool": pool["id"],
        "provider": vouched.provider,
        "then": then,
    }
    single_use.keep(visit.world, _LEAVING, leaving)
    target = asking.whole(visit, target)
    name_id = (vouched.format, vouched.subject)
    request = service_provider.logout_request(asking.entity_of(pool), number, now, target, name_id, vouched.session)
    key = await saml_keys.signing(visit.world, pool)
    query = service_provider.signed({"SAMLRequest": request, "RelayState": number}, key["private_key"])
    return f"{target}{'&' if '?' in target else '?'}{urlencode(query)}"


@page("POST", PLACE, refusal=as_login, foreign=True)
async def signed_out(visit: Visit) -> Response:
    """The provider's LogoutResponse: on to where the person wanted to go."""
    fields, world = visit.posted, visit.world
    number, text = fields.get("RelayState", "")[:100], fields.get("SAMLResponse", "")
    if len(text) > _LONGEST:
        raise AwsError("Refused", "The response is too large.", status=400)
    leaving = single_use.take(world, _LEAVING, number) if number else None
    pool = world.get(POOL, leaving["pool"]) if leaving else None
    provider = asking.named(world, pool, leaving["provider"]) if leaving and pool else None
    if leaving is None or pool is None or provider is None:
        raise AwsError("Refused", "Nobody waits for this answer, or no longer. You are signed out here.", status=403)
    place, now = f"{visit.base_url}{PLACE}", world.now()
    with visit.attempt("cognito-idp", "SAML2Logout_POST") as attempt:
        evidence = attempt.ctx.evidence
        evidence.update(pool=pool["id"], provider=provider["name"])
        trusted = saml_answers.trusted(pool, provider, now)
        try:
            await asyncio.to_thread(service_provider.prove_sign_out, trusted, text, place, number, now)
        except Refused as no:
            evidence["refused"] = no.why
            told = f"The answer of {provider['name']} was not accepted. You are signed out here, and perhaps not there."
            raise AwsError("Refused", told, status=400) from None
    return render.redirect(leaving["then"])
