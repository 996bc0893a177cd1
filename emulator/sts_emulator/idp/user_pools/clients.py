"""App clients of a user pool: how long its tokens live, and which ways to sign in it lets through."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.idp.user_pools.kinds import (
    CLIENT,
    Client,
    Pool,
    Secret,
    invalid,
    not_authorized,
    page,
    reach,
    reach_client,
    unsupported,
)
from sts_emulator.idp.user_pools.managed_login import app_settings
from sts_emulator.idp.user_pools.pools import LETTERS, TERMS
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_HOUR, _DAY, _MONTH = 3600, 86_400, 30 * 86_400
_LIFETIMES: Final = {  # member, its unit where none is said, its default, and its limits in seconds
    "AccessToken": ("hours", _HOUR, 300, _DAY),
    "IdToken": ("hours", _HOUR, 300, _DAY),
    "RefreshToken": ("days", _MONTH, _HOUR, 3650 * _DAY),
}
_DEFAULT_FLOWS = ("ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH")
"""What a client lets through whose ExplicitAuthFlows nobody has said (botocore's model, CreateUserPoolClient)."""

_ABSENT: Final = ("AnalyticsConfiguration", "PublishSecretsInAWSSecretsManager")


@operation("cognito-idp", "CreateUserPoolClient")
def create_user_pool_client(
    ctx: Context,
    *,
    UserPoolId: str,
    ClientName: str,
    GenerateSecret: bool = False,
    ClientSecret: str = "",
    **settings: object,
) -> Result:
    """A client, with a secret if it is to have one."""
    pool = reach(ctx, UserPoolId)
    _check(pool, settings)
    app_settings.check(ctx.world, pool, settings, has_secret=GenerateSecret or bool(ClientSecret))
    now = ctx.world.now()
    generated = new_secret() if GenerateSecret else ""
    client = Client(
        id="".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(26)),
        pool=pool["id"],
        name=ClientName,
        secret=ClientSecret or generated,
        created=now,
        modified=now,
        settings=settings,
    )
    ctx.world.add(CLIENT, client["id"], client)
    return {"UserPoolClient": shown(client)}


@operation("cognito-idp", "DescribeUserPoolClient")
def describe_user_pool_client(ctx: Context, *, UserPoolId: str, ClientId: str) -> Result:
    """A client, its secret with it."""
    return {"UserPoolClient": shown(reach_client(ctx, UserPoolId, ClientId)[1])}


@operation("cognito-idp", "ListUserPoolClients")
def list_user_pool_clients(
    ctx: Context,
    *,
    UserPoolId: str,
    MaxResults: int | None = None,
    NextToken: str | None = None,
    ClientType: str = "REGULAR",
) -> Result:
    """The pool's clients; none has registered itself (`DCR`)."""
    reach(ctx, UserPoolId)
    is_wanted = ClientType == "REGULAR"
    clients = [client for client in ctx.world.page(CLIENT) if is_wanted and client["pool"] == UserPoolId]
    told = [{"ClientId": client["id"], "UserPoolId": UserPoolId, "ClientName": client["name"]} for client in clients]
    return page(ctx, "UserPoolClients", told, NextToken, MaxResults)


@operation("cognito-idp", "UpdateUserPoolClient")
def update_user_pool_client(
    ctx: Context, *, UserPoolId: str, ClientId: str, ClientName: str = "", **settings: object
) -> Result:
    """Replace what is set: what the call leaves out goes back to its default."""
    pool, client = reach_client(ctx, UserPoolId, ClientId)
    _check(pool, settings)
    app_settings.check(ctx.world, pool, settings, has_secret=bool(client["secret"]))
    changed: Client = {
        **client,
        "name": ClientName or client["name"],
        "settings": settings,
        "modified": ctx.world.now(),
    }
    ctx.world.put(CLIENT, ClientId, changed)
    return {"UserPoolClient": shown(changed)}


@operation("cognito-idp", "DeleteUserPoolClient")
def delete_user_pool_client(ctx: Context, *, UserPoolId: str, ClientId: str) -> Result:
    """Delete a client: its tokens are good no more for calls of this service."""
    reach_client(ctx, UserPoolId, ClientId)
    for key, terms in ctx.world.page_keys(TERMS, f"{UserPoolId}/"):
        if terms["client"] == ClientId:
            ctx.world.take(TERMS, key)
    ctx.world.take(CLIENT, ClientId)
    return {}


def new_secret() -> str:
    return "".join(secrets.choice(LETTERS.lower()) for _ in range(51))


def lifetime(settings: Mapping[str, Any], token: str) -> int:
    """Seconds for which an AccessToken, IdToken or RefreshToken of a client is good."""
    unit, default, _, _ = _LIFETIMES[token]
    given = settings.get(f"{token}Validity")
    unit = settings.get("TokenValidityUnits", {}).get(token, unit)
    return int(given) * _SECONDS[unit] if given else default


