"""Signature Version 4: what a request claims to be signed with, and whether the signature holds.

`read` takes the claim apart, `check` compares it with the clock and the service, `verify` recomputes the signature. The
order of checks and their texts are AWS's (docs/aws/signatures.md, "Order of checks"); key and token are looked up
between `check` and `verify`, by whoever owns them. The Host header is taken as received: clients sign names that are
not ours (docs/aws/clients.md, "Host headers").
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final, NamedTuple
from urllib.parse import quote

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import http, timestamps
from sts_emulator.wire.http import Request

HMAC: Final = "AWS4-HMAC-SHA256"
ECDSA: Final = "AWS4-ECDSA-P256-SHA256"
SKEW: Final = 900
"""Seconds that a request's date may lie in the past or the future, presigned or not.

Source: docs/aws/signatures.md, "Clock, headers, throttling".
"""

# What SDKs send in front of the signature, to the letter, and the same all day: taken apart once. Anything else goes
# the long way, which names its mistakes.
_USUAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,=\s]+), ?SignedHeaders=([^,=\s]+), ?", re.ASCII)
_LONGEST_USUAL: Final = 512
_LONGEST_DATE: Final = 32
_HEX_DIGITS: Final = 64
_UNSIGNED = "UNSIGNED-PAYLOAD"
EMPTY_DIGEST = hashlib.sha256(b"").hexdigest()
_EXTENDED_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
_SCOPE_PARTS: Final = 5
_DATE_LENGTH: Final = 8
_REGION = re.compile(r"[a-z0-9-]{1,64}")
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_PRESIGNED_PARTS = ("X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date")


Claim = tuple[str, str, str, str, str, str, str, list[str]]


class Signed(NamedTuple):
    """What a request claims: whose key, for which day, region and service, over which headers, and the signature.

    `date` is the request's time in ISO 8601 basic format and `time` the same in epoch seconds; `scope_date` is the day
    of the credential scope. `region` is "" for SigV4a, whose scope has none. `token` is the session token or "".
    """

    algorithm: str
    credential: str
    access_key_id: str
    scope_date: str
    region: str
    service: str
    terminator: str
    signed_headers: list[str]
    signature: str
    date: str
    time: int
    token: str
    presigned: bool

    @property
    def scope(self) -> str:
        """The credential scope as it stands in the string to sign."""
        return self.credential.partition("/")[2]


def read(request: Request, algorithms: Collection[str] = (HMAC, ECDSA)) -> Signed | None:
    """The signature that a request carries in its Authorization header or query, None if it carries none.

    Raises:
        AwsError: `IncompleteSignature`, `MissingAuthenticationToken` or `SignatureDoesNotMatch`, as steps 5b to 9 and
            12 of docs/aws/signatures.md, "Order of checks" have it.
    """
    headers = request.headers
    header = headers.get("authorization")
    if "X-Amz-Algorithm=" in request.query:
        if header is not None:
            raise AwsError("SignatureDoesNotMatch", status=403)
        return _read_query(request, algorithms)
    if header is None:
        return None
    date = headers.get("x-amz-date") or headers.get("date")
    token = headers.get("x-amz-security-token", "")
    front, _, signature = header.rpartition("Signature=")
    if date and len(signature) == _HEX_DIGITS and signature.isalnum() and len(front) < _LONGEST_USUAL:
        usual = _usual(front)
        if usual and HMAC in algorithms:
            return _signed(usual, signature, date, token)
    return _read_header(header, date, token, algorithms)


def _read_header(header: str, date: str | None, token: str, algorithms: Collection[str]) -> Signed:
    algorithm, _, rest = header.partition(" ")
    if algorithm not in algorithms:
        raise _incomplete(f"Unsupported AWS 'algorithm': '{algorithm}'.")
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise _incomplete(
                f"'{part.strip()}' not a valid key=value pair (missing equal-sign) in Authorization header: '{header}'"
            )
        parts[name] = value
    missing = [
        f"Authorization header requires '{name}' parameter."
        for name in ("Credential", "Signature", "SignedHeaders")
        if not parts.get(name)
    ]
    if not date:
        missing.append("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
    if missing or not date:
        digest = b64encode(hashlib.sha256(header.encode("utf-8", "replace")).digest()).decode()
        missing.append(f"(Hashed with SHA-256 and encoded with Base64) Authorization={digest}")
        raise _incomplete(" ".join(missing))
    return _signed(_claim(algorithm, parts["Credential"], parts["SignedHeaders"]), parts["Signature"], date, token)


@lru_cache(maxsize=1024)
def _usual(front: str) -> Claim | None:
    match = _USUAL.fullmatch(front)
    return _claim(HMAC, *match.groups()) if match else None


def _read_query(request: Request, algorithms: Collection[str]) -> Signed:
    given = http.form(request.query)
    algorithm = given.get("X-Amz-Algorithm", "")
    if algorithm not in algorithms:
        raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", status=403)
    missing = [
        f"AWS query-string parameters must include '{name}'." for name in _PRESIGNED_PARTS if not given.get(name)
    ]
    if missing:
        raise _incomplete(" ".join([*missing, "Re-examine the query-string parameters."]))
    credential, signature, headers, date = (given[name] for name in _PRESIGNED_PARTS)
    token = given.get("X-Amz-Security-Token", "") or request.headers.get("x-amz-security-token", "")
    return _signed(_claim(algorithm, credential, headers), signature, date, token, presigned=True)


def _claim(algorithm: str, credential: str, headers: str) -> Claim:
    """Everything that a signature claims beside itself and its time."""
    signed_headers = headers.split(";")
    if "host" not in signed_headers and ":authority" not in signed_headers:
        raise AwsError(
            "SignatureDoesNotMatch",
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
            status=403,
        )
    key_id, scope_date, region, service, terminator = _scope(algorithm, credential) or (credential, "", "", "", "")
    return algorithm, credential, key_id, scope_date, region, service, terminator, signed_headers


def _signed(claim: Claim, signature: str, date: str, token: str, *, presigned: bool = False) -> Signed:
    basic, time = (_short_date if len(date) < _LONGEST_DATE else _date)(date)
    return Signed._make((*claim, signature, basic, time, token, presigned))


def _scope(algorithm: str, credential: str) -> list[str] | None:
    """Key id, date, region, service and terminator of a credential; None if it has another number of parts."""
    parts = credential.split("/")
    if algorithm == ECDSA:
        parts.insert(2, "")  # SigV4a's scope has no region (docs/aws/signatures.md, "SigV4a")
    return parts if len(parts) == _SCOPE_PARTS else None


def _date(date: str) -> tuple[str, int]:
    extended = _EXTENDED_DATE.fullmatch(date)  # tolerated in the header, not in the string to sign
    basic = "{}{}{}T{}{}{}Z".format(*extended.groups()) if extended else date
    try:
        return basic, timestamps.parse_basic(basic)
    except ValueError:
        raise _incomplete(
            f"Date must be in ISO-8601 'basic format'. Got '{date}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ) from None


_short_date = lru_cache(maxsize=64)(_date)


def check(signed: Signed, now: float, service: str, region: str | None = None) -> None:
    """Compare a claim with the real time and with the service that it is sent to.

    `now` is in epoch seconds, `service` the signing name; without `region` any well-formed region will do.

    Raises:
        AwsError: `SignatureDoesNotMatch` or `IncompleteSignature`, steps 10 to 13 of
        docs/aws/signatures.md, "Order of checks".
    """
    if abs(now - signed.time) > SKEW:
        raise _skewed(signed, now)
    if not signed.terminator and _scope(signed.algorithm, signed.credential) is None:
        raise _incomplete(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
            f"got '{signed.credential}'"
        )
    expected = signed.region == region if region else _REGION.fullmatch(signed.region) or signed.algorithm == ECDSA
    if not (
        expected
        and signed.service == service
        and signed.terminator == "aws4_request"
        and signed.date.startswith(signed.scope_date)
        and len(signed.scope_date) == _DATE_LENGTH
    ):
        raise AwsError("SignatureDoesNotMatch", " ".join(_misscoped(signed, service, bool(expected))), status=403)


def _misscoped(signed: Signed, service: str, region_is_valid: bool) -> Iterator[str]:
    if not region_is_valid:
        yield f"Credential should be scoped to a valid region, not '{signed.region}'."
    if signed.service != service:
        yield f"Credential should be scoped to correct service: '{service}'."
    if signed.terminator != "aws4_request":
        yield f"Credential should be scoped with a valid terminator: 'aws4_request', not '{signed.terminator}'."
    date = signed.date[:_DATE_LENGTH]
    if signed.scope_date != date:
        yield (
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
            f"'{signed.scope_date}' != '{date}', from '{signed.date}'."
        )


def _skewed(signed: Signed, now: float) -> AwsError:
    present = timestamps.basic(now)
    if signed.time < now:
        text = (
            f"Signature expired: {signed.date} is now earlier than {timestamps.basic(now - SKEW)} "
            f"({present} - {SKEW // 60} min.)"
        )
    else:
        text = (
            f"Signature not yet current: {signed.date} is still later than {timestamps.basic(now + SKEW)} "
            f"({present} + {SKEW // 60} min.)"
        )
    return AwsError("SignatureDoesNotMatch", text, status=403)


def verify(request: Request, signed: Signed, secret: str) -> None:
    """Recompute the signature with the key's secret and compare it in constant time.

    Raises:
        AwsError: `SignatureDoesNotMatch`; services other than STS add what was signed
        (docs/aws/signatures.md, "Order of checks").
    """
    text = digested(signed, canonical_request(request, signed))
    if signed.algorithm == ECDSA:
        from sts_emulator.wire import sigv4a

        genuine = sigv4a.verify(signed.access_key_id, secret, signed.signature, text)
    else:
        genuine = is_equal(signed.signature, signature_of(signed, secret, text))
    if not genuine:
        raise AwsError("SignatureDoesNotMatch", _mismatch(request, signed, text), status=403)


def is_equal(given: str, mine: str) -> bool:
    """Whether two signatures are the same, in constant time."""
    return given.isascii() and hmac.compare_digest(mine, given)


def signature_of(signed: Signed, secret: str, text: str) -> str:
    """What a key's secret makes of a string to sign, in the scope that was claimed."""
    inner, outer = _signing_key(secret, signed.scope_date, signed.region, signed.service)
    digest = hashlib.sha256(inner + text.encode("utf-8", "replace")).digest()
    return hashlib.sha256(outer + digest).hexdigest()


