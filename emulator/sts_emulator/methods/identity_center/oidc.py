"""sso-oidc: how a tool registers, starts a sign-in, and gets its tokens (docs/aws/identity-center.md, "OIDC service").

A person's yes or no comes in between: on a page (identity_center.start_pages) or from a script (approvers).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Unpack

from sts_emulator.accounts import directory
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center import clients, grants, portal_sessions
from sts_emulator.methods.identity_center.clients import AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN, Client
from sts_emulator.methods.identity_center.grants import ShownByTool
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.methods.identity_center.refusals import refused
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("sso-oidc", "RegisterClient")
def register_client(
    ctx: Context,
    *,
    clientName: str,
    clientType: str,
    scopes: list[str] | None = None,
    redirectUris: list[str] | None = None,
    grantTypes: list[str] | None = None,
    issuerUrl: str = "",
    entitledApplicationArn: str = "",
) -> Result:
    """A public client of a tool on a person's machine. `entitledApplicationArn` is taken and means nothing here."""
    del entitledApplicationArn
    if clientType != "public":
        raise refused("InvalidClientMetadataException", "Client type is invalid")
    registration = clients.checked(
        Client(
            name=clientName,
            scopes=tuple(scopes or ()),
            grants=tuple(grantTypes or ()),
            redirects=tuple(redirectUris or ()),
            issuer=issuerUrl,
            issued=int(ctx.world.now()),
        )
    )
    client_id, secret = clients.register(ctx.world, registration)
    return {
        "clientId": client_id,
        "clientSecret": secret,
        "clientIdIssuedAt": registration.issued,
        "clientSecretExpiresAt": registration.expires,
        "authorizationEndpoint": f"{ctx.base_url}/authorize",
        "tokenEndpoint": f"{ctx.base_url}/token",
    }


@operation("sso-oidc", "StartDeviceAuthorization")
def start_device_authorization(ctx: Context, *, clientId: str, clientSecret: str, startUrl: str) -> Result:
    client = clients.prove(ctx.world, clientId, clientSecret)
    if not client.may_use(DEVICE_CODE):
        raise refused("UnauthorizedClientException", "The client did not register for this grant type")
    instance = directory.instance_by_start_url(ctx.world, startUrl[:2_000])
    if instance is None:
        ctx.evidence["refused"] = f"no Identity Center of this world has the start URL {startUrl[:200]}"
        raise refused("InvalidRequestException", "Invalid start url provided")
    device_code, user_code = grants.start(ctx.world, client, instance)
    page = f"{ctx.base_url}/start/device"
    return {
        "deviceCode": device_code,
        "userCode": user_code,
        "verificationUri": page,
        "verificationUriComplete": f"{page}?user_code={user_code}",
        "expiresIn": grants.DEVICE_LIFETIME,
        "interval": grants.INTERVAL,
    }


@operation("sso-oidc", "CreateToken")
def create_token(
    ctx: Context, *, clientId: str, clientSecret: str, grantType: str, **shown: Unpack[ShownByTool]
) -> Result:
    """`shown` is what the grant takes; `scope` among it has no effect, as AWS's documentation says."""
    client = clients.prove(ctx.world, clientId, clientSecret)
    redeem = _GRANTS.get(grantType)
    if redeem is None:
        raise refused("UnsupportedGrantTypeException", "Unsupported grant type")
    if not client.may_use(grantType):
        raise refused("UnauthorizedClientException", "The client did not register for this grant type")
    session = redeem(ctx.world, client, shown)
    ctx.evidence.update(session.evidence, grant=grantType)
    return portal_sessions.tokens(ctx.world, session, client)


def _by_device_code(world: World, client: Client, shown: ShownByTool) -> PortalSession:
    if not shown.get("deviceCode"):
        raise refused("InvalidRequestException", "Device code is required for this grant type")
    return _living(world, grants.redeem_device(world, client, shown["deviceCode"]))


def _by_code(world: World, client: Client, shown: ShownByTool) -> PortalSession:
    return _living(world, grants.redeem_code(world, client, shown))


def _by_refresh_token(world: World, client: Client, shown: ShownByTool) -> PortalSession:
    session = portal_sessions.redeem(world, shown.get("refreshToken", ""), client.key)
    if session is None:  # recorded: docs/aws/identity-center.md, "OIDC service"
        raise refused("InvalidGrantException", "Invalid refresh token provided")
    return session


def _living(world: World, identifier: str) -> PortalSession:
    session = portal_sessions.find(world, identifier)
    if session is None:
        raise refused("InvalidGrantException", "The session of the person who approved is over")
    return session


_GRANTS: Final[Mapping[str, Callable[[World, Client, ShownByTool], PortalSession]]] = {
    DEVICE_CODE: _by_device_code,
    AUTHORIZATION_CODE: _by_code,
    REFRESH_TOKEN: _by_refresh_token,
}
