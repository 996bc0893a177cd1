"""Secrets of an app client: two at most, so that one can follow the other while apps use either.

Source: botocore's model (AddUserPoolClientSecret, ClientSecretDescriptorType).
"""

from __future__ import annotations

from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import clients
from sts_emulator.idp.user_pools.kinds import CLIENT, Client, Secret, invalid, not_found, reach_client
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

MOST: Final = 2


@operation("cognito-idp", "AddUserPoolClientSecret")
def add_user_pool_client_secret(ctx: Context, *, UserPoolId: str, ClientId: str, ClientSecret: str = "") -> Result:
    """A second secret, told now and never again; one that the caller brings is not told at all."""
    _, client = reach_client(ctx, UserPoolId, ClientId)
    known = clients.secrets_of(client)
    if not known:
        raise invalid(f"Client {ClientId} is not configured with a secret.")  # "an existing confidential client"
    if len(known) >= MOST:
        raise AwsError("LimitExceededException", f"Client {ClientId} already has {MOST} secrets.")
    value = ClientSecret or clients.new_secret()
    if value in {secret["value"] for secret in known}:
        raise invalid("The client has this secret already.")
    made = Secret(value=value, created=max(ctx.world.now(), known[-1]["created"] + 1))  # ids differ by their second
    _save(ctx.world, client, [*known, made])
    told = _shown(client, made)
    return {"ClientSecretDescriptor": told if ClientSecret else {**told, "ClientSecretValue": value}}


@operation("cognito-idp", "ListUserPoolClientSecrets")
def list_user_pool_client_secrets(
    ctx: Context, *, UserPoolId: str, ClientId: str, NextToken: str | None = None
) -> Result:
    """Which secrets there are, without what they are; there is only one page."""
    _, client = reach_client(ctx, UserPoolId, ClientId)
    if NextToken:
        raise invalid("Invalid pagination token")
    return {"ClientSecrets": [_shown(client, secret) for secret in clients.secrets_of(client)]}


@operation("cognito-idp", "DeleteUserPoolClientSecret")
def delete_user_pool_client_secret(ctx: Context, *, UserPoolId: str, ClientId: str, ClientSecretId: str) -> Result:
    """Delete one; the last stays."""
    _, client = reach_client(ctx, UserPoolId, ClientId)
    known = clients.secrets_of(client)
    kept = [secret for secret in known if _identifier(client, secret) != ClientSecretId]
    if len(kept) == len(known):
        raise not_found(f"Client secret {ClientSecretId} does not exist.")
    if not kept:
        raise invalid("The last secret of a client cannot be deleted.")
    _save(ctx.world, client, kept)
    return {}


def _save(world: World, client: Client, secrets: list[Secret]) -> None:
    changed: Client = {
        **client,
        "secret": secrets[0]["value"],
        "secret_created": secrets[0]["created"],
        "modified": world.now(),
    }
    changed.pop("second", None)
    if len(secrets) > 1:
        changed["second"] = secrets[1]
    world.put(CLIENT, client["id"], changed)


def _identifier(client: Client, secret: Secret) -> str:
    return f"{client['id']}--{int(secret['created'])}"


def _shown(client: Client, secret: Secret) -> Result:
    return {"ClientSecretId": _identifier(client, secret), "ClientSecretCreateDate": secret["created"]}
