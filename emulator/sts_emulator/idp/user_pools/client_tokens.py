"""GetClientToken: an access token of an app for itself, by the API instead of the token endpoint.

Source: botocore's model (GetClientToken).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sts_emulator.idp.user_pools import clients, machine_tokens
from sts_emulator.idp.user_pools.kinds import client_of, invalid, not_authorized, pool_of
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

FLOW: Final = "ALLOW_CLIENT_TOKEN_AUTH"


@operation("cognito-idp", "GetClientToken")
async def get_client_token(
    ctx: Context,
    *,
    ClientId: str,
    Secret: str,
    Scopes: Iterable[str] | None = None,
    ClientMetadata: Mapping[str, str] | None = None,
) -> Result:
    """For the client's secret a token of its scopes, or of some of them."""
    client = client_of(ctx.world, ClientId)
    if not client["secret"]:
        raise not_authorized(f"Client {ClientId} is not configured with a secret.")
    clients.check_secret(client, Secret)
    if FLOW not in (client["settings"].get("ExplicitAuthFlows") or ()):
        raise not_authorized("CLIENT_TOKEN_AUTH is not enabled for this client.")
    wanted = machine_tokens.scopes_of(client, Scopes or ())
    if not wanted:
        raise invalid("Invalid scopes requested.")
    pool = pool_of(ctx.world, client)
    made = await machine_tokens.issue(ctx, pool, client, wanted, metadata=ClientMetadata)
    return {"ClientAuthenticationResult": made}
