"""Access tokens of apps that act for nobody (client credentials): as of a sign-in, but for the client itself."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable
from typing import Any

from sts_emulator.core.world import World
from sts_emulator.idp import keys
from sts_emulator.idp.user_pools import clients, pools, tokens
from sts_emulator.idp.user_pools.kinds import Client, Pool


async def issue(world: World, pool: Pool, client: Client, scopes: Iterable[str], resource: str = "") -> dict[str, Any]:
    """An access token whose subject is the client (docs/aws/cognito.md, "Managed login")."""
    signers, now = await tokens.keys_of(world, pool), int(world.now())
    lifetime = clients.lifetime(client, "AccessToken")
    claims = {
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
    token = await asyncio.to_thread(keys.sign, signers["access"], tokens.ALGORITHM, claims, typ=None)
    return {"AccessToken": token, "ExpiresIn": lifetime, "TokenType": "Bearer"}
