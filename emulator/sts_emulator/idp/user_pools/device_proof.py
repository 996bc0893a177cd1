"""How a remembered device proves itself: SRP once more, with the device's own password (DEVICE_SRP_AUTH).

Source: docs/aws/cognito.md, "Sign-in to user pools", SRP.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Mapping
from typing import Final

from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import attempts, challenges, devices, srp
from sts_emulator.idp.user_pools.kinds import Client, Pool, PoolUser, find_user, invalid, not_authorized
from sts_emulator.wire.dispatch import Result

SRP: Final = "DEVICE_SRP_AUTH"
VERIFIER: Final = "DEVICE_PASSWORD_VERIFIER"


async def offer(world: World, pool: Pool, client: Client, user: PoolUser, given: Mapping[str, str]) -> Result:
    """The answer to DEVICE_SRP_AUTH, whose own challenge is used up: the server's half of SRP.

    Raises:
        AwsError: InvalidParameterException; ResourceNotFoundException; NotAuthorizedException.
    """
    public = srp.public_value(given.get("SRP_A", ""))
    if public is None:
        raise invalid("Invalid SRP_A")
    key = given.get("DEVICE_KEY", "")
    device = devices.to_challenge(world, pool, user, key)
    if device is None:
        raise not_authorized("Device is not remembered.") if key else invalid("Missing required parameter DEVICE_KEY")
    b_secret, b_public = await asyncio.to_thread(srp.offer, device["verifier"])
    data = {"a": f"{public:x}", "b": b_secret, "B": b_public, "device": key, "verifier": device["verifier"]}
    waiting = challenges.ask(world, client, VERIFIER, user["username"], data, left=1)
    parameters = {"SALT": device["salt"], "SRP_B": b_public, "SECRET_BLOCK": challenges.session_of(waiting)}
    return challenges.told(waiting, {**parameters, "USERNAME": user["username"], "DEVICE_KEY": key})


def session_of(world: World, pool: Pool, given: Mapping[str, str]) -> str:
    """The session of the newest question that a device was asked, for an app that has kept none."""
    user = find_user(world, pool, given.get("USERNAME", ""))
    device = devices.find(world, pool, user, given.get("DEVICE_KEY", "")) if user is not None else None
    return device.get("asked", "") if device is not None else ""


async def proven(
    world: World, pool: Pool, client: Client, given: Mapping[str, str], timestamp_is_right: bool
) -> tuple[PoolUser, str]:
    """Who is signed in by the answer to DEVICE_PASSWORD_VERIFIER, and the device. Raises AwsError."""
    block = given.get("PASSWORD_CLAIM_SECRET_BLOCK", "")
    challenge = challenges.take(world, block, client, VERIFIER)
    name, data = challenge["username"], challenge["data"]
    attempts.check(world, pool, name)
    user = find_user(world, pool, name)
    device = devices.to_challenge(world, pool, user, data["device"]) if user is not None else None
    if user is None or device is None or device["verifier"] != data["verifier"]:
        raise not_authorized()
    key = await asyncio.to_thread(srp.session_key, data["verifier"], int(data["a"], 16), data["b"], data["B"])
    signed = srp.signature(
        key or b"", device["group"], device["key"], base64.b64decode(block), given.get("TIMESTAMP", "")
    )
    is_same = given.get("DEVICE_KEY") == device["key"] and find_user(world, pool, given.get("USERNAME", "")) == user
    claimed = srp.decoded(given.get("PASSWORD_CLAIM_SIGNATURE", ""))
    if key is None or not (hmac.compare_digest(signed, claimed) and is_same and timestamp_is_right):
        attempts.failed(world, pool, name)
        raise not_authorized()
    return user, device["key"]
