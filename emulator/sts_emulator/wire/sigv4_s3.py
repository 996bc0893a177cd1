"""How S3 is signed: its path escaped once, its payload named by a header, its URLs valid for as long as they say.

Source: S3 API Reference, "Authenticating Requests (AWS Signature Version 4)"; docs/aws/s3-and-gateway.md, "Requests and
errors".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, unquote_to_bytes

from sts_emulator.core.errors import AwsError
from sts_emulator.wire import http, sigv4, sigv4a, timestamps
from sts_emulator.wire.http import Request
from sts_emulator.wire.sigv4 import ECDSA, SKEW, Signed

UNSIGNED: Final = "UNSIGNED-PAYLOAD"
UNSIGNED_TRAILER: Final = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
STREAMED: Final = {
    UNSIGNED_TRAILER: "",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": "AWS4-HMAC-SHA256",
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": "AWS4-HMAC-SHA256",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD": "AWS4-ECDSA-P256-SHA256",
    "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER": "AWS4-ECDSA-P256-SHA256",
}
"""What a payload that comes in chunks says of itself, and the algorithm that signs its chunks."""

LONGEST_LIFE: Final = 604_800
_DIGEST = re.compile("[0-9a-f]{64}")
_NOTHING_TO_ESCAPE = re.compile("[A-Za-z0-9/~._-]*")
_HEADERS_FREE: Final = frozenset({"x-amz-content-sha256", "x-amz-security-token"})


def check_time(signed: Signed, query: str, now: float) -> None:
    """Compare a signature's date with the real time; a presigned URL lives as long as it says, a week at most.

    Raises:
        AwsError: `RequestTimeTooSkewed`, `AccessDenied` or `AuthorizationQueryParametersError`.
    """
    if not signed.presigned:
        if abs(now - signed.time) > SKEW:
            raise AwsError(
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
                status=403,
            )
        return
    life = http.form(query).get("X-Amz-Expires", "")
    if not (life.isascii() and life.isdigit() and len(life) <= len(str(LONGEST_LIFE)) and int(life) <= LONGEST_LIFE):
        text = (
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
            f"{LONGEST_LIFE} seconds"
        )
        raise AwsError("AuthorizationQueryParametersError", text)
    if signed.time > now + SKEW:
        raise AwsError("AccessDenied", "Request is not yet valid", status=403)
    if now > signed.time + int(life):
        members = {"X-Amz-Expires": life, "Expires": timestamps.iso(signed.time + int(life))}
        raise AwsError("AccessDenied", "Request has expired", status=403, members=members)


def payload(request: Request, signed: Signed) -> str:
    """What stands for the payload in the canonical request.

    Raises:
        AwsError: `InvalidRequest` or `InvalidArgument`, where the header is missing or says nothing known.
    """
    given = request.headers.get("x-amz-content-sha256", "")
    if signed.presigned:
        said = http.form(request.query).get("X-Amz-Content-Sha256", "") or given
        return said if _is_known(said) else UNSIGNED
    if not given:
        raise AwsError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    if not _is_known(given):
        text = (
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, "
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid "
            "sha256 value."
        )
        raise AwsError("InvalidArgument", text)
    return given


def _is_known(said: str) -> bool:
    return said == UNSIGNED or said in STREAMED or _DIGEST.fullmatch(said) is not None


def verify(request: Request, signed: Signed, secret: str) -> str:
    """Recompute the signature of a request to S3; returns what it says of its payload.

    Raises:
        AwsError: `SignatureDoesNotMatch`, or `AccessDenied` where a header came that is not signed.
    """
    said = payload(request, signed)
    canonical = sigv4.canonical(request, signed, canonical_path(request.signed_path), said)
    text = sigv4.digested(signed, canonical)
    if not (is_genuine(signed, secret, signed.signature, text) or _signed_as_sent(request, signed, secret, said)):
        members = {
            "AWSAccessKeyId": signed.access_key_id,
            "StringToSign": text,
            "SignatureProvided": signed.signature,
            "CanonicalRequest": canonical,
        }
        raise mismatched(members)
    unsigned = [
        name
        for name in request.headers
        if name.startswith("x-amz-") and name not in signed.signed_headers and name not in _HEADERS_FREE
    ]
    if unsigned:
        raise AwsError(
            "AccessDenied",
            "There were headers present in the request which were not signed",
            status=403,
            members={"HeadersNotSigned": ", ".join(sorted(unsigned))},
        )
    return said


def _signed_as_sent(request: Request, signed: Signed, secret: str, said: str) -> bool:
    """Whether the path was signed as it was sent, as botocore does: other bytes may be escaped then."""
    if canonical_path(request.signed_path) == request.signed_path:
        return False
    text = sigv4.digested(signed, sigv4.canonical(request, signed, request.signed_path, said))
    return is_genuine(signed, secret, signed.signature, text)


def is_genuine(signed: Signed, secret: str, signature: str, text: str) -> bool:
    """Whether a signature is that of a string to sign, by the algorithm that the request claims."""
    if signed.algorithm == ECDSA:
        return sigv4a.verify(signed.access_key_id, secret, signature, text)
    return sigv4.is_equal(signature, sigv4.signature_of(signed, secret, text))


def mismatched(members: Mapping[str, str] | None = None) -> AwsError:
    """What S3 tells of a signature that is not the one that it has computed."""
    told = (
        "The request signature we calculated does not match the signature you provided. Check your key and signing "
        "method."
    )
    return AwsError("SignatureDoesNotMatch", told, status=403, members=members)


def canonical_path(path: str) -> str:
    """The path with each byte escaped that has to be, once."""
    if _NOTHING_TO_ESCAPE.fullmatch(path):
        return path
    return quote(unquote_to_bytes(path), safe="/~-._")


class ChunkSignatures:
    """The signatures of a payload's chunks, each of which covers the one before it."""

    def __init__(self, signed: Signed, secret: str, algorithm: str) -> None:
        self._signed = signed
        self._secret = secret
        self._algorithm = algorithm
        self._last = signed.signature

    def check_chunk(self, signature: str, digest: str) -> None:
        """Raises AwsError for a chunk that is not what was signed."""
        empty = hashlib.sha256(b"").hexdigest()
        self._check(signature, f"{self._algorithm}-PAYLOAD", f"{empty}\n{digest}")

    def check_trailer(self, signature: str, digest: str) -> None:
        """Likewise of the trailer."""
        self._check(signature, f"{self._algorithm}-TRAILER", digest)

    def _check(self, signature: str, kind: str, covered: str) -> None:
        text = f"{kind}\n{self._signed.date}\n{self._signed.scope}\n{self._last}\n{covered}"
        if not is_genuine(self._signed, self._secret, signature.rstrip("*"), text):
            raise mismatched()
        self._last = signature.rstrip("*")
