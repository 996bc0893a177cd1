"""InboundFederation: what an identity provider says of a person, as the pool's function wants it to be mapped.

Source: Cognito's developer guide, "Inbound federation Lambda trigger"; docs/aws/cognito.md, "Triggers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.idp.user_pools.kinds import IdentityProvider
from sts_emulator.idp.user_pools.triggers import configuration, firing, responses
from sts_emulator.idp.user_pools.triggers.firing import Occasion


async def transformed(
    occasion: Occasion, provider: IdentityProvider, subject: str, claims: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The claims that are mapped: those that the function answers with, or all as they are where it answers none.

    The subject stays the one that was proven. Raises AwsError: `fire`.
    """
    member = "samlResponse" if provider["type"] == "SAML" else "idToken"
    request = {
        "providerName": provider["name"],
        "providerType": provider["type"],
        "attributes": {member: dict(claims)},
    }
    said = await firing.fire(
        occasion, f"{configuration.INBOUND}_ExternalProvider", subject, request, {"userAttributesToMap": {}}
    )
    return responses.table(said or {}, "userAttributesToMap") or claims
