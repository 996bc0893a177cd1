"""Functions behind a URL: an HTTP hook that is posted the event, or a Lambda endpoint that is asked to invoke.

The second is told by its path, which is that of Lambda's Invoke: `/2015-03-31/functions/NAME/invocations`. Redirects
are not followed, and size is bounded; so is time, by whoever calls this.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.idp.user_pools import outside
from sts_emulator.idp.user_pools.triggers.outcomes import FunctionError, NoAnswerError, NotJsonError
from sts_emulator.policy.json_types import object_in

_INVOKE = re.compile(r".*/2015-03-31/functions/[^/]+/invocations")
_HEADERS: Final = {"content-type": "application/json", "accept": "application/json"}
_LONGEST: Final = 1_000  # characters of what a function says of its failure


async def post(url: str, event: bytes) -> object:
    """What the function behind the URL answers to an event.

    Raises:
        FunctionError: it failed.
        NoAnswerError: nobody answers there as a function does.
        NotJsonError: the answer is no JSON, or too large.
    """
    is_lambda = _INVOKE.fullmatch(urlsplit(url).path) is not None
    invoking = {"x-amz-invocation-type": "RequestResponse"} if is_lambda else {}
    answer = await _asked(url, event, {**_HEADERS, **invoking})
    status, error, body = answer.status, answer.headers.get("x-amz-function-error", ""), answer.body
    if status in range(300, 400):
        raise NoAnswerError(f"{url} answered with a redirect ({status}), which is not followed")
    if error or (status >= 400 and not is_lambda):  # noqa: PLR2004 - an error of HTTP
        raise FunctionError(_message(body) or error or f"HTTP {status}")
    if status not in range(200, 300):
        raise NoAnswerError(f"{url} answered {status}")
    try:
        event_again = json.loads(body)
    except (ValueError, RecursionError):
        raise NotJsonError(f"{url} answered with what is no JSON") from None
    if is_lambda and isinstance(event_again, dict) and "errorMessage" in event_again and "response" not in event_again:
        raise FunctionError(_message(body))  # of local endpoints that tell a failure by its body alone
    return event_again


async def _asked(url: str, event: bytes, headers: Mapping[str, str]) -> outside.Answer:
    try:
        return await outside.exchange("POST", url, headers, event)
    except outside.UnreachableError as why:
        raise NoAnswerError(str(why)) from None
    except outside.TooLargeError as why:
        raise NotJsonError(str(why)) from None


def _message(body: bytes) -> str:
    """What a failed function says: Lambda's `errorMessage`, or else its text."""
    text = body.decode("utf-8", "replace")
    told = (object_in(text) or {}).get("errorMessage")
    text = told if isinstance(told, str) else text
    return text[:_LONGEST].strip()
