"""Access tokens of apps that act for nobody (client credentials): as of a sign-in, but for the client itself."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sts_emulator.idp import keys
from sts_emulator.idp.user_pools import claim_overrides, clients, pools, tokens
from sts_emulator.idp.user_pools.claim_overrides import Membership
from sts_emulator.idp.user_pools.kinds import Client, Pool
from sts_emulator.idp.user_pools.managed_login.app_settings import SYSTEM_SCOPES
from sts_emulator.idp.user_pools.triggers.firing import Occasion
from sts_emulator.vending.context import Context

_SOURCE: Final = "TokenGeneration_ClientCredentials"


def scopes_of(client: Client, requested: Iterable[str]) -> list[str]:
    """The scopes that are requested, or all of the client's for itself; none, where one is not among those."""
    allowed = client["settings"].get("AllowedOAuthScopes") or ()
    custom = [scope for scope in allowed if scope not in SYSTEM_SCOPES]
    wanted = list(dict.fromkeys(requested)) or custom
    return wanted if set(wanted) <= set(custom) else []


async def issue(
    ctx: Context,
    pool: Pool,
    client: Client,
    scopes: Iterable[str],
    *,
    resource: str = "",
    metadata: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An access token whose subject is the client (docs/aws/cognito.md, "Managed login").

    Raises:
        AwsError: the pool's function refuses.
    """
    world, occasion, scopes = ctx.world, Occasion(ctx, pool, client["id"]), list(scopes)
    wanted = await claim_overrides.of(occasion, None, _SOURCE, Membership(), scopes, metadata)
    signers, now = await tokens.keys_of(world, pool), int(world.now())
    lifetime = clients.lifetime(client["settings"], "AccessToken")
    claims: dict[str, Any] = {
        "sub": client["id"],
        **({"aud": resource} if resource else {}),
        "token_use": "access",
        "scope": " ".join(scopes),
        "auth_time": now,
        "iss": pools.issuer_url(pool),
        "exp": now + lifetime,
        "iat": now,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": client["id"],
    }
    claims = wanted.in_access(claims)
    token = await asyncio.to_thread(keys.sign, signers["access"], tokens.ALGORITHM, claims, typ=None)
    return {"AccessToken": token, "ExpiresIn": lifetime, "TokenType": "Bearer"}
