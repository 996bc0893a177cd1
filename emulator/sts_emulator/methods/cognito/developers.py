"""Identities that an app's own backend vouches for, and what the owner of a pool sees of its identities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool, PoolIdentity
from sts_emulator.control_plane.reach import own
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.cognito import identities, pool_tokens
from sts_emulator.methods.cognito.identity_pools import absent, invalid, permit, reach, rows
from sts_emulator.methods.cognito.logins import prove, vouched
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

DEFAULT_LIFETIME = 900
MOST_SHOWN = 60


@operation("cognito-identity", "GetOpenIdTokenForDeveloperIdentity")
async def get_open_id_token_for_developer_identity(
    ctx: Context,
    *,
    IdentityPoolId: str,
    Logins: Mapping[str, str],
    IdentityId: str = "",
    PrincipalTags: Mapping[str, str] | None = None,
    TokenDuration: int = DEFAULT_LIFETIME,
) -> Result:
    """A token for a user whom the caller vouches for, whom it makes known or links where that is asked."""
    pool = reach(ctx, "GetOpenIdTokenForDeveloperIdentity", IdentityPoolId)
    provider = _provider(pool)
    user = Logins.get(provider)
    if user is None:
        raise invalid(f"Please provide a login for the developer provider of the identity pool: {provider}")
    others = await prove(ctx, pool, {name: token for name, token in Logins.items() if name != provider})
    logins = [vouched(pool, provider, user), *others]
    pairs = [(login.provider, login.subject) for login in logins]
    identity = _vouched(ctx, pool, pairs, IdentityId)
    claims = pool_tokens.claims(
        pool, identity["id"], logins, ctx.world.now(), lifetime=TokenDuration, tags=PrincipalTags
    )
    return {"IdentityId": identity["id"], "Token": await pool_tokens.sign(ctx.world, claims, pool["region"])}


@operation("cognito-identity", "LookupDeveloperIdentity")
def lookup_developer_identity(
    ctx: Context,
    *,
    IdentityPoolId: str,
    IdentityId: str = "",
    DeveloperUserIdentifier: str = "",
    MaxResults: int = MOST_SHOWN,
    NextToken: str = "",
) -> Result:
    """The identity of a user whom the backend knows, or the users of an identity."""
    pool = reach(ctx, "LookupDeveloperIdentity", IdentityPoolId)
    provider = _provider(pool)
    if not IdentityId and not DeveloperUserIdentifier:
        raise invalid("Please provide an identity id or a developer user identifier.")
    identity = _of_pool(ctx, pool, IdentityId) if IdentityId else None
    if DeveloperUserIdentifier:
        owner = _user(ctx, pool, (provider, DeveloperUserIdentifier))
        if identity is not None and owner["id"] != identity["id"]:
            raise AwsError("ResourceConflictException", "The developer user is linked to another identity.")
        identity = owner
    assert identity is not None, "one of the two was given"
    # An identity has few users: all fit one page, so that no NextToken was ever given out.
    if NextToken:
        raise invalid("Invalid NextToken")
    users = identity["logins"].get(provider, [])[:MaxResults]
    return {"IdentityId": identity["id"], "DeveloperUserIdentifierList": users}


@operation("cognito-identity", "MergeDeveloperIdentities")
def merge_developer_identities(
    ctx: Context,
    *,
    SourceUserIdentifier: str,
    DestinationUserIdentifier: str,
    DeveloperProviderName: str,
    IdentityPoolId: str,
) -> Result:
    """Make two of the backend's users one identity: the destination's; the source's is disabled."""
    pool = reach(ctx, "MergeDeveloperIdentities", IdentityPoolId)
    _check_provider(pool, DeveloperProviderName)
    source, destination = (
        _user(ctx, pool, (DeveloperProviderName, user)) for user in (SourceUserIdentifier, DestinationUserIdentifier)
    )
    if source["id"] != destination["id"]:
        identities.merge(ctx.world, pool, source["id"], destination["id"])
    return {"IdentityId": destination["id"]}


