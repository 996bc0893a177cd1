"""Challenges that wait for their answer: each is good once, for one user, one client and one step of a sign-in."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import clients
from sts_emulator.idp.user_pools.kinds import Client, not_authorized
from sts_emulator.wire.dispatch import Result


class Challenge(TypedDict):
    """A challenge; `data` is what its answer is checked with."""

    key: str
    name: str
    client: str
    username: str  # of nobody, too: a stranger is not told
    until: float
    left: int  # wrong answers after which it is over
    data: dict[str, Any]


CHALLENGE: Final[Kind[Challenge]] = Kind("user-pool-challenge")  # key: when it is over, and noise

TRIES: Final = 3
"""Answers to one challenge. AWS publishes no number; this one is ours."""

MOST: Final = 10_000
"""Challenges of a world that wait: strangers ask for them, so the oldest go."""

OVER: Final = "Invalid session for the user."


def ask(
    world: World, client: Client, name: str, username: str, data: Mapping[str, Any], *, left: int = TRIES
) -> Challenge:
    """Store a new challenge; those that are over go."""
    now = world.now()
    until = now + 60 * clients.challenge_minutes(client)
    challenge = Challenge(
        key=f"{int(until):012}-{os.urandom(24).hex()}",
        name=name,
        client=client["id"],
        username=username,
        until=until,
        left=left,
        data=dict(data),
    )
    with world.unit(lock=True):
        is_full = world.count(CHALLENGE) >= MOST
        for key, oldest in world.page_keys(CHALLENGE, limit=2):
            if is_full or oldest["until"] <= now:
                world.take(CHALLENGE, key)
        world.add(CHALLENGE, challenge["key"], challenge)
    return challenge


def take(world: World, session: str | None, client: Client | None, *names: str) -> Challenge:
    """The challenge of a session, of a client where one is known, which is used up by this.

    Raises:
        AwsError: NotAuthorizedException.
    """
    key = _key(session or "")
    challenge = world.take(CHALLENGE, key) if key else None
    is_foreign = challenge is not None and client is not None and challenge["client"] != client["id"]
    if challenge is None or is_foreign or challenge["name"] not in names:
        raise not_authorized(OVER)
    if challenge["until"] <= world.now():
        raise not_authorized("Invalid session for the user, session is expired.")
    return challenge


def give_back(world: World, challenge: Challenge) -> None:
    """After a slip of the pen: the same challenge once more, until there were too many."""
    if challenge["left"] > 1:
        again: Challenge = {**challenge, "left": challenge["left"] - 1}
        world.add(CHALLENGE, challenge["key"], again)


def session_of(challenge: Challenge) -> str:
    """What the client sends back: characters of base64, which SRP's clients decode."""
    return base64.b64encode(challenge["key"].encode()).decode()


def told(challenge: Challenge, parameters: Mapping[str, str]) -> Result:
    """A challenge as the app is asked."""
    return {
        "ChallengeName": challenge["name"],
        "Session": session_of(challenge),
        "ChallengeParameters": parameters,
    }


def _key(session: str) -> str:
    try:
        return base64.b64decode(session[:4096], validate=True).decode("ascii")
    except ValueError:
        return ""
