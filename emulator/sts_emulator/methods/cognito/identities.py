"""Who somebody is in an identity pool: identities are found by their logins, linked with new ones, and merged.

Source: docs/aws/cognito.md, "Identity pools"; the developer guide, "Authentication flow".
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Sequence

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import IdentityPool, PoolIdentity
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.cognito.identity_pools import absent, unauthorized
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result

MISMATCH = "Logins don't match. Please include at least one valid login for this identity or identity pool."
NO_GUESTS = "Unauthenticated access is not supported for this identity pool."

Pair = tuple[str, str]
"""A provider and a subject."""


def find(world: World, identifier: str) -> PoolIdentity:
    """The identity with that id, unless it was merged away or nobody can reach it any more.

    Raises:
        AwsError: ResourceNotFoundException.
    """
    identity = world.find(documents.POOL_IDENTITY, identifier)
    if identity is None or identity["disabled"]:
        raise absent(f"Identity '{identifier}' not found.")
    return identity


def guest(ctx: Context, pool: IdentityPool, identity: PoolIdentity | None) -> PoolIdentity:
    """The identity of somebody without logins: a new one, or the one named, when it is a guest's.

    Raises:
        AwsError: NotAuthorizedException.
    """
    if identity is not None and identity["logins"]:
        why = "the identity has logins, and the request brings none"
        raise unauthorized(ctx, f"Access to Identity '{identity['id']}' is forbidden.", why)
    check_guests(ctx, pool)
    return identity or create(ctx.world, pool, [])


def check_guests(ctx: Context, pool: IdentityPool) -> None:
    """Refuse somebody without logins where the pool lets no guests in. Raises AwsError: NotAuthorizedException."""
    if not pool["settings"].get("AllowUnauthenticatedIdentities"):
        raise unauthorized(ctx, NO_GUESTS, "the pool's AllowUnauthenticatedIdentities is false")


def of_logins(ctx: Context, pool: IdentityPool, pairs: Sequence[Pair], named: PoolIdentity | None) -> PoolIdentity:
    """The identity that all these logins are of, made, linked or merged where that is not so yet.

    `named` is the one that the request names. A guest becomes whoever signs in.

    Raises:
        AwsError: NotAuthorizedException when the named one has other logins only; ResourceConflictException when
            two logins of one provider would come together.
    """
    if _is_settled(ctx.world, pool, pairs, named):
        return named or find(ctx.world, _owner(ctx.world, pool, pairs[0]))
    with ctx.world.unit(lock=True):
        ids = list(dict.fromkeys(owner for pair in pairs if (owner := _owner(ctx.world, pool, pair))))
        if named is not None and named["logins"] and named["id"] not in ids:
            raise unauthorized(ctx, MISMATCH, f"identity {named['id']} has other logins than the request brings")
        return _joined(ctx.world, pool, pairs, named, ids)


def _is_settled(world: World, pool: IdentityPool, pairs: Sequence[Pair], named: PoolIdentity | None) -> bool:
    """Whether all logins are of one identity already, the one named: so it is nearly always."""
    owners = {_owner(world, pool, pair) for pair in pairs}
    return len(owners) == 1 and (owners == {named["id"]} if named is not None else owners != {""})


def _joined(
    world: World, pool: IdentityPool, pairs: Sequence[Pair], named: PoolIdentity | None, ids: Sequence[str]
) -> PoolIdentity:
    """One identity with all the logins. A guest who signs in as somebody known becomes that one, and is no more."""
    if named is not None and (named["logins"] or not ids):
        kept = named["id"]
    else:
        kept = ids[0] if ids else create(world, pool, [])["id"]
    for other in dict.fromkeys([*ids, *([named["id"]] if named else [])]):
        if other != kept:
            merge(world, pool, other, kept)
    return link(world, pool, kept, pairs)


def create(world: World, pool: IdentityPool, pairs: Iterable[Pair], identifier: str = "") -> PoolIdentity:
    now = world.now()
    identity = PoolIdentity(
        id=identifier or f"{pool['region']}:{uuid.uuid4()}",
        pool=pool["id"],
        logins={},
        created=now,
        modified=now,
        disabled=False,
    )
    world.add(documents.POOL_IDENTITY, f"{pool['id']}/{identity['id']}", identity, uid=identity["id"])
    return link(world, pool, identity["id"], pairs) if pairs else identity


def link(world: World, pool: IdentityPool, identifier: str, pairs: Iterable[Pair]) -> PoolIdentity:
    """Give an identity these logins too. Only the developer's own provider may vouch for one under several names.

    Raises:
        AwsError: ResourceConflictException.
    """
    own = pool["settings"].get("DeveloperProviderName", "")

    def change(body: PoolIdentity) -> PoolIdentity:
        logins = {provider: list(subjects) for provider, subjects in body["logins"].items()}
        for provider, subject in pairs:
            subjects = logins.setdefault(provider, [])
            if subject not in subjects:
                subjects.append(subject)
            if len(subjects) > 1 and provider != own:
                # AWS's words are not recorded; the code is documented for two logins of one provider.
                message = f"The identity is linked to another login of {provider} already."
                raise AwsError("ResourceConflictException", message)
        return {**body, "logins": logins, "modified": world.now()}

    pairs = list(pairs)
    changed = world.update(documents.POOL_IDENTITY, f"{pool['id']}/{identifier}", change)
    for pair in pairs:
        world.put(documents.POOL_LOGIN, _login_key(pool, pair), documents.PoolLogin(identity=identifier))
    return changed


def merge(world: World, pool: IdentityPool, gone: str, kept: str) -> PoolIdentity:
    """Move the logins of one identity to another; the first is disabled, and its id known no more."""
    place = f"{pool['id']}/{gone}"
    moved = [(provider, subject) for provider, subjects in find(world, gone)["logins"].items() for subject in subjects]
    world.update(
        documents.POOL_IDENTITY, place, lambda body: {**body, "logins": {}, "disabled": True, "modified": world.now()}
    )
    return link(world, pool, kept, moved)


def unlink(world: World, pool: IdentityPool, identity: PoolIdentity, pairs: Iterable[Pair]) -> PoolIdentity:
    """Take logins away. Without the last one nobody reaches the identity any more: it does not become a guest's."""
    gone = set(pairs)
    for pair in gone:
        world.take(documents.POOL_LOGIN, _login_key(pool, pair))

    def change(body: PoolIdentity) -> PoolIdentity:
        left = {
            provider: [subject for subject in subjects if (provider, subject) not in gone]
            for provider, subjects in body["logins"].items()
        }
        logins = {provider: subjects for provider, subjects in left.items() if subjects}
        return {**body, "logins": logins, "disabled": not logins, "modified": world.now()}

    return world.update(documents.POOL_IDENTITY, f"{pool['id']}/{identity['id']}", change)


def delete(world: World, pool: IdentityPool, identity: PoolIdentity) -> None:
    for provider, subjects in identity["logins"].items():
        for subject in subjects:
            world.take(documents.POOL_LOGIN, _login_key(pool, (provider, subject)))
    world.take(documents.POOL_IDENTITY, f"{pool['id']}/{identity['id']}")


def of_login(world: World, pool: IdentityPool, pair: Pair) -> PoolIdentity | None:
    owner = _owner(world, pool, pair)
    return None if not owner else find(world, owner)


def shown(identity: PoolIdentity) -> Result:
    """The IdentityDescription structure."""
    return {
        "IdentityId": identity["id"],
        "Logins": list(identity["logins"]),
        "CreationDate": identity["created"],
        "LastModifiedDate": identity["modified"],
    }


def _owner(world: World, pool: IdentityPool, pair: Pair) -> str:
    login = world.get(documents.POOL_LOGIN, _login_key(pool, pair))
    return "" if login is None else login["identity"]


def _login_key(pool: IdentityPool, pair: Pair) -> str:
    digest = hashlib.sha256("\0".join(pair).encode()).hexdigest()
    return f"{pool['id']}/{digest}"
