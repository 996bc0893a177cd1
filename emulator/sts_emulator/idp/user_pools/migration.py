"""UserMigration: somebody whom the pool does not know, and its function does, becomes a user as they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import attributes, clients, passwords, pool_users
from sts_emulator.idp.user_pools.kinds import Client, PoolUser, find_user, not_authorized, save_user
from sts_emulator.idp.user_pools.triggers import firing, responses
from sts_emulator.idp.user_pools.triggers.firing import Occasion

_ANSWER = (
    *("userAttributes", "forceAliasCreation", "enableSMSMFA", "finalUserStatus", "messageAction"),
    "desiredDeliveryMediums",
)
_STATUSES = ("CONFIRMED", "RESET_REQUIRED")


async def migrate(
    occasion: Occasion,
    client: Client,
    username: str,
    password: str | None,
    *,
    validation: Mapping[str, str] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> PoolUser | None:
    """The user that the pool's function knows by that name and password (None: it was forgotten), stored by now.

    None where the pool has no such function. Raises AwsError: `fire`; UserNotFoundException.
    """
    source = "UserMigration_ForgotPassword" if password is None else "UserMigration_Authentication"
    asked = {
        **({} if password is None else {"password": password}),
        "validationData": dict(validation) if validation else None,
        **firing.metadata(metadata),
    }
    said = await firing.fire(occasion, source, username, asked, dict.fromkeys(_ANSWER))
    if said is None:
        return None
    given = responses.strings(said, "userAttributes")
    status = responses.text(said, "finalUserStatus") or "CONFIRMED"
    if not given or status not in _STATUSES:
        raise responses.unusable()
    name = given.pop("username", "") or username  # the guide: the name of who came by an alias
    world, pool = occasion.ctx.world, occasion.pool
    try:
        attributes.check(pool, given)
        user = pool_users.new_user(world, pool, name, given, status)
        attributes.check_required(pool, user["attributes"])
        if password is not None:
            kept = await asyncio.to_thread(passwords.stored, pool, user["username"], password[:512])
            user = {**user, **kept}
        with world.unit(lock=True):
            known = find_user(world, pool, username)
            if known is not None:  # somebody was quicker
                return known
            return save_user(world, pool, user, force=responses.flag(said, "forceAliasCreation"))
    except AwsError as refusal:
        occasion.ctx.evidence["refused"] = f"UserMigration: {refusal.code}: {refusal.message}"
        if clients.hides_users(client):
            raise not_authorized() from None
        raise AwsError("UserNotFoundException", f"Exception migrating user in app client {client['id']}") from None
