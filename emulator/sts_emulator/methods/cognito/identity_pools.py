"""Identity pools as they are stored: how one is found, who may touch it, and the refusals of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool
from sts_emulator.control_plane.listing import Listing
from sts_emulator.control_plane.reach import own, reached
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context, Keys

SERVICE = "cognito-identity"
MISCONFIGURED = "Invalid identity pool configuration. Check assigned IAM roles for this pool."


def arn_of(account: str, region: str, identifier: str) -> str:
    return f"arn:{names.PARTITION}:{SERVICE}:{region}:{account}:identitypool/{identifier}"


def key(pool: IdentityPool) -> str:
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
    pool = own(ctx, ctx.world.find(documents.IDENTITY_POOL, identifier))
    arn = arn_of(ctx.identity.account, ctx.region, identifier)
    return reached(ctx, f"{SERVICE}:{action}", arn, pool, absent(f"IdentityPool '{identifier}' not found."), keys)


def change(ctx: Context, pool: IdentityPool, members: Mapping[str, Any]) -> IdentityPool:
    """Replace members of a pool and return it as it then is."""
    return ctx.world.update(documents.IDENTITY_POOL, key(pool), lambda body: {**body, **members})  # type: ignore[typeddict-item]  # members of that shape


# -- refusals: all of the service's have status 400 ------------------------------------------------------------------


def absent(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message)


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


rows = Listing(60, lambda: invalid("Invalid NextToken")).rows


def unauthorized(ctx: Context, message: str, why: str = "") -> AwsError:
    """NotAuthorizedException; `why` goes to the event, where the message says little."""
    if why:
        ctx.evidence["refused"] = why
    return AwsError("NotAuthorizedException", message)


def misconfigured(ctx: Context, why: str) -> AwsError:
    """What AWS says of every pool whose role cannot be had, and no more; `why` goes to the event."""
    ctx.evidence["refused"] = why
    return AwsError("InvalidIdentityPoolConfigurationException", MISCONFIGURED)
