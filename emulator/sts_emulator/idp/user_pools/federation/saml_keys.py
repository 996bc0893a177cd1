"""A user pool's own keys for SAML: one signs what it asks, and each provider has one to encrypt assertions for.

Source: docs/aws/cognito.md, "Federation". Unlike AWS's they are not renewed every year.
"""

from __future__ import annotations

import asyncio
from typing import Final, TypedDict

from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.identity_providers import certified_key
from sts_emulator.idp.user_pools import pools
from sts_emulator.idp.user_pools.kinds import Pool, reach
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


class SamlKey(TypedDict):
    """A private key as PEM, and its certificate as base64 of DER."""

    private_key: str
    certificate: str


SAML_KEY: Final[Kind[SamlKey]] = pools.SAML_KEY
SIGNING: Final = "signing"


@operation("cognito-idp", "GetSigningCertificate")
async def get_signing_certificate(ctx: Context, *, UserPoolId: str) -> Result:
    """With what a SAML provider verifies what the pool asks."""
    return {"Certificate": (await signing(ctx.world, reach(ctx, UserPoolId)))["certificate"]}


async def signing(world: World, pool: Pool) -> SamlKey:
    """The key that signs, made when first needed."""
    place = f"{pool['id']}/{SIGNING}"
    stored = world.get(SAML_KEY, place)
    return stored or _kept(world, place, await asyncio.to_thread(_made, pool, SIGNING, world.now()))


def decryption(world: World, pool: Pool, provider: str) -> SamlKey:
    """The key for what a provider encrypts, made with the provider: nothing may wait then, for scenarios have some."""
    place = _encryption(pool, provider)
    return world.get(SAML_KEY, place) or _kept(world, place, _made(pool, "encryption", world.now()))


def forget(world: World, pool: Pool, provider: str) -> None:
    """When a provider goes: one that comes under its name has a key of its own."""
    world.take(SAML_KEY, _encryption(pool, provider))


def _encryption(pool: Pool, provider: str) -> str:
    return f"{pool['id']}/encryption/{provider}"


def _made(pool: Pool, use: str, now: float) -> SamlKey:
    made = certified_key(f"{pool['id']} {use}", now)
    return SamlKey(private_key=made["private_key"], certificate=made["certificate"])


def _kept(world: World, place: str, made: SamlKey) -> SamlKey:
    """The key that is stored: another request may have been first, and then its key is the one."""
    with world.unit(lock=True):
        stored = world.get(SAML_KEY, place)
        if stored is None:
            world.add(SAML_KEY, place, made)
    return stored or made
