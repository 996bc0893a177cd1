"""Says of a wrong signature what was signed instead, where one of the usual differences explains it.

The key's secret is known, so each suspicion can be tried: the one whose signature is the client's is what it signed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

from sts_emulator.wire import http, sigv4
from sts_emulator.wire.http import Request
from sts_emulator.wire.sigv4 import Signed

LONGEST = 4_096  # characters that are kept of a canonical request
UNEXPLAINED = "the secret is another one than this key's, or something else was changed after signing"
_HIDDEN = re.compile(
    r"(?im)^(x-amz-security-token:)\S.*$|((?:^|&)(?:X-Amz-Security-Token|WebIdentityToken|SAMLAssertion|TokenCode"
    r"|[A-Za-z]*Password|PrivateKey|AddPrivateKey)=)[^&\n]*"
)
_METHOD, _PATH, _QUERY = range(3)
_NAMES = {_METHOD: "the method", _PATH: "the path", _QUERY: "the query"}


def diagnose(request: Request, signed: Signed, secret: str, canonical: str = "") -> dict[str, Any]:
    """What the event of a refused signature tells: the canonical request, the string to sign, and what differs.

    The canonical request is built as all services but S3 do it, unless it is given.
    """
    canonical = canonical or sigv4.canonical_request(request, signed)
    why = _why(request, signed, secret, canonical)
    return {
        "refused": f"the signature is not that of this request with this key's secret: {why}",
        "canonicalRequest": _shown(canonical),
        "stringToSign": sigv4.digested(signed, canonical),
    }


def _why(request: Request, signed: Signed, secret: str, canonical: str) -> str:
    if signed.algorithm != sigv4.HMAC:
        return UNEXPLAINED
    lines = canonical.split("\n")
    for number, instead in _suspicions(request, signed, lines):
        if instead == lines[number]:
            continue
        suspected = "\n".join([*lines[:number], instead, *lines[number + 1 :]])
        if sigv4.is_equal(signed.signature, sigv4.signature_of(signed, secret, sigv4.digested(signed, suspected))):
            return _difference(number, lines, instead)
    return UNEXPLAINED


def _difference(number: int, lines: list[str], instead: str) -> str:
    if number == len(lines) - 1:
        return f"the body was changed after it was signed: the client signed the digest {_shown(instead)}"
    name = _NAMES.get(number) or f"the header {lines[number].partition(':')[0]}"
    return f"{name} differs: the client signed `{_shown(instead)}`, `{_shown(lines[number])}` arrived"


def _suspicions(request: Request, signed: Signed, lines: list[str]) -> Iterator[tuple[int, str]]:
    """Lines of the canonical request, and what a client may have signed in their place."""
    for method in ("GET", "POST", "PUT", "DELETE"):
        yield _METHOD, method
    path = request.signed_path
    for other in (path, unquote(path), quote(unquote(path), safe="/~"), path.rstrip("/") or "/", "/"):
        yield _PATH, other
    for other in ("", request.query, _sorted(request.query)):
        yield _QUERY, other
    for number, line in enumerate(lines):
        if line.startswith("host:"):
            yield from ((number, text) for text in _hosts(line, signed))
    digest = request.headers.get("x-amz-content-sha256", "")
    for other in (digest, "UNSIGNED-PAYLOAD", sigv4.EMPTY_DIGEST):
        if other:
            yield len(lines) - 1, other


def _hosts(line: str, signed: Signed) -> Iterator[str]:
    """The header `host` as it was perhaps before a proxy changed it."""
    bare = line.removeprefix("host:").partition(":")[0]
    domain = "amazonaws.com"
    for host in (
        bare,
        f"{bare}:443",
        f"{bare}:80",
        f"{signed.service}.{signed.region}.{domain}",
        f"{signed.service}.{domain}",
    ):
        yield f"host:{host}"


def _sorted(query: str) -> str:
    """The query as clients escape it that write a space as `+`, or nothing at all."""
    return "&".join(sorted(f"{name}={value}" for name, value in http.pairs(query)))


def _shown(text: str) -> str:
    """The text without secrets, and not longer than an event may keep."""
    shown = _HIDDEN.sub(lambda match: f"{match[1] or match[2]}(hidden)", text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}… ({len(shown)} characters)"
