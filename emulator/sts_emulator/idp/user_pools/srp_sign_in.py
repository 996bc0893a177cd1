"""Sign-in by the Secure Remote Password protocol: the offer, and the proof that answers it.

Source: docs/aws/cognito.md, "Sign-in to user pools", SRP.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from datetime import datetime
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import attempts, challenges, devices, passwords, progress, srp
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser, find_user, invalid, not_authorized
from sts_emulator.idp.user_pools.progress import Attempt, Strings
from sts_emulator.wire.dispatch import Result

VERIFIER: Final = "PASSWORD_VERIFIER"

_TIMESTAMP = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [1-9][0-9]? [0-9]{2}:[0-9]{2}:[0-9]{2} UTC [0-9]{4}")


def check_public(given: Strings) -> int:
    """The client's public value. Raises AwsError: InvalidParameterException."""
    public = srp.public_value(progress.demanded(given, "SRP_A"))
    if public is None:
        raise invalid("Invalid SRP_A")
    return public


async def begin(
    attempt: Attempt, user: PoolUser | None, username: str, given: Strings, *, rounds: list[Any] | None = None
) -> Result:
    """The offer; `rounds` are those of a custom sign-in of which this is a part."""
    public = check_public(given)
    name = user["username"] if user else username
    attempts.check(attempt.world, attempt.pool, name)
    progress.check_confirmed(user)
    progress.check_has_password(attempt, user)
    known = user or passwords.nobody(attempt.world, attempt.pool, username)
    verifier = known["verifier"] or passwords.nobody(attempt.world, attempt.pool, username)["verifier"]
    b_secret, b_public = await asyncio.to_thread(srp.offer, verifier)
    data = {"a": f"{public:x}", "b": b_secret, "B": b_public, "verifier": verifier, "rounds": rounds}
    waiting = challenges.ask(attempt.world, attempt.client, VERIFIER, name, data, left=1)
    return {
        "ChallengeName": VERIFIER,
        "ChallengeParameters": {
            "SALT": known["salt"] or passwords.nobody(attempt.world, attempt.pool, username)["salt"],
            "SRP_B": b_public,
            "SECRET_BLOCK": challenges.session_of(waiting),
            "USER_ID_FOR_SRP": name,
            "USERNAME": name,
        },
    }


async def answer(attempt: Attempt, given: Strings) -> tuple[PoolUser, list[Any] | None]:
    """Who has proven their password, and the rounds of the custom sign-in of which it was a part.

    Raises:
        AwsError: NotAuthorizedException.
    """
    world, pool = attempt.world, attempt.pool
    block = progress.demanded(given, "PASSWORD_CLAIM_SECRET_BLOCK")
    timestamp = progress.demanded(given, "TIMESTAMP")
    claimed = progress.demanded(given, "PASSWORD_CLAIM_SIGNATURE")
    try:
        challenge = challenges.take(world, block, attempt.client, VERIFIER)
    except AwsError:
        raise not_authorized() from None
    name = challenge["username"]
    attempts.check(world, pool, name)
    right = await asyncio.to_thread(_signature, pool, challenge, base64.b64decode(block), timestamp)
    world.refresh()
    user = find_user(world, pool, name)
    is_right = right is not None and hmac.compare_digest(right, srp.decoded(claimed))
    is_same = user is not None and user["verifier"] == challenge["data"]["verifier"] and given["USERNAME"] == name
    if user is None or not (is_right and is_same and is_timestamp(timestamp)):
        attempts.failed(world, pool, name)
        raise not_authorized()
    _check_device(attempt, challenge, user)
    return user, challenge["data"].get("rounds")


def _check_device(attempt: Attempt, challenge: challenges.Challenge, user: PoolUser) -> None:
    """Apps that named a device which is not there answer the same challenge once more, without it."""
    try:
        devices.to_challenge(attempt.world, attempt.pool, user, attempt.device)
    except AwsError:
        if "again" not in challenge["data"]:
            again: challenges.Challenge = {**challenge, "data": {**challenge["data"], "again": True}}
            attempt.world.add(challenges.CHALLENGE, challenge["key"], again)
        raise


def _signature(pool: Pool, challenge: challenges.Challenge, block: bytes, timestamp: str) -> bytes | None:
    data = challenge["data"]
    key = srp.session_key(data["verifier"], int(data["a"], 16), data["b"], data["B"])
    if key is None:
        return None
    return srp.signature(key, passwords.short_name(pool), challenge["username"], block, timestamp)


def is_timestamp(text: str) -> bool:
    """Whether a date is as AWS takes it: English, with its own weekday, the day without a zero in front."""
    if not _TIMESTAMP.fullmatch(text):
        return False
    try:
        moment = datetime.strptime(text.replace("UTC ", ""), "%a %b %d %H:%M:%S %Y")  # noqa: DTZ007 - it is in UTC
    except ValueError:
        return False
    return moment.strftime("%a") == text[:3]
