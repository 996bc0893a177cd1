"""Fetches an issuer's discovery document and key set over the network, and trusts as little of it as it can.

Only issuers that somebody registered are ever asked, so no token names an address. Nothing but https is spoken, save to
this machine itself; names are resolved here and only public addresses, or loopback for a loopback issuer, are connected
to; redirects are not followed; time and size are bounded.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import ipaddress
import json
import socket
import ssl
from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

from sts_emulator.core.hosts import is_loopback
from sts_emulator.methods.tokens.issuers import KeysUnavailableError, ThumbprintError
from sts_emulator.policy.json_types import Json, JsonObject

TIME_LIMIT: Final = 5.0
"""Seconds for everything together: STS gives up on slower issuers (re:Post, iam-sts-invalididentitytoken)."""

SIZE_LIMIT: Final = 512 * 1024
"""Bytes of one document; 200 keys with certificates fit."""

_REQUIRED = (
    "issuer",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
)  # docs/aws/web-identity.md, "Rules for tokens"
_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"


async def fetch_jwks(issuer: str, thumbprints: tuple[str, ...], *, limit: float = TIME_LIMIT) -> Json:
    """The issuer's key set, as parsed JSON, within `limit` seconds.

    `thumbprints` are SHA-1 in hex of certificates that are trusted where the system's authorities do not help, as AWS
    does (docs/aws/web-identity.md, "Thumbprints").

    Raises:
        KeysUnavailableError: anything else that went wrong.
        ThumbprintError: the certificate is not trusted either way.
    """
    await asyncio.to_thread(importlib.import_module, "httpx")  # its first import takes 90 ms, which is not the answer's
    try:
        async with asyncio.timeout(limit):
            return await _fetch(issuer, thumbprints)
    except TimeoutError:
        raise KeysUnavailableError(f"{issuer} did not answer within {limit:g} s") from None


async def _fetch(issuer: str, thumbprints: tuple[str, ...]) -> Json:
    local = is_loopback(urlsplit(issuer).hostname or "")
    discovery = await _get_json(f"{issuer.rstrip('/')}/.well-known/openid-configuration", thumbprints, local=local)
    missing = [name for name in _REQUIRED if name not in discovery]
    if missing:
        raise KeysUnavailableError(f"the discovery document of {issuer} has no `{missing[0]}`")
    if discovery["issuer"] != issuer:
        raise KeysUnavailableError(f"the discovery document of {issuer} names another issuer")
    if not isinstance(discovery["jwks_uri"], str):
        raise KeysUnavailableError(f"the discovery document of {issuer} has a jwks_uri that is no URL")
    return await _get_json(discovery["jwks_uri"], thumbprints, local=local)


async def _get_json(url: str, thumbprints: tuple[str, ...], *, local: bool) -> JsonObject:
    body = await _get(url, thumbprints, local=local)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise KeysUnavailableError(f"{url} is not JSON") from None
    if not isinstance(value, dict):
        raise KeysUnavailableError(f"{url} is not a JSON object")
    return value


async def _get(url: str, thumbprints: tuple[str, ...], *, local: bool) -> bytes:
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        raise KeysUnavailableError(f"{url} is not a URL") from None
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise KeysUnavailableError(f"{url} is not https")
    if not host or parts.username is not None or is_loopback(host) is not local:
        raise KeysUnavailableError(f"{url} is not a permitted address")
    for address in await _resolve(host, port, local=local):
        try:
            return await _read_trusted(parts, address, port, thumbprints)
        except _UnreachableError:
            continue  # `localhost` is two addresses, and often only one is listened on
    raise KeysUnavailableError(f"{url} cannot be reached")


async def _read_trusted(parts: SplitResult, address: str, port: int, thumbprints: tuple[str, ...]) -> bytes:
    """Read under the system's trust, else under the provider's thumbprints."""
    try:
        return await _read(parts, address, port, await asyncio.to_thread(_system_trust))
    except _UntrustedError:
        pinned = await _pinned(parts.hostname or "", address, port, thumbprints)
    try:
        return await _read(parts, address, port, pinned)
    except _UntrustedError:  # pinned, but for another name, out of date or not what signed the rest
        raise ThumbprintError from None


@lru_cache(maxsize=1)
def _system_trust() -> ssl.SSLContext:
    return ssl.create_default_context()  # reads every authority of the system, some ten milliseconds


class _UntrustedError(Exception):
    """The system's authorities do not vouch for the server's certificate."""


class _UnreachableError(Exception):
    """Nobody answers at that address."""


async def _resolve(host: str, port: int, *, local: bool) -> list[str]:
    """The host's addresses. INVARIANT: it is these that are connected to, so that no second answer slips in."""
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise KeysUnavailableError(f"{host} cannot be resolved") from None
    addresses = [str(answer[4][0]) for answer in answers]
    if not addresses or not all(_is_permitted(address, local=local) for address in addresses):
        raise KeysUnavailableError(f"{host} resolves to an address that is not permitted")
    return list(dict.fromkeys(addresses))


def _is_permitted(text: str, *, local: bool) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_loopback if local else address.is_global and not address.is_multicast


async def _read(parts: SplitResult, address: str, port: int, context: ssl.SSLContext) -> bytes:
    import httpx  # there already

    shown = f"[{address}]" if ":" in address else address
    url = f"{parts.scheme}://{shown}:{port}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    headers = {"host": parts.netloc, "accept": "application/json", "accept-encoding": "identity"}
    body = b""
    try:
        async with (
            httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=TIME_LIMIT) as client,
            client.stream("GET", url, headers=headers, extensions={"sni_hostname": parts.hostname}) as response,
        ):
            if response.status_code != 200:  # noqa: PLR2004 - OK; a redirect is none
                raise KeysUnavailableError(f"{parts.geturl()} answered {response.status_code}")
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > SIZE_LIMIT:
                    raise KeysUnavailableError(f"{parts.geturl()} is larger than {SIZE_LIMIT} bytes")
    except httpx.HTTPError as why:
        if _UNTRUSTED in str(why):
            raise _UntrustedError from None
        raise _UnreachableError from None
    return body


async def _pinned(host: str, address: str, port: int, thumbprints: tuple[str, ...]) -> ssl.SSLContext:
    """A context that trusts nothing but the certificate, of those that the server shows, whose thumbprint is pinned.

    The chain is first read without trust, only to find that certificate; then OpenSSL verifies the whole chain, its
    dates and the name against it, so that showing somebody else's certificate is of no use.
    """
    for certificate in await _shown_chain(host, address, port):
        digest = hashlib.sha1(certificate, usedforsecurity=False).hexdigest()  # AWS pins SHA-1
        if digest in {thumbprint.lower() for thumbprint in thumbprints}:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # an intermediate may be what is pinned
            context.load_verify_locations(cadata=certificate)
            return context
    raise ThumbprintError


async def _shown_chain(host: str, address: str, port: int) -> list[bytes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=host)
    except OSError:
        raise _UnreachableError from None
    try:
        tls = writer.get_extra_info("ssl_object")
        # Public from Python 3.13 on; before, the same method stands on the object inside.
        chain = getattr(tls, "get_unverified_chain", None) or tls._sslobj.get_unverified_chain  # noqa: SLF001
        return [link if isinstance(link, bytes) else ssl.PEM_cert_to_DER_cert(link.public_bytes()) for link in chain()]
    finally:
        writer.transport.abort()  # all was said: a TLS farewell could be waited for long
