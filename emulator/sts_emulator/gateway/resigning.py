"""What goes to an upstream: the headers that may pass, and a signature of the caller's account."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.upstreams import Upstream
from sts_emulator.wire import http, sigv4, sigv4_s3, timestamps
from sts_emulator.wire.sigv4 import HMAC, Signed

ACCOUNT: Final = "x-moto-account-id"
"""The header in which moto is told whose call it is; a caller's own does not pass."""

_PASSING: Final = frozenset(
    {
        *("accept", "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5"),
        *("content-type", "expires", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since"),
        *("origin", "range", "user-agent", "access-control-request-headers", "access-control-request-method"),
        *("smithy-protocol", "amz-sdk-invocation-id", "amz-sdk-request"),
    }
)
# Metadata may have underscores in their names; elsewhere a server might take them for hyphens.
_PASSING_NAME = re.compile(r"x-amz-meta-[a-z0-9._-]{1,200}|x-amzn?-[a-z0-9-]{1,200}")
_OUR_OWN: Final = frozenset(
    {
        *("x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "x-amz-decoded-content-length"),
        *("x-amz-trailer", "x-amz-region-set"),
    }
)
_NAME = re.compile("[A-Za-z0-9-]{1,64}", re.ASCII)
_UNSAFE_VALUE = re.compile("[\x00-\x08\x0a-\x1f\x7f]")


def passing(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that its upstream is told; all others are dropped.

    INVARIANT: what says who calls, how long the body is, or how the connection is to be handled never passes.
    """
    kept = {name: headers[name] for name in _passing_names(tuple(headers))}
    if "".join(kept.values()).isprintable():  # as nearly always
        return kept
    return {name: value for name, value in kept.items() if not _UNSAFE_VALUE.search(value)}


@lru_cache(maxsize=128)  # what one client sends has the same names again and again
def _passing_names(names: tuple[str, ...]) -> list[str]:
    return [
        name
        for name in names
        if (name in _PASSING or _PASSING_NAME.fullmatch(name) is not None) and name not in _OUR_OWN
    ]


@lru_cache(maxsize=128)
def _signed_names(names: tuple[str, ...]) -> list[str]:
    return sorted(name for name in names if name not in _UNSIGNED)


def query_of(query: str, known: Container[str] | None = None) -> str:
    """A query as it goes on: of a presigned URL without what signed it, and without names that are not `known`.

    S3 heeds no others, but an upstream might.
    """
    if not query:
        return ""
    kept = [
        (name, value)
        for name, value in http.pairs(query)
        if name.lower() not in SIGNING and (known is None or name in known)
    ]
    bare = {http.unquote(pair, plus=True) for pair in query.split("&") if "=" not in pair}
    escaped = [(quote(name, safe="~"), quote(value, safe="~")) for name, value in kept]
    return "&".join(name if name in bare and not value else f"{name}={value}" for name, value in escaped)


SIGNING: Final = frozenset(
    {
        *("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-signedheaders"),
        *("x-amz-signature", "x-amz-security-token", "x-amz-content-sha256", "x-amz-region-set"),
    }
)


def head(
    upstream: Upstream,
    *,
    account: str,
    service: str,
    region: str,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload: str,
    length: int | None,
) -> bytes:
    """The head of a request to an upstream, signed.

    `path` is escaped as it goes on the wire. `payload` is the body's digest, or what S3 says instead. Without a
    length there is no body.

    Raises:
        AwsError: `InvalidRequest` for an account or a Region that is none, which ARNs in a call may name.
    """
    caller = upstream.account or account
    _check_names(caller, region)
    key_id, secret = upstream.credentials(caller)
    date = timestamps.basic(clock.real())
    sent = {"host": upstream.authority, **headers, "x-amz-date": date, "x-amz-content-sha256": payload}
    whole = upstream.prefix + path
    names = _signed_names(tuple(sent))
    signing, signed_names = _signing(key_id, date[:8], region, service), ";".join(names)
    lines = "".join([f"{name}:{' '.join(sent[name].split())}\n" for name in names])
    asked = f"{_canonical_path(whole, service)}\n{sigv4.canonical_query(query) if query else ''}"
    canonical = f"{method}\n{asked}\n{lines}\n{signed_names}\n{payload}"
    text = f"{HMAC}\n{date}\n{signing.scope}\n{hashlib.sha256(canonical.encode('latin-1', 'replace')).hexdigest()}"
    signature = sigv4.signature_of(signing, secret, text)
    sent["authorization"] = (
        f"{HMAC} Credential={signing.credential}, SignedHeaders={signed_names}, Signature={signature}"
    )
    sent[ACCOUNT] = caller
    if length is not None:
        sent["content-length"] = str(length)
    told = "".join([f"{name}: {value}\r\n" for name, value in sent.items()])
    target = f"{whole}?{query}" if query else whole
    return f"{method} {target} HTTP/1.1\r\n{told}\r\n".encode("latin-1", "replace")


@lru_cache(maxsize=1024)
def _check_names(*names: str) -> None:
    """INVARIANT: what stands in a head ends no line of it: behind one a request of the caller's own could begin."""
    if not all(map(_NAME.fullmatch, names)):
        raise AwsError("InvalidRequest", "An account or a Region that this request names is none.", status=400)


@lru_cache(maxsize=1024)
def _signing(key_id: str, day: str, region: str, service: str) -> Signed:
    """What signatures of a key say of themselves all day."""
    credential = f"{key_id}/{day}/{region}/{service}/{_TERMINATOR}"
    return Signed(HMAC, credential, key_id, day, region, service, _TERMINATOR, [], "", "", 0, "", presigned=False)


def _canonical_path(path: str, service: str) -> str:
    if service == "s3":
        return sigv4_s3.canonical_path(path)
    return path if path == "/" else sigv4.canonical_path(path)


def in_one_reading(body: bytes) -> bytes:
    """JSON without the sign that parts a form: moto looks for an `Action` there first, and does that instead."""
    return body.replace(b"&", b"\\u0026") if b"&" in body else body


_TERMINATOR: Final = "aws4_request"
OF_NOTHING: Final = sigv4.EMPTY_DIGEST
"""The digest of no body."""
_UNSIGNED: Final = frozenset({"user-agent", "amz-sdk-invocation-id", "amz-sdk-request", "accept", "origin"})


def digest(body: bytes) -> str:
    """The digest of a body, as it is signed."""
    return hashlib.sha256(body).hexdigest() if body else OF_NOTHING