@operation("cognito-identity", "UnlinkDeveloperIdentity")
def unlink_developer_identity(
    ctx: Context, *, IdentityId: str, IdentityPoolId: str, DeveloperProviderName: str, DeveloperUserIdentifier: str
) -> Result:
    pool = reach(ctx, "UnlinkDeveloperIdentity", IdentityPoolId)
    _check_provider(pool, DeveloperProviderName)
    identity = _of_pool(ctx, pool, IdentityId)
    if DeveloperUserIdentifier not in identity["logins"].get(DeveloperProviderName, ()):
        raise absent(f"Developer user '{DeveloperUserIdentifier}' not found.")
    identities.unlink(ctx.world, pool, identity, [(DeveloperProviderName, DeveloperUserIdentifier)])
    return {}


@operation("cognito-identity", "DescribeIdentity")
def describe_identity(ctx: Context, *, IdentityId: str) -> Result:
    """When an identity came about, and by which providers it signs in."""
    permit(ctx, "DescribeIdentity")
    identity = identities.find(ctx.world, IdentityId)
    _pool_of(ctx, identity)
    return identities.shown(identity)


@operation("cognito-identity", "ListIdentities")
def list_identities(
    ctx: Context, *, IdentityPoolId: str, MaxResults: int, NextToken: str = "", HideDisabled: bool = False
) -> Result:
    """The identities of a pool, disabled ones too unless they are to be hidden."""
    pool = reach(ctx, "ListIdentities", IdentityPoolId)
    listed, rest = rows(ctx, documents.POOL_IDENTITY, f"{pool['id']}/", NextToken, MaxResults)
    shown = [identities.shown(identity) for identity in listed if not (HideDisabled and identity["disabled"])]
    return {"IdentityPoolId": pool["id"], "Identities": shown, **rest}


@operation("cognito-identity", "DeleteIdentities")
def delete_identities(ctx: Context, *, IdentityIdsToDelete: Sequence[str]) -> Result:
    """Forget identities: who has their logins gets new ones. What is not there is deleted already."""
    permit(ctx, "DeleteIdentities")
    refused = []
    for identifier in IdentityIdsToDelete:
        identity = ctx.world.find(documents.POOL_IDENTITY, identifier)
        if identity is None:
            continue
        try:
            pool = _pool_of(ctx, identity)
        except AwsError:
            refused.append({"IdentityId": identifier, "ErrorCode": "AccessDenied"})
        else:
            identities.delete(ctx.world, pool, identity)
    return {"UnprocessedIdentityIds": refused}


def _vouched(ctx: Context, pool: IdentityPool, pairs: Sequence[identities.Pair], named: str) -> PoolIdentity:
    """The identity of a user whom the backend vouches for. One who is somebody else already cannot be the named one."""
    identity = _of_pool(ctx, pool, named) if named else None
    owner = identities.of_login(ctx.world, pool, pairs[0])
    if identity is None or owner is None or owner["id"] == identity["id"]:
        with ctx.world.unit(lock=True):
            if identity is not None and owner is None:
                return identities.link(ctx.world, pool, identity["id"], pairs)
            return identities.of_logins(ctx, pool, pairs, identity)
    message = f"Developer user '{pairs[0][1]}' is already registered with another identity."  # ours: not recorded
    raise AwsError("DeveloperUserAlreadyRegisteredException", message)


def _provider(pool: IdentityPool) -> str:
    name: str = pool["settings"].get("DeveloperProviderName", "")
    if not name:
        raise invalid("The identity pool has no developer provider name.")
    return name


def _check_provider(pool: IdentityPool, name: str) -> None:
    if name != _provider(pool):
        raise invalid(f"{name} is not the developer provider name of the identity pool.")


def _user(ctx: Context, pool: IdentityPool, pair: identities.Pair) -> PoolIdentity:
    identity = identities.of_login(ctx.world, pool, pair)
    if identity is None:
        raise absent(f"Developer user '{pair[1]}' not found.")
    return identity


def _of_pool(ctx: Context, pool: IdentityPool, identifier: str) -> PoolIdentity:
    identity = identities.find(ctx.world, identifier)
    if identity["pool"] != pool["id"]:
        raise absent(f"Identity '{identifier}' not found.")
    return identity


def _pool_of(ctx: Context, identity: PoolIdentity) -> IdentityPool:
    """The pool of an identity, when it is the caller's own."""
    pool = own(ctx, ctx.world.find(documents.IDENTITY_POOL, identity["pool"]))
    if pool is None:
        raise absent(f"Identity '{identity['id']}' not found.")
    return pool
