"""A trigger fires: its event is made, its function is called, and its answer is looked at before anybody uses it.

INVARIANT: called outside of a unit, and nobody else waits: neither the world's lock nor the loop is held meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.accounts import trigger_hooks
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.idp.user_pools import outside
from sts_emulator.idp.user_pools.kinds import Pool, PoolUser
from sts_emulator.idp.user_pools.triggers import callables, configuration, posting
from sts_emulator.idp.user_pools.triggers.outcomes import FunctionError, HangsError, NoAnswerError, NotJsonError
from sts_emulator.idp.user_pools.triggers.responses import UNRECOGNIZABLE, unusable
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context

NO_CLIENT: Final = "CLIENT_ID_NOT_APPLICABLE"
TRIES: Final = 3
"""Calls of a function that does not answer in time (Cognito's developer guide, "Important considerations")."""

MOST: Final = 48
"""Functions that are waited for at the same time, by all worlds: more are refused as AWS's are, and take no memory."""

KEPT: Final = 2_048
"""Characters of a request and of an answer that an event keeps."""

_FIXED = ("version", "triggerSource", "region", "userPoolId", "userName", "callerContext")
_SECRET = ("password", "challengeAnswer", "privateChallengeParameters", "tokenResponse")
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_INVALID_JSON = "Invalid lambda function output : Invalid JSON"
_TIMEOUT = "Socket timeout while invoking Lambda function"
_waited_for = threading.BoundedSemaphore(MOST)


@dataclass(frozen=True, slots=True)
class Occasion:
    """On what call a trigger may fire: for which pool, and through which app client, if any."""

    ctx: Context
    pool: Pool
    client: str = NO_CLIENT


async def fire(
    occasion: Occasion, source: str, username: str, request: Mapping[str, object], response: Mapping[str, object]
) -> JsonObject | None:
    """What the function answers to an event of this source, or None where the pool names none for it.

    Raises:
        AwsError: UserLambdaValidationException: it failed; UnexpectedLambdaException: it cannot be called, or is too
            slow; InvalidLambdaResponseException: what it answers is of no use; TooManyRequestsException.
    """
    trigger = source.partition("_")[0].replace("TokenGeneration", configuration.TOKENS)
    function = configuration.function_of(occasion.pool, trigger)
    if function is None:
        return None
    event: dict[str, Any] = {
        "version": function.version,
        "triggerSource": source,
        "region": occasion.pool["region"],
        "userPoolId": occasion.pool["id"],
        "userName": username,
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": occasion.client},
        "request": dict(request),
        "response": dict(response),
    }
    record = {"source": source, "function": function.arn, "request": _kept(event["request"])}
    begun = clock.monotonic()
    try:
        answer = await _ask(occasion.ctx, trigger, function.arn, event)
        record["response"] = _kept(answer)
    except AwsError as refusal:
        record["error"] = f"{refusal.code}: {refusal.message}"[:KEPT]
        raise
    finally:
        record["milliseconds"] = str(round((clock.monotonic() - begun) * 1000))
        occasion.ctx.evidence.setdefault("triggers", []).append(record)
        occasion.ctx.weight += 2 * sum(map(len, record.values()))
        occasion.ctx.world.refresh()
    return answer


def attributes_of(user: PoolUser | None) -> dict[str, str]:
    """`userAttributes` of an event."""
    if user is None:
        return {}
    return {**user["attributes"], "cognito:user_status": user["status"]}


def metadata(given: Mapping[str, str] | None) -> JsonObject:
    """`clientMetadata` of an event, which is left out where the app says none."""
    return {"clientMetadata": dict(given)} if given else {}


async def _ask(ctx: Context, trigger: str, arn: str, event: JsonObject) -> JsonObject:
    try:
        answer = await _called(ctx, arn, json.dumps(event).encode())
    except FunctionError as error:
        said = _CONTROL.sub(" ", str(error))
        raise AwsError("UserLambdaValidationException", f"{trigger} failed with error {said}.") from None
    except (NoAnswerError, callables.ModuleError) as error:
        ctx.evidence["refused"] = f"{trigger}: {error}"
        # What AWS says of a function that is gone, or that Cognito may not invoke.
        raise _unexpected(trigger, "AccessDeniedException") from None
    except TimeoutError:
        raise _unexpected(trigger, _TIMEOUT) from None
    except HangsError as error:
        ctx.evidence["refused"] = f"{trigger}: {error}"
        raise _unexpected(trigger, _TIMEOUT) from None
    except NotJsonError as error:
        ctx.evidence["refused"] = f"{trigger}: {error}"
        raise unusable(_INVALID_JSON) from None
    if not isinstance(answer, dict) or not isinstance(answer.get("response"), dict):
        ctx.evidence["refused"] = f"{trigger}: the answer is not the event with its `response`"
        raise unusable(UNRECOGNIZABLE)
    # AWS reads the response alone; the strict reading is that an answer about somebody else answers something else.
    for member in _FIXED:
        if member in answer and answer[member] != event[member]:
            ctx.evidence["refused"] = f"{trigger}: the answer has another `{member}` than the event"
            raise unusable(UNRECOGNIZABLE)
    response: JsonObject = answer["response"]
    return response


async def _called(ctx: Context, arn: str, event: bytes) -> object:
    """What the function answers, in the time that there is."""
    url = trigger_hooks.url_of(ctx.world, arn)
    settings = ctx.server.settings
    function = None
    if url:  # looked at again: the settings may be others than when it was stored
        if fault := trigger_hooks.hook_fault(url, settings):
            raise NoAnswerError(fault)
        await outside.get_ready()
    else:
        function = callables.find(settings.triggers, arn)
        if function is None:
            raise NoAnswerError(
                f"nothing here plays {arn}: give it a URL among the world's hooks, or a function in a module of "
                "`serve --triggers`"
            )
    if not _waited_for.acquire(blocking=False):
        raise AwsError("TooManyRequestsException", "Rate exceeded")
    try:
        for attempt in range(TRIES):
            try:
                async with asyncio.timeout(settings.trigger_patience):
                    return await (callables.call(function, event) if function else posting.post(url, event))
            except TimeoutError:
                if attempt == TRIES - 1:
                    raise
    finally:
        _waited_for.release()
    raise AssertionError


def _unexpected(trigger: str, why: str) -> AwsError:
    return AwsError("UnexpectedLambdaException", f"{trigger} invocation failed due to error {why}.")


def _kept(part: JsonObject) -> str:
    """What an event of ours tells of an event of theirs: no secrets, and not too much."""
    try:
        told = json.dumps(_shown(part))
    except RecursionError:
        told = ""
    return told if len(told) <= KEPT else f"{told[:KEPT]}… ({len(told)} characters)"


def _shown(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    return {name: _HIDDEN if name in _SECRET and value is not None else _shown(value) for name, value in part.items()}
