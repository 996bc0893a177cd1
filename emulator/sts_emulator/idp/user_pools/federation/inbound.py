"""InboundFederation: what an identity provider says of a person, as the pool's function wants it to be mapped.

Source: Cognito's developer guide, "Inbound federation Lambda trigger"; docs/aws/cognito.md, "Triggers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.idp.user_pools.kinds import IdentityProvider
from sts_emulator.idp.user_pools.managed_login.login_sessions import Vouched
from sts_emulator.idp.user_pools.triggers import configuration, firing, responses
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Proof:
    """Who came, and what is said of them: `claims` are what is mapped, `parts` the provider's answers as they came.

    `vouched`: what a SAML provider calls them.
    """

    subject: str
    claims: Mapping[str, Any]
    parts: Mapping[str, Any]
    vouched: Vouched | None = None


async def transformed(occasion: Occasion, provider: IdentityProvider, proof: Proof) -> JsonObject:
    """The claims that are mapped: those that the function answers with, or all as they are where it answers none.

    The subject stays the one that was proven. Raises AwsError: `fire`.
    """
    request = {
        "providerName": provider["name"],
        "providerType": provider["type"],
        "attributes": dict(proof.parts),
    }
    source = f"{configuration.INBOUND}_ExternalProvider"
    said = await firing.fire(occasion, source, proof.subject, request, {"userAttributesToMap": {}})
    return responses.table(said or {}, "userAttributesToMap") or proof.claims
