"""A response of a SAML provider becomes proven claims: for this pool, at this address, fresh and unused."""

from __future__ import annotations

import asyncio
import base64
from typing import Final

from sts_emulator.accounts import single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.iam.providers import saml_providers
from sts_emulator.idp.user_pools.federation import asking, saml_keys
from sts_emulator.idp.user_pools.kinds import IdentityProvider, Pool
from sts_emulator.idp.user_pools.managed_login.login_sessions import Vouched
from sts_emulator.methods.saml import service_provider
from sts_emulator.methods.saml.assertion_refusals import refused
from sts_emulator.methods.saml.claims import Claims
from sts_emulator.methods.saml.verify import Trusted

_LONGEST_SESSION: Final = 1_000  # characters of a session at a SAML provider, and of a NameID's format
_LONGEST_NAME: Final = 128  # characters of a user name in a pool
_SPENT: Final[Kind[Kept]] = Kind("spent-user-pool-assertion")


async def prove(world: World, pool: Pool, provider: IdentityProvider, text: str, place: str) -> Claims:
    """What a response says. Raises Refused: it proves nothing, or is for somebody else."""
    now, key = world.now(), ""
    if is_encrypted(provider):
        key = saml_keys.decryption(world, pool, provider["name"])["private_key"]
    known = trusted(pool, provider, now, key)
    claims = await asyncio.to_thread(service_provider.prove, known, text, asking.entity_of(pool), place, now)
    if len(claims.subject) + len(provider["name"]) >= _LONGEST_NAME:
        raise refused("the NameID is too long for a user to be called by")
    return claims


def is_encrypted(provider: IdentityProvider) -> bool:
    """Whether the provider has to encrypt its assertions: then no other is taken."""
    return provider["details"].get("EncryptedResponses") == "true"


def trusted(pool: Pool, provider: IdentityProvider, now: float, key: str = "") -> Trusted:
    """The provider as what verifies it wants it; with a private key its assertions have to be encrypted for that."""
    described = saml_providers.described(provider["details"]["MetadataFile"], int(now))
    return Trusted(
        arn=pool["arn"],
        account=pool["account"],
        name=provider["name"],
        issuers={
            entity: tuple(base64.b64decode(certificate) for certificate in certificates)
            for entity, certificates in described["issuers"].items()
        },
        keys=(key,) if key else (),
        encrypted_only=bool(key),
    )


def vouched(provider: IdentityProvider, claims: Claims) -> Vouched | None:
    """By what the provider is asked to sign the person out; None where it says more than a cookie holds."""
    told = Vouched(provider["name"], claims.subject, claims.subject_format, claims.session)
    return told if len(told.format) + len(told.session) <= _LONGEST_SESSION else None


def use(world: World, claims: Claims, number: str) -> None:
    """Use an assertion up. Raises Refused: it was used, or answers another question than `number` ("" for none)."""
    if claims.in_response_to != number:
        raise refused("the assertion answers a question that this browser did not ask")
    if not single_use.spend(world, _SPENT, claims.digest, int(claims.ends) + 1):
        raise refused("the assertion was used before")
