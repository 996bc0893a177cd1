"""Pages `POOL/.well-known`: a user pool's public keys and its discovery document, at AWS's own paths."""

from __future__ import annotations

from sts_emulator.control_plane.reach import required
from sts_emulator.core import hosts
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import pools, tokens
from sts_emulator.idp.user_pools.kinds import POOL, Pool
from sts_emulator.pages import guard, render
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.wire.http import Response


@page("GET", "/{pool}/.well-known/jwks.json", foreign=True)
async def published_keys(visit: Visit, pool: str) -> Response:
    """Two keys: of ID tokens and of access tokens."""
    stored = await tokens.keys_of(visit.world, _pool(visit, pool))
    return _for_all(render.data(200, {"keys": tokens.public_keys(stored)}))


@page("GET", "/{pool}/.well-known/openid-configuration", foreign=True)
def discovery(visit: Visit, pool: str) -> Response:
    """The discovery document; where it was reached is where its keys are."""
    stored = _pool(visit, pool)
    told = {
        "id_token_signing_alg_values_supported": ["RS256"],
        "issuer": pools.issuer_url(stored),
        "jwks_uri": f"{visit.base_url}/{pool}/.well-known/jwks.json",
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
    }
    return _for_all(render.data(200, {**told, **_managed_login(visit, stored)}))


def _managed_login(visit: Visit, pool: Pool) -> JsonObject:
    """The endpoints of a pool with a domain: there, where AWS's own name was asked, else where this was."""
    host = pools.host_of(visit.world, pool)
    if not host:
        return {}
    base = visit.base_url
    if hosts.is_aws(guard.host_name(visit.request.headers.get("host", ""))):
        base = f"{visit.request.scheme}://{host}{visit.root}"
    return {
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "token_endpoint": f"{base}/oauth2/token",
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "userinfo_endpoint": f"{base}/oauth2/userInfo",
        "revocation_endpoint": f"{base}/oauth2/revoke",
        "end_session_endpoint": f"{base}/logout",
    }


def _for_all(response: Response) -> Response:
    """Public, so that a script of any site may read it, as apps in browsers do."""
    response.headers.append(("access-control-allow-origin", "*"))
    return response


def _pool(visit: Visit, identifier: str) -> Pool:
    missing = AwsError("ResourceNotFoundException", f"User pool {identifier} does not exist.", status=404)
    return required(visit.world.get(POOL, identifier), missing)
