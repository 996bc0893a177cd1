"""Fetches revocation lists from the distribution points of certificates: from this machine only, and bounded.

The address stands in a certificate that the trust anchor vouches for, never in the request; all the same nothing but
loopback is asked, because an emulator has no business elsewhere.
"""

from __future__ import annotations

import asyncio
import importlib
import ipaddress
import ssl
from typing import Final
from urllib.parse import urlsplit

TIME_LIMIT: Final = 5.0
"""Seconds for the whole answer."""

SIZE_LIMIT: Final = 300_000
"""Bytes of a list, as for imported ones."""


class UnavailableError(Exception):
    """The list cannot be had; the message says why."""


async def fetch(url: str) -> bytes:
    """The list at that address.

    Raises:
        UnavailableError: the address is not http on this machine, or there is no answer within the limits.
    """
    try:
        parts = urlsplit(url)
        permitted = parts.scheme == "http" and _is_loopback(parts.hostname or "") and parts.username is None
    except ValueError:
        permitted = False
    if not permitted:
        raise UnavailableError(f"{url} is not http on this machine")
    await asyncio.to_thread(importlib.import_module, "httpx")  # its first import takes 90 ms, which is not the answer's
    try:
        async with asyncio.timeout(TIME_LIMIT):
            return await _read(url)
    except TimeoutError:
        raise UnavailableError(f"{url} did not answer within {TIME_LIMIT:.0f} s") from None


async def _read(url: str) -> bytes:
    import httpx  # there already

    body = b""
    unused = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it is http: else httpx would read all authorities, for 25 ms
    try:
        async with (
            httpx.AsyncClient(verify=unused, trust_env=False, follow_redirects=False, timeout=TIME_LIMIT) as client,
            client.stream("GET", url, headers={"accept-encoding": "identity"}) as response,
        ):
            if response.status_code != 200:  # noqa: PLR2004 - OK; a redirect is none
                raise UnavailableError(f"{url} answered {response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > SIZE_LIMIT:
                    raise UnavailableError(f"{url} is larger than {SIZE_LIMIT} bytes")
    except httpx.HTTPError:
        raise UnavailableError(f"{url} cannot be reached") from None
    return body


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
