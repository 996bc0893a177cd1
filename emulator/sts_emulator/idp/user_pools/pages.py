"""Pages `POOL/.well-known`: a user pool's public keys and its discovery document, at AWS's own paths."""

from __future__ import annotations

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import pools, tokens
from sts_emulator.idp.user_pools.kinds import POOL, Pool
from sts_emulator.pages import render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import Response


@page("GET", "/{pool}/.well-known/jwks.json")
async def published_keys(visit: Visit, pool: str) -> Response:
    """Two keys: of ID tokens and of access tokens."""
    stored = await tokens.keys_of(visit.world, _pool(visit, pool))
    return render.data(200, {"keys": tokens.public_keys(stored)})


@page("GET", "/{pool}/.well-known/openid-configuration")
def discovery(visit: Visit, pool: str) -> Response:
    """The discovery document; where it was reached is where its keys are."""
    issuer = pools.issuer_url(_pool(visit, pool))
    return render.data(
        200,
        {
            "id_token_signing_alg_values_supported": ["RS256"],
            "issuer": issuer,
            "jwks_uri": f"{visit.base_url}/{pool}/.well-known/jwks.json",
            "response_types_supported": ["code", "token"],
            "scopes_supported": ["openid", "email", "phone", "profile"],
            "subject_types_supported": ["public"],
        },
    )


def _pool(visit: Visit, identifier: str) -> Pool:
    pool = visit.world.get(POOL, identifier)
    if pool is None:
        raise AwsError("ResourceNotFoundException", f"User pool {identifier} does not exist.", status=404)
    return pool