@lru_cache(maxsize=4096)
def _signing_key(secret: str, date: str, region: str, service: str) -> tuple[bytes, bytes]:
    """The signing key as HMAC starts its two hashes with it (RFC 2104).

    `hmac.digest` sets OpenSSL's HMAC up anew each time, for twice the price.
    """
    key = f"AWS4{secret}".encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode("utf-8", "replace"), "sha256")
    padded = key.ljust(64, b"\0")
    return padded.translate(hmac.trans_36), padded.translate(hmac.trans_5C)


def string_to_sign(request: Request, signed: Signed, path: str | None = None) -> str:
    """What was signed: algorithm, date, scope and the digest of the canonical request.

    `path` stands in for the signed path, for clients that sign another one than they ask for.
    """
    return digested(signed, canonical_request(request, signed, path))


def digested(signed: Signed, canonical: str) -> str:
    """The string to sign of a canonical request."""
    try:
        raw = canonical.encode("latin-1")  # headers are decoded so: this gives back the bytes that were sent
    except UnicodeEncodeError:
        raw = canonical.encode("utf-8", "replace")
    return f"{signed.algorithm}\n{signed.date}\n{signed.scope}\n{hashlib.sha256(raw).hexdigest()}"


def canonical_request(request: Request, signed: Signed, path: str | None = None) -> str:
    """The canonical request over the signed headers, as the client should have built it."""
    uri = request.signed_path if path is None else path
    return canonical(request, signed, uri if uri == "/" else canonical_path(uri), _payload(request))


