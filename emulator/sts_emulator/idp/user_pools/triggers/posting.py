"""Functions behind a URL: an HTTP hook that is posted the event, or a Lambda endpoint that is asked to invoke.

The second is told by its path, which is that of Lambda's Invoke: `/2015-03-31/functions/NAME/invocations`. Redirects
are not followed, and size is bounded; so is time, by whoever calls this.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import json
import re
import socket
import ssl
from functools import lru_cache
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from sts_emulator.core.hosts import is_loopback
from sts_emulator.idp.user_pools.triggers.outcomes import LARGEST, FunctionError, NoAnswerError, NotJsonError

_INVOKE = re.compile(r".*/2015-03-31/functions/[^/]+/invocations")
_HEADERS: Final = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}
_LONGEST: Final = 1_000  # characters of what a function says of its failure


async def get_ready() -> None:
    """Have at hand what posts: the first time that takes 90 ms, which are not the function's."""
    await asyncio.to_thread(importlib.import_module, "httpx")


async def post(url: str, event: bytes) -> Any:
    """What the function behind the URL answers to an event.

    Raises:
        FunctionError: it failed.
        NoAnswerError: nobody answers there as a function does.
        NotJsonError: the answer is no JSON, or too large.
    """
    parts = urlsplit(url)
    is_lambda = _INVOKE.fullmatch(parts.path) is not None
    status, error, body = await _exchange(parts, event, is_lambda=is_lambda)
    if status in range(300, 400):
        raise NoAnswerError(f"{url} answered with a redirect ({status}), which is not followed")
    if error or (status >= 400 and not is_lambda):  # noqa: PLR2004 - an error of HTTP
        raise FunctionError(_message(body) or error or f"HTTP {status}")
    if status not in range(200, 300):
        raise NoAnswerError(f"{url} answered {status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise NotJsonError(f"{url} answered with what is no JSON") from None
    if is_lambda and isinstance(answer, dict) and "errorMessage" in answer and "response" not in answer:
        raise FunctionError(_message(body))  # of local endpoints that tell a failure by its body alone
    return answer


async def _exchange(parts: SplitResult, event: bytes, *, is_lambda: bool) -> tuple[int, str, bytes]:
    """Status, `X-Amz-Function-Error` and body of the answer."""
    import httpx  # there already

    headers = {**_HEADERS, "host": parts.netloc, **({"x-amz-invocation-type": "RequestResponse"} if is_lambda else {})}
    trust = await asyncio.to_thread(_trust) if parts.scheme == "https" else _no_trust()
    body, failure = b"", "cannot be reached"
    for authority in await _authorities(parts):
        url = f"{parts.scheme}://{authority}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            async with (
                httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - see the module
                client.stream(
                    "POST", url, content=event, headers=headers, extensions={"sni_hostname": parts.hostname}
                ) as response,
            ):
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > LARGEST:
                        raise NotJsonError(f"{parts.geturl()} answered with more than {LARGEST} bytes")
                return response.status_code, response.headers.get("x-amz-function-error", ""), body
        except httpx.ConnectError:
            continue  # `localhost` is two addresses, and often only one is listened on
        except httpx.HTTPError as why:
            failure = f"did not answer as HTTP does ({type(why).__name__})"
            break
    raise NoAnswerError(f"{parts.geturl()} {failure}")


async def _authorities(parts: SplitResult) -> list[str]:
    """Where to connect to. INVARIANT: a name of this machine leads to nowhere else, whatever a resolver says."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if not is_loopback(host):  # a host that the operator has allowed by name
        return [parts.netloc]
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        answers = []
    resolved = dict.fromkeys(str(answer[4][0]) for answer in answers)
    addresses = [ipaddress.ip_address(text) for text in resolved if "%" not in text]
    local = [address for address in addresses if address.is_loopback] or [ipaddress.ip_address("127.0.0.1")]
    return [f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}" for address in local]  # noqa: PLR2004


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@lru_cache(maxsize=1)
def _no_trust() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for http, where it is not used: httpx would read all authorities


def _message(body: bytes) -> str:
    """What a failed function says: Lambda's `errorMessage`, or else its text."""
    text = body.decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict) and isinstance(told.get("errorMessage"), str):
        text = told["errorMessage"]
    return text[:_LONGEST].strip()
