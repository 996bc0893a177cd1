"""Links between a pool's users and who they are at identity providers (docs/aws/cognito.md, "Federation")."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools.federation.pool_providers import provider_of
from sts_emulator.idp.user_pools.kinds import (
    LINK,
    USER,
    IdentityProvider,
    Link,
    Pool,
    PoolUser,
    change_user,
    invalid,
    reach,
    user_key,
    user_of,
)
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

SUBJECT: Final = "Cognito_Subject"
LOCAL: Final = "Cognito"
MOST: Final = 5


@operation("cognito-idp", "AdminLinkProviderForUser")
def admin_link_provider_for_user(
    ctx: Context, *, UserPoolId: str, DestinationUser: Mapping[str, str], SourceUser: Mapping[str, str]
) -> Result:
    """From now on somebody of an identity provider signs in as a user who is there."""
    pool = reach(ctx, UserPoolId)
    provider, attribute, value = _source(ctx, pool, SourceUser)
    place, named = DestinationUser.get("ProviderName", LOCAL), DestinationUser.get("ProviderAttributeValue", "")
    user = user_of(ctx.world, pool, named if place == LOCAL else username(place, named))
    if attribute == SUBJECT and ctx.world.get(USER, user_key(pool, username(provider["name"], value))) is not None:
        raise invalid(
            "Merging is not currently supported, provide a SourceUser that has not been linked to DestinationUser"
        )
    key = _key(pool, provider["name"], attribute, value)
    known = ctx.world.get(LINK, key)
    if known is not None and known["sub"] != user["sub"]:
        raise invalid("SourceUser is already linked to DestinationUser")
    held = [link for link in ctx.world.page(LINK, f"{pool['id']}/") if link["sub"] == user["sub"]]
    if known is None and len(held) >= MOST:
        raise AwsError("LimitExceededException", f"A user can have {MOST} linked identities at most.")
    ctx.world.put(LINK, key, Link(sub=user["sub"]))
    if attribute == SUBJECT:
        _note(ctx.world, pool, user, provider, value)
    return {}


@operation("cognito-idp", "AdminDisableProviderForUser")
def admin_disable_provider_for_user(ctx: Context, *, UserPoolId: str, User: Mapping[str, str]) -> Result:
    """Take a link away, or a local user's password."""
    pool = reach(ctx, UserPoolId)
    value = User.get("ProviderAttributeValue", "")
    if User.get("ProviderName") == LOCAL:
        local = user_of(ctx.world, pool, value)
        change_user(ctx.world, pool, local, verifier="", salt="")
        return {}
    provider, attribute, value = _source(ctx, pool, User)
    link = ctx.world.take(LINK, _key(pool, provider["name"], attribute, value))
    user = ctx.world.find(USER, f"{pool['id']}/{link['sub']}") if link else None
    if user is not None:
        kept = [
            known for known in identities(user) if (known["providerName"], known["userId"]) != (provider["name"], value)
        ]
        attributes = {**user["attributes"], "identities": json.dumps(kept)}
        if not kept:
            del attributes["identities"]
        change_user(ctx.world, pool, user, attributes=attributes)
        return {}
    change_user(ctx.world, pool, user_of(ctx.world, pool, username(provider["name"], value)), enabled=False)
    return {}


def username(provider: str, subject: str) -> str:
    """What a user of an identity provider is called in the pool."""
    return f"{provider}_{subject}"


def identities(user: PoolUser) -> list[dict[str, str]]:
    """Who a user is elsewhere."""
    known: list[dict[str, str]] = json.loads(user["attributes"].get("identities", "[]"))
    return known


def linked(
    world: World, pool: Pool, provider: IdentityProvider, subject: str, mapped: Mapping[str, str]
) -> PoolUser | None:
    """The user as whom somebody signs in by a link; one by an attribute becomes one by their subject."""
    places = [(SUBJECT, subject), *((name, mapped[name]) for name in sorted(mapped))]
    for attribute, value in places:
        link = world.get(LINK, _key(pool, provider["name"], attribute, value))
        user = world.find(USER, f"{pool['id']}/{link['sub']}") if link else None
        if user is None:
            continue
        if attribute != SUBJECT:
            world.take(LINK, _key(pool, provider["name"], attribute, value))
            world.put(LINK, _key(pool, provider["name"], SUBJECT, subject), Link(sub=user["sub"]))
        return _note(world, pool, user, provider, subject)
    return None


def identity(world: World, provider: IdentityProvider, subject: str, *, primary: bool) -> Result:
    """A member of the attribute `identities`."""
    return {
        "userId": subject,
        "providerName": provider["name"],
        "providerType": provider["type"],
        "issuer": None,
        "primary": primary,
        "dateCreated": int(world.now() * 1000),
    }


def _note(world: World, pool: Pool, user: PoolUser, provider: IdentityProvider, subject: str) -> PoolUser:
    known = identities(user)
    if any((entry["providerName"], entry["userId"]) == (provider["name"], subject) for entry in known):
        return user
    told = [*known, identity(world, provider, subject, primary=False)]
    return change_user(world, pool, user, attributes={**user["attributes"], "identities": json.dumps(told)})


def _source(ctx: Context, pool: Pool, given: Mapping[str, str]) -> tuple[IdentityProvider, str, str]:
    name, attribute = given.get("ProviderName", ""), given.get("ProviderAttributeName", "")
    value = given.get("ProviderAttributeValue", "")
    if not name or not attribute or not value or name == LOCAL:
        raise invalid("A user of an identity provider has ProviderName, ProviderAttributeName, ProviderAttributeValue.")
    provider = provider_of(ctx, pool, name)
    if attribute != SUBJECT and attribute not in provider["mapping"]:
        raise invalid(f"{attribute} is not mapped from the provider {name}.")
    return provider, attribute, value


def _key(pool: Pool, provider: str, attribute: str, value: str) -> str:
    return f"{pool['id']}/{provider}/{attribute}/{value}"
