"""Trade-in tokens: what the owner of an account approved for somebody else, sealed until it is exchanged.

On AWS they come out of IAM's delegation requests, whose permission templates are partners' and not public. Here the
control API makes them, standing for a request that its owner has accepted.
"""

from __future__ import annotations

import json
import os
from typing import Any

from emulator.core.errors import AwsError
from emulator.core.world import World
from emulator.vending import credentials

KIND = "trade-in"
PURPOSE = "trade-in-token"


def issue(world: World, principal: str, *, policy: str, duration: int, life: int) -> str:
    """A token for a session of `principal` (a role's ARN) of `duration` seconds, good for `life` seconds, once.

    `policy` is a session policy as JSON text that limits it, or empty.
    """
    known = os.urandom(12).hex()
    expires = int(world.now()) + life
    world.add(KIND, known, {"expires": expires})
    body = {"id": known, "principal": principal, "policy": policy, "duration": duration, "expires": expires}
    return credentials.seal(world, PURPOSE, json.dumps(body).encode())


def redeem(world: World, token: str) -> dict[str, Any]:
    """What a token stands for: `principal`, `policy` and `duration`.

    Raises:
        AwsError: ExpiredTradeInTokenException for one whose time is over or that was exchanged before (the strict
            reading: AWS does not say); ValidationError for what is none. AWS's texts are not recorded.
    """
    sealed = credentials.unseal(world, PURPOSE, token)
    if sealed is None:
        raise AwsError("ValidationError", "The trade-in token is not valid.")
    body: dict[str, Any] = json.loads(sealed)
    if body["expires"] <= world.now() or world.take(KIND, body["id"]) is None:
        raise AwsError("ExpiredTradeInTokenException", "The trade-in token has expired.")
    return body
