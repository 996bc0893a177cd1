"""Sign-in by a passkey: the challenge WEB_AUTHN, and the proof that answers it."""

from __future__ import annotations

import json
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.accounts import passkeys
from sts_emulator.accounts.documents import Passkey
from sts_emulator.accounts.passkeys import NotProvenError, Party, Verification
from sts_emulator.core.errors import AwsError
from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import attempts, pools, progress
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, change_user, not_authorized
from sts_emulator.idp.user_pools.progress import Attempt, Strings
from sts_emulator.wire.dispatch import Result

CHALLENGE: Final = "WEB_AUTHN"


def party(world: World, pool: Pool, response: str = "") -> Party:
    """The pool's relying party, as it is on the page that made the response.

    Where none is set it is the host of the pool's pages: a domain of its own whole, as AWS wants it (Cognito user pools
    API reference, WebAuthnConfigurationType).

    A page speaks for it whose host is the party's or below it, over https or on this machine; AWS says that the origin
    has to align, and no more. Raises AwsError: WebAuthnConfigurationMissingException.
    """
    identifier = pool["settings"].get("WebAuthnConfiguration", {}).get("RelyingPartyId", "")
    if not identifier:
        identifier = pools.host_of(world, pool)
        if not identifier:
            raise AwsError(
                "WebAuthnConfigurationMissingException", "The user pool has no relying party ID, and no domain."
            )
    origin = passkeys.origin_of(response)
    known = (origin,) if _speaks_for(identifier, origin) else (f"https://{identifier}",)
    return Party(identifier, pool["name"], known)


def verification(pool: Pool) -> Verification:
    """Whether authenticators must know their person again."""
    if pools.passkeys_are_enough(pool["settings"]):
        return "required"
    wanted = pool["settings"].get("WebAuthnConfiguration", {}).get("UserVerification")
    return "required" if wanted == "required" else "preferred"


def known(pool: Pool, user: PoolUser) -> list[Passkey]:
    """The user's passkeys for the party that the pool has now."""
    wanted = pool["settings"].get("WebAuthnConfiguration", {}).get("RelyingPartyId", "")
    own = [own["passkey"] for own in user.get("passkeys", [])]
    return [passkey for passkey in own if passkey["party"] == wanted or not wanted]


def ask(attempt: Attempt, user: PoolUser) -> Result:
    """The challenge; its options are what browsers take."""
    world, pool = attempt.world, attempt.pool
    options = passkeys.to_prove(
        world, party(world, pool), _purpose(pool, user), known(pool, user), verification=verification(pool)
    )
    return progress.ask(attempt, user, CHALLENGE, {"CREDENTIAL_REQUEST_OPTIONS": json.dumps(options)})


async def answer(attempt: Attempt, user: PoolUser, given: Strings) -> Result:
    """What follows the proof. Raises AwsError: NotAuthorizedException; what is refused uses its challenge up, too."""
    world, pool = attempt.world, attempt.pool
    response, name = progress.demanded(given, "CREDENTIAL"), user["username"]
    attempts.check(world, pool, name)
    try:
        proven = passkeys.prove(
            world,
            party(world, pool, response),
            _purpose(pool, user),
            response,
            known(pool, user),
            verification=verification(pool),
        )
        with world.unit(lock=True):
            user = _used(attempt, progress.again(attempt, user), proven)
    except NotProvenError as why:
        attempt.ctx.evidence["refused"] = f"the passkey is refused: {why}"
        attempts.failed(world, pool, name)
        raise not_authorized() from None
    return await progress.proven(attempt, user, has_second_factor=pools.passkeys_are_enough(pool["settings"]))


def _used(attempt: Attempt, user: PoolUser, proven: Passkey) -> PoolUser:
    """The user with the passkey's new count. Raises NotProvenError: somebody was quicker with the same."""
    own = user.get("passkeys", [])
    if not any(passkeys.follows(kept["passkey"], proven) for kept in own):
        raise NotProvenError("credential", "its count is not above the last one")
    renewed = [
        {**kept, "passkey": proven} if kept["passkey"]["credential"] == proven["credential"] else kept for kept in own
    ]
    return change_user(attempt.world, attempt.pool, user, passkeys=renewed)


def _purpose(pool: Pool, user: PoolUser) -> str:
    return f"user-pool:prove:{pool['id']}/{user['sub']}"


def _speaks_for(identifier: str, origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        return False
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return is_safe and origin == f"{parts.scheme}://{parts.netloc}" and f".{host}".endswith(f".{identifier}")