def canonical(request: Request, signed: Signed, uri: str, payload: str) -> str:
    """The canonical request of a canonical path and a payload's digest: S3 has its own of both."""
    names, headers = signed.signed_headers, request.headers
    if ":authority" in names:
        headers = {**headers, ":authority": headers.get("host", "")}
    lines = "".join([f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names])
    query = canonical_query(request.query) if request.query else ""
    return f"{request.method}\n{uri}\n{query}\n{lines}\n{';'.join(names)}\n{payload}"


def canonical_path(path: str) -> str:
    """Dot segments and empty ones removed, then each escaped again (once more than on the wire: all but S3 do so)."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    trailing = "/" if segments and path.endswith("/") else ""
    return quote(f"/{'/'.join(segments)}{trailing}", safe="/~")


def canonical_query(query: str) -> str:
    """The pairs of a query, escaped anew and sorted, without a presigned URL's signature."""
    escaped = [
        (quote(name, safe="~"), quote(value, safe="~"))
        for name, value in http.pairs(query)
        if name != "X-Amz-Signature"
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(escaped))


def _payload(request: Request) -> str:
    """The payload's digest; the client may have signed the body away, which that same line then says."""
    if request.headers.get("x-amz-content-sha256") == _UNSIGNED:
        return _UNSIGNED
    if not request.body:
        return EMPTY_DIGEST
    return _short_digest(request.body) if len(request.body) <= http.SHORT_FORM else _digest(request.body)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


_short_digest = lru_cache(maxsize=256)(_digest)


def _mismatch(request: Request, signed: Signed, text: str) -> str:
    if signed.service == "sts":
        return _MISMATCH
    canonical = canonical_request(request, signed)
    return (
        f"{_MISMATCH}\n\nThe Canonical String for this request should have been\n'{canonical}'\n\n"
        f"The String-to-Sign should have been\n'{text}'\n"
    )


def _incomplete(message: str) -> AwsError:
    return AwsError("IncompleteSignature", message, status=400)
