"""DPoP (RFC 9449): a tool proves with each request that it holds the key that its tokens are bound to."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from sts_emulator.accounts import single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core import clock
from sts_emulator.core.store import Kind
from sts_emulator.methods.console_login.sign_in_errors import invalid
from sts_emulator.methods.tokens import jwt
from sts_emulator.methods.tokens.jwk import KeySet
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context

HEADER: Final = "dpop"
_TOLERANCE: Final = 300  # seconds that the tool's clock may be off: as for signatures, by real time
_LONGEST: Final = 4_096
_LONGEST_ID: Final = 256
_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{2,43}")  # base64 of up to 32 octets
_SPENT: Final[Kind[Kept]] = Kind("dpop-proof")


def prove(ctx: Context, url: str) -> str:
    """The thumbprint (RFC 7638) of the key that signed this request's proof, which is used up.

    Raises:
        AwsError: ValidationException: missing, malformed, forged, for another request, too old, or used before.
    """
    assert ctx.request is not None, "an operation has a request"
    text = ctx.request.headers.get(HEADER, "")
    header = _header(text)
    key = header.get("jwk")
    if header.get("typ") != "dpop+jwt" or header.get("alg") != "ES256" or not isinstance(key, dict) or "d" in key:
        raise _wrong(ctx, "its header is not that of a proof with a public P-256 key")
    x, y = _padded(key.get("x")), _padded(key.get("y"))
    public = {"crv": key.get("crv"), "kty": key.get("kty"), "x": x, "y": y}
    thumbprint = _thumbprint(public)
    try:
        token = jwt.parse(text)
        verify = KeySet({"keys": [{**public, "kid": thumbprint}]}).verifier(thumbprint, "ES256")
        if verify is None:
            raise _wrong(ctx, "its key is none of P-256")
        claims = token.claims(verify)
    except jwt.NotAToken as why:
        raise _wrong(ctx, str(why)) from None
    except jwt.BadSignature:
        raise _wrong(ctx, "its signature is not of the key that it shows") from None
    _check(ctx, claims, url)
    _spend(ctx, thumbprint, str(claims["jti"]))
    return thumbprint


def _check(ctx: Context, claims: Mapping[str, object], url: str) -> None:
    issued, identifier = claims.get("iat"), claims.get("jti")
    if claims.get("htm") != "POST" or _bare(claims.get("htu")) != _bare(url):
        raise _wrong(ctx, f"it is for another request than POST {url}")
    if not isinstance(issued, int) or isinstance(issued, bool) or abs(issued - clock.real()) > _TOLERANCE:
        raise _wrong(ctx, "it was not made within the last five minutes")
    if not isinstance(identifier, str) or not 0 < len(identifier) <= _LONGEST_ID:
        raise _wrong(ctx, "it has no id")


def _spend(ctx: Context, thumbprint: str, identifier: str) -> None:
    name = hashlib.sha256(f"{thumbprint}\0{identifier}".encode("utf-8", "replace")).hexdigest()
    if not single_use.spend(ctx.world, _SPENT, name, int(ctx.world.now()) + 2 * _TOLERANCE):
        raise _wrong(ctx, "it was used before")


def _header(text: str) -> JsonObject:
    """The header, unproven: it says which key must prove the rest, which is what DPoP is about."""
    try:
        head = text[:_LONGEST].partition(".")[0]
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return {}
    return header if isinstance(header, dict) and len(text) <= _LONGEST else {}


def _padded(coordinate: object) -> str:
    """A coordinate of P-256 in all its 32 octets (RFC 7518, 6.2.1.2); "" for what is none.

    awscrt writes one that begins with a zero byte without it, as long as the key was not read from a file: a tool that
    logged in with such a key, one in 64, has the same key when it renews.
    """
    if not isinstance(coordinate, str) or not _COORDINATE.fullmatch(coordinate) or len(coordinate) % 4 == 1:
        return ""
    octets = base64.urlsafe_b64decode(coordinate + "=" * (-len(coordinate) % 4))
    return base64.urlsafe_b64encode(octets.rjust(32, b"\0")).rstrip(b"=").decode()


def _thumbprint(public: JsonObject) -> str:
    text = json.dumps(public, separators=(",", ":"), sort_keys=True)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode("utf-8", "replace")).digest()).rstrip(b"=").decode()


def _bare(url: object) -> tuple[str, str, str]:
    """Without query and fragment (RFC 9449, 4.3); scheme and host in any case of letters."""
    try:
        parts = urlsplit(url) if isinstance(url, str) else urlsplit("")
    except ValueError:
        return "", "", ""
    return parts.scheme.lower(), parts.netloc.lower(), parts.path


def _wrong(ctx: Context, why: str) -> Exception:
    ctx.evidence["refused"] = f"the DPoP proof is refused: {why}"
    return invalid("The DPoP proof is invalid")
