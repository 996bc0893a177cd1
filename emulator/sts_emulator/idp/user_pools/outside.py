"""HTTP with somebody outside whom the operator lets a user pool ask: functions of triggers, identity providers.

Redirects are not followed, and size is bounded; so is time, by whoever calls this.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sts_emulator.core.hosts import is_loopback
from sts_emulator.policy.light_dataclass import dataclass

LARGEST: Final = 1_048_576
"""Bytes of an answer. Lambda's own limit is six times that, which no trigger needs."""


class UnreachableError(Exception):
    """Nobody answers there as HTTP does."""


class TooLargeError(Exception):
    """The answer is larger than any should be."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; names of headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def get_ready() -> None:
    """Have at hand what asks: the first time that takes 90 ms, which are not the other's."""
    await asyncio.to_thread(importlib.import_module, "httpx")


async def exchange(method: str, url: str, headers: Mapping[str, str], content: bytes = b"") -> Answer:
    """One request and its answer. Raises UnreachableError, TooLargeError."""
    import httpx  # there already

    parts = urlsplit(url)
    sent = {**headers, "accept-encoding": "identity", "host": parts.netloc}
    trust = await asyncio.to_thread(_trust) if parts.scheme == "https" else _no_trust()
    body, failure = b"", "cannot be reached"
    for authority in await _authorities(parts):
        place = f"{parts.scheme}://{authority}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        try:
            async with (
                httpx.AsyncClient(verify=trust, trust_env=False, follow_redirects=False, timeout=None) as client,  # noqa: S113 - see the module
                client.stream(
                    method, place, content=content, headers=sent, extensions={"sni_hostname": parts.hostname}
                ) as response,
            ):
                async for piece in response.aiter_raw():
                    body += piece
                    if len(body) > LARGEST:
                        raise TooLargeError(f"{url} answered with more than {LARGEST} bytes")
                return Answer(response.status_code, response.headers, body)
        except httpx.ConnectError:
            continue  # `localhost` is two addresses, and often only one is listened on
        except httpx.HTTPError as why:
            failure = f"did not answer as HTTP does ({type(why).__name__})"
            break
    raise UnreachableError(f"{url} {failure}")


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
    return [f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}" for address in local]  # noqa: PLR2004 - IPv6


@lru_cache(maxsize=1)
def _trust() -> ssl.SSLContext:
    return ssl.create_default_context()


@lru_cache(maxsize=1)
def _no_trust() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # for http, where it is not used: httpx would read all authorities
