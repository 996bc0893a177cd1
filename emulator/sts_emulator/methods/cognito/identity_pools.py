"""Identity pools as they are stored: how one is found, who may touch it, and the refusals of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool
from sts_emulator.accounts.kit import resource_tag_keys
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context, Keys
from sts_emulator.vending.credentials import seal, unseal

SERVICE = "cognito-identity"
MISCONFIGURED = "Invalid identity pool configuration. Check assigned IAM roles for this pool."


def arn_of(account: str, region: str, identifier: str) -> str:
    """The ARN of the pool with that id."""
    return f"arn:{names.PARTITION}:{SERVICE}:{region}:{account}:identitypool/{identifier}"


def key(pool: IdentityPool) -> str:
    """The key under which a pool is kept."""
    return f"{pool['account']}/{pool['region']}/{pool['id']}"


def find(world: World, identifier: str) -> IdentityPool:
    """The pool with that id, of whatever account: clients do not sign, so the id is all that they say.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    pool = world.find(documents.IDENTITY_POOL, identifier)
    if pool is None:
        raise absent(f"IdentityPool '{identifier}' not found.")
    return pool


def permit(ctx: Context, action: str, resource: str = "*", keys: Keys | None = None) -> None:
    """Let the signed call go on, or refuse it. `action` is without its service."""
    authorize(ctx, f"{SERVICE}:{action}", resource, keys)


def reach(ctx: Context, action: str, identifier: str, keys: Keys | None = None) -> IdentityPool:
    """The caller's own pool, once the caller may do `action` to it.

    Raises:
        AwsError: AccessDenied first, then ResourceNotFoundException: who may not do it learns nothing.
    """
    pool = ctx.world.find(documents.IDENTITY_POOL, identifier)
    if pool is None or (pool["account"], pool["region"]) != (ctx.identity.account, ctx.region):
        permit(ctx, action, arn_of(ctx.identity.account, ctx.region, identifier), keys)
        raise absent(f"IdentityPool '{identifier}' not found.")
    permit(ctx, action, pool["arn"], {**resource_tag_keys(pool), **(keys or {})})
    return pool


def change(ctx: Context, pool: IdentityPool, members: Mapping[str, Any]) -> IdentityPool:
    """Replace members of a pool and return it as it then is."""
    return ctx.world.update(documents.IDENTITY_POOL, key(pool), lambda body: {**body, **members})  # type: ignore[typeddict-item]  # members of that shape


def page(ctx: Context, kind: Any, prefix: str, size: int, token: str) -> tuple[list[Any], dict[str, str]]:
    """One page of documents by key, and the `NextToken` member where there is more.

    Raises:
        AwsError: InvalidParameterException for a token that no page of this list gave.
    """
    purpose, after = f"{SERVICE}:{kind}:{prefix}", ""
    if token:
        opened = unseal(ctx.world, purpose, token)
        if opened is None:
            raise invalid("Invalid NextToken")
        after = opened.decode()
    pairs = ctx.world.page_keys(kind, prefix, after, size + 1)
    rest = {"NextToken": seal(ctx.world, purpose, pairs[size - 1][0].encode())} if len(pairs) > size else {}
    return [body for _, body in pairs[:size]], rest


# -- refusals: all of the service's have status 400 ------------------------------------------------------------------


def absent(message: str) -> AwsError:
    """ResourceNotFoundException."""
    return AwsError("ResourceNotFoundException", message)


def invalid(message: str) -> AwsError:
    """InvalidParameterException."""
    return AwsError("InvalidParameterException", message)


def unauthorized(ctx: Context, message: str, why: str = "") -> AwsError:
    """NotAuthorizedException; `why` goes to the event, where the message says little."""
    if why:
        ctx.evidence["refused"] = why
    return AwsError("NotAuthorizedException", message)


def misconfigured(ctx: Context, why: str) -> AwsError:
    """What AWS says of every pool whose role cannot be had, and no more; `why` goes to the event."""
    ctx.evidence["refused"] = why
    return AwsError("InvalidIdentityPoolConfigurationException", MISCONFIGURED)
