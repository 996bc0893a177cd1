"""Takes a signed token (JWS compact form) apart, and gives its claims only to whoever has a key that proves them.

Written by hand because the libraries cost four times the RSA check itself (docs/aws/performance.md, "Components"); a
library is the oracle of the tests instead. Everything here is attacker's input: sizes and shape are checked before
anything is decoded, and no header but `alg` and `kid` is looked at, so `jku`, `x5u`, `jwk` and `x5c` bring no keys of
their own.
"""

from __future__ import annotations

import binascii
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.policy.light_dataclass import dataclass

MAX_LENGTH: Final = 20_000
"""Characters of a token: the model's limit of WebIdentityToken."""

Verify = Callable[[bytes, bytes], bool]
"""Whether (signed bytes, signature) belong together: one key, with one algorithm."""

# One class a part, so that no backtracking is possible; also the alphabet check that a lenient base64 decoder skips.
_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")
_SHORT: Final = 256
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class NotAToken(ValueError):  # noqa: N818 - what it says of the input
    """The text is no JWS in compact form whose header and payload are JSON objects, or uses what is refused."""


class BadSignature(Exception):  # noqa: N818 - what it says of the token
    """The key does not prove the token."""


@dataclass(slots=True)
class Token:
    """A token taken apart. `algorithm` and `key_id` only say which key to try: nothing is proven yet.

    `key_id` is None when the header has none.
    """

    algorithm: str
    key_id: str | None
    _signed: bytes
    _signature: bytes
    _claims: Mapping[str, Any]

    def hint(self, claim: str) -> Json:
        """What a claim says, unproven: good for choosing the key that must prove it, and for nothing else."""
        return self._claims.get(claim)

    def claims(self, verify: Verify) -> JsonObject:
        """The claims, proven by a key. INVARIANT: there is no other way to all of them, or to believe one.

        Raises:
            BadSignature: the signature is not of that key and algorithm.
        """
        if not verify(self._signed, self._signature):
            raise BadSignature
        return self._claims


def parse(text: str) -> Token:
    """Take a token apart without believing any of it.

    Of members that occur twice the last counts, as in AWS (docs/aws/web-identity.md, "Rules for tokens").

    Raises:
        NotAToken: too long, not three base64url parts, not JSON objects in UTF-8, numbers that JSON does not have,
            a `crit` header, an unencoded payload (`b64`), or an `alg` or `kid` that is not a string.
    """
    match = _SHAPE.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        raise NotAToken("not three base64url parts of permitted length")
    head, body, signature = match.groups()
    algorithm, key_id = (_short_header if len(head) <= _SHORT else _header)(head)
    claims = _object(body)
    signed = text[: match.end(2)].encode("ascii")
    return Token(algorithm, key_id, signed, _decode(signature), claims)


def _header(head: str) -> tuple[str, str | None]:
    header = _object(head)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or not (key_id is None or isinstance(key_id, str)):
        raise NotAToken("alg and kid must be strings")
    if "crit" in header or "b64" in header:
        raise NotAToken("critical header extensions and unencoded payloads are refused")
    return algorithm, key_id


_short_header = lru_cache(maxsize=256)(_header)  # an issuer writes the same one until it changes its key


def _object(part: str) -> JsonObject:
    try:
        text = _decode(part).decode("utf-8")
        value = _JSON.decode(text)
    except (ValueError, RecursionError):  # among them: bad UTF-8, NaN, numbers of thousands of digits, deep nesting
        raise NotAToken("header and payload must be JSON") from None
    if not isinstance(value, dict):
        raise NotAToken("header and payload must be JSON objects")
    if "\\u" in text and _has_lone_surrogate(value):
        raise NotAToken("header and payload must be Unicode text")
    return value


def _decode(part: str) -> bytes:
    try:
        return binascii.a2b_base64((part + "==").encode("ascii").translate(_URL_SAFE))
    except binascii.Error:
        raise NotAToken("a part has an impossible length") from None


def _has_lone_surrogate(value: JsonObject) -> bool:
    # JSON can escape half a surrogate pair, which no UTF-8 reply, session or event could hold.
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


_JSON = json.JSONDecoder(parse_constant=_refuse_constant)
