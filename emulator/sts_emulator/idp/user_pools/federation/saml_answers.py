"""A response of a SAML provider becomes proven claims: for this pool, at this address, fresh and unused."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Final

from sts_emulator.accounts import single_use
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.iam.providers import saml_providers
from sts_emulator.idp.user_pools.federation import asking
from sts_emulator.idp.user_pools.kinds import IdentityProvider, Pool
from sts_emulator.methods.saml import service_provider
from sts_emulator.methods.saml.assertion_refusals import refused
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.verify import Trusted

_SPENT: Final[Kind[Any]] = Kind("spent-user-pool-assertion")


def prove(pool: Pool, provider: IdentityProvider, text: str, place: str, now: float) -> Claims:
    """What a response says; pure, so that it may run in a thread.

    Raises:
        Refused: it proves nothing, or is for somebody else.
    """
    described = saml_providers.described(provider["details"]["MetadataFile"], int(now))
    trusted = Trusted(
        arn=pool["arn"],
        account=pool["account"],
        name=provider["name"],
        issuers={
            entity: tuple(base64.b64decode(certificate) for certificate in certificates)
            for entity, certificates in described["issuers"].items()
        },
    )
    return service_provider.prove(trusted, text, asking.entity_of(pool), place, now)


def use(world: World, claims: Claims, number: str) -> None:
    """Use an assertion up. Raises Refused: it was used, or answers another question than `number` ("" for none)."""
    if claims.in_response_to != number:
        raise refused("the assertion answers a question that this browser did not ask")
    digest = hashlib.sha256(f"{claims.issuer}\0{claims.id}".encode()).hexdigest()
    if not single_use.spend(world, _SPENT, digest, int(claims.ends) + 1):
        raise refused("the assertion was used before")