def allows(client: Client, flow: str) -> bool:
    """Whether the client lets an ALLOW_… flow through, under its new or its old name."""
    flows = client["settings"].get("ExplicitAuthFlows") or _DEFAULT_FLOWS
    if any(name.startswith("ALLOW_") for name in flows):
        return flow in flows
    old = {"ALLOW_ADMIN_USER_PASSWORD_AUTH": "ADMIN_NO_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH": "USER_PASSWORD_AUTH"}
    # The old names only add to SRP and refreshing, which clients of that time always had.
    return flow in ("ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH") or old.get(flow) in flows


def hides_users(client: Client) -> bool:
    """Whether a stranger may not learn who is a user. The API's default for new clients is LEGACY."""
    return bool(client["settings"].get("PreventUserExistenceErrors") == "ENABLED")


def rotates(client: Client) -> bool:
    return bool(client["settings"].get("RefreshTokenRotation", {}).get("Feature") == "ENABLED")


def is_revocable(client: Client) -> bool:
    return bool(client["settings"].get("EnableTokenRevocation", True))


def challenge_minutes(client: Client) -> int:
    return int(client["settings"].get("AuthSessionValidity", 3))


def check_secret_hash(client: Client, username: str, given: str | None) -> None:
    """Raises AwsError: NotAuthorizedException, where the client has a secret and the hash does not prove it."""
    if not client["secret"]:
        if given:  # AWS refuses it with this sentence too, of which docs/aws has no recording
            raise not_authorized(f"Client {client['id']} is not configured for secret but secret hash was received")
        return
    if not given:
        raise not_authorized(f"Client {client['id']} is configured with secret but SECRET_HASH was not received")
    hashes = [_hash(client, secret["value"], username) for secret in secrets_of(client)]
    if not any(hmac.compare_digest(known.encode(), given.encode()) for known in hashes):
        raise not_authorized(f"Unable to verify secret hash for client {client['id']}")


def secret_hash(client: Client, username: str) -> str | None:
    """What proves the client's secret for a name; None where it has none."""
    return _hash(client, client["secret"], username) if client["secret"] else None


def _hash(client: Client, secret: str, username: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), f"{username}{client['id']}".encode(), "sha256")).decode()


def check_secret(client: Client, given: str | None) -> None:
    """The same where the client sends its secret itself."""
    known = [secret["value"].encode() for secret in secrets_of(client)]
    if known and not any(hmac.compare_digest(secret, (given or "").encode()) for secret in known):
        raise not_authorized(f"Unable to verify secret for client {client['id']}")


def secrets_of(client: Client) -> list[Secret]:
    """The secrets that an app may use, none, one or two, the older first."""
    if not client["secret"]:
        return []
    first = Secret(value=client["secret"], created=client.get("secret_created", client["created"]))
    return [first, client["second"]] if "second" in client else [first]


def shown(client: Client) -> Result:
    told: dict[str, Any] = {
        "RefreshTokenValidity": 30,
        "TokenValidityUnits": {},
        "EnableTokenRevocation": True,
        "EnablePropagateAdditionalUserContextData": False,
        "AuthSessionValidity": 3,
        "ExplicitAuthFlows": list(_DEFAULT_FLOWS),
        "AllowedOAuthFlowsUserPoolClient": False,
        **client["settings"],
        "UserPoolId": client["pool"],
        "ClientName": client["name"],
        "ClientId": client["id"],
        "LastModifiedDate": client["modified"],
        "CreationDate": client["created"],
    }
    return {**told, "ClientSecret": client["secret"]} if client["secret"] else told


def _check(pool: Pool, settings: Mapping[str, Any]) -> None:
    for name in _ABSENT:
        if settings.get(name):
            raise unsupported(name)
    for token, (_, _, least, most) in _LIFETIMES.items():
        if not least <= lifetime(settings, token) <= most:
            raise invalid(f"Invalid range for token validity of {token}.")
    longest = max(lifetime(settings, "AccessToken"), lifetime(settings, "IdToken"))
    if lifetime(settings, "RefreshToken") < longest:
        raise invalid("Refresh token validity must not be shorter than that of the access and ID tokens.")
    _check_flows(settings)
    names = {attribute["Name"] for attribute in pool["schema"]}
    for member in ("ReadAttributes", "WriteAttributes"):
        if unknown := set(settings.get(member) or ()) - names:
            raise invalid(f"Invalid {member} specified while creating a client: {min(unknown)}")


def _check_flows(settings: Mapping[str, Any]) -> None:
    flows = settings.get("ExplicitAuthFlows") or ()
    if any(name.startswith("ALLOW_") for name in flows) and not all(name.startswith("ALLOW_") for name in flows):
        raise invalid("ExplicitAuthFlows cannot mix ALLOW_ flows with those of before.")
    if "ALLOW_CLIENT_TOKEN_AUTH" in flows and len(flows) > 1:
        raise invalid("ALLOW_CLIENT_TOKEN_AUTH cannot be used with other flows.")
    if settings.get("RefreshTokenRotation", {}).get("Feature") == "ENABLED" and "ALLOW_REFRESH_TOKEN_AUTH" in flows:
        raise invalid("ALLOW_REFRESH_TOKEN_AUTH cannot be used with refresh token rotation.")
