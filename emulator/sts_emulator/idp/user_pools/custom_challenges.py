"""CUSTOM_AUTH: the pool's own functions say what is asked, whether it is answered, and when it is enough.

Source: docs/aws/cognito.md, "Triggers". The rounds so far are kept in the challenge that waits, and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sts_emulator.idp.user_pools import attempts, challenges, clients, progress, srp_sign_in
from sts_emulator.idp.user_pools.kinds import PoolUser, invalid, not_authorized
from sts_emulator.idp.user_pools.progress import Attempt, Strings
from sts_emulator.idp.user_pools.triggers import configuration, firing, responses
from sts_emulator.wire.dispatch import Result

CUSTOM: Final = "CUSTOM_CHALLENGE"
MOST_ROUNDS: Final = 20
"""Challenges of one sign-in. AWS publishes no number; this one is ours, because each is kept until the last."""

LARGEST: Final = 16_384
"""Bytes of what a challenge keeps: its parameters, and those of the rounds before. Ours, likewise."""

_SRP = "SRP_A"
_TRIGGERS = ("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse")
_DEFINE, _CREATE, _VERIFY = (f"{trigger}_Authentication" for trigger in _TRIGGERS)


async def begin(attempt: Attempt, user: PoolUser | None, username: str, given: Strings) -> Result:
    """The first challenge that the pool's functions want; by SRP first, where the app says so."""
    if not all(configuration.function_of(attempt.pool, trigger) for trigger in _TRIGGERS):
        raise invalid("Custom auth lambda trigger is not configured for the user pool.")
    attempts.check(attempt.world, attempt.pool, user["username"] if user else username)
    progress.check_confirmed(user)
    rounds = []
    if given.get("CHALLENGE_NAME") == _SRP:
        srp_sign_in.check_public(given)
        rounds.append(_round(_SRP, is_right=True))
    return await _define(attempt, user, username, rounds, given)


async def after_password(attempt: Attempt, user: PoolUser, rounds: Sequence[object]) -> Result:
    """What follows a password that was proven by SRP in the course of this flow."""
    return await _define(attempt, user, user["username"], [*rounds, _round(srp_sign_in.VERIFIER, is_right=True)], {})


async def answer(attempt: Attempt, challenge: challenges.Challenge, user: PoolUser | None, given: Strings) -> Result:
    """What follows an answer to the last challenge, right or wrong; `user` is None for nobody."""
    username, data = challenge["username"], challenge["data"]
    if (user["sub"] if user else "") != data["sub"]:
        raise not_authorized(challenges.OVER)
    attempts.check(attempt.world, attempt.pool, username)
    answered = {"privateChallengeParameters": data["private"], "challengeAnswer": progress.demanded(given, "ANSWER")}
    request = _request(attempt, user, answered)
    said = await firing.fire(attempt.occasion, _VERIFY, username, request, {"answerCorrect": None})
    is_right = said is not None and responses.flag(said, "answerCorrect") and user is not None
    if not is_right:
        attempts.failed(attempt.world, attempt.pool, username)
    rounds = [*data["rounds"], _round(CUSTOM, is_right=is_right, metadata=data["metadata"])]
    return await _define(attempt, user, username, rounds, {})


async def _define(attempt: Attempt, user: PoolUser | None, username: str, rounds: list[Any], given: Strings) -> Result:
    name = user["username"] if user else username
    request = _request(attempt, user, {"session": rounds})
    wanted = {"challengeName": None, "issueTokens": None, "failAuthentication": None}
    said = await firing.fire(attempt.occasion, _DEFINE, name, request, wanted) or {}
    if responses.flag(said, "failAuthentication"):
        raise not_authorized()
    if responses.flag(said, "issueTokens"):
        if user is None:
            raise not_authorized()
        # Its own functions are the pool's second factor.
        return await progress.proven(attempt, progress.again(attempt, user), has_second_factor=True)
    following = responses.text(said, "challengeName")
    if len(rounds) >= MOST_ROUNDS:
        raise not_authorized()
    if following == srp_sign_in.VERIFIER and [past["challengeName"] for past in rounds] == [_SRP]:
        return await srp_sign_in.begin(attempt, user, username, given, rounds=rounds)
    if following != CUSTOM:
        raise responses.unusable()
    return await _create(attempt, user, name, rounds)


async def _create(attempt: Attempt, user: PoolUser | None, name: str, rounds: Sequence[object]) -> Result:
    request = _request(attempt, user, {"challengeName": CUSTOM, "session": rounds})
    wanted = {"publicChallengeParameters": None, "privateChallengeParameters": None, "challengeMetadata": None}
    said = await firing.fire(attempt.occasion, _CREATE, name, request, wanted) or {}
    public = responses.strings(said, "publicChallengeParameters")
    data = {
        "sub": user["sub"] if user else "",
        "rounds": rounds,
        "private": responses.strings(said, "privateChallengeParameters"),
        "metadata": responses.text(said, "challengeMetadata") or None,
    }
    if len(json.dumps([public, data])) > LARGEST:
        raise responses.unusable()
    waiting = challenges.ask(attempt.world, attempt.client, CUSTOM, name, data, left=1)
    return challenges.told(waiting, {**public, "USERNAME": name})


def _round(name: str, *, is_right: bool, metadata: str | None = None) -> Result:
    """A ChallengeResult."""
    return {"challengeName": name, "challengeResult": is_right, "challengeMetadata": metadata}


def _request(attempt: Attempt, user: PoolUser | None, members: Mapping[str, object]) -> dict[str, object]:
    """What each of the functions is told, `userNotFound` where the client hides who is there: else nobody is asked."""
    hides = clients.hides_users(attempt.client)
    nobody = {"userNotFound": user is None} if hides else {}
    told = firing.metadata(attempt.metadata)
    return {"userAttributes": firing.attributes_of(user), **members, **told, **nobody}
