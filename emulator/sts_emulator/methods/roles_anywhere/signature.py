"""The proof itself: a request signed with the key of the certificate that it carries (AWS4-X509-*).

Canonicalised as Signature Version 4 is, signed with the private key instead of a derived secret; the serial number
stands where the access key id would (docs/aws/roles-anywhere.md, "CreateSession", "Signature"). AWS answers every
mismatch, also one of the clock, with the same two words; the event has the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.roles_anywhere import certificates
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.wire import sigv4
from sts_emulator.wire.http import Request
from sts_emulator.wire.sigv4 import Signed

if TYPE_CHECKING:
    from cryptography import x509

RSA: Final = "AWS4-X509-RSA-SHA256"
ECDSA: Final = "AWS4-X509-ECDSA-SHA256"
MLDSA: Final = "AWS4-X509-MLDSA"
ALGORITHMS: Final = (RSA, ECDSA, MLDSA)

SIGNED_PATH: Final = "/sessions"
"""What aws_signing_helper signs, whatever prefix its endpoint has; others sign the path that they ask for."""

_CERTIFICATE = "x-amz-x509"
_CHAIN = "x-amz-x509-chain"
_MAX_SIGNATURE: Final = 10_000  # hex digits; ML-DSA-87's has 9,254


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed: the end entity's certificate, the signed chain header as it came, and the region signed for."""

    certificate: x509.Certificate
    chain: str
    region: str


class ForgedError(Exception):
    """The signature proves nothing; the message says why, for the event only."""


def prove(request: Request) -> Signer:
    """Who signed the request, proven; whether that certificate is trusted is not yet asked.

    Dates are judged by the real clock, as all signatures are: worlds move only what has business meaning.

    Raises:
        ForgedError: the signature is missing, misshapen, out of its window of 15 minutes, or over other bytes.
    """
    try:
        signed = sigv4.read(request, ALGORITHMS)
        if signed is None:
            raise ForgedError("the request is not signed")
        sigv4.check(signed, clock.real(), "rolesanywhere")
    except AwsError as wrong:
        raise ForgedError(wrong.message or wrong.code) from None
    _check_coverage(request, signed)
    try:
        certificate = certificates.load_encoded(request.headers[_CERTIFICATE])
    except ValueError as wrong:
        raise ForgedError(str(wrong)) from None
    if signed.access_key_id != str(certificate.serial_number):
        raise ForgedError("the credential is not the certificate's serial number in decimal")
    _verify(request, signed, certificate)
    return Signer(certificate, request.headers.get(_CHAIN, ""), signed.region)


def _check_coverage(request: Request, signed: Signed) -> None:
    if signed.presigned:
        raise ForgedError("the signature stands in the query")
    for name in ("x-amz-date", _CERTIFICATE, *((_CHAIN,) if _CHAIN in request.headers else ())):
        if name not in request.headers or name not in signed.signed_headers:
            raise ForgedError(f"the header {name} is not signed")
    unsent = [name for name in signed.signed_headers if name not in request.headers]
    if unsent:
        raise ForgedError(f"the signed header {unsent[0]} was not sent")


def _verify(request: Request, signed: Signed, certificate: x509.Certificate) -> None:
    from cryptography.exceptions import InvalidSignature

    if len(signed.signature) > _MAX_SIGNATURE:
        raise ForgedError("the signature is too long")
    try:
        signature = bytes.fromhex(signed.signature)
        key = certificates.key_of(certificate)
    except ValueError as wrong:
        raise ForgedError(f"the signature or the key cannot be read: {wrong}") from None
    for path in dict.fromkeys((SIGNED_PATH, request.signed_path)):
        text = sigv4.string_to_sign(request, signed, path).encode("utf-8", "replace")
        try:
            _verify_with(key, signed.algorithm, signature, text)
        except (InvalidSignature, ValueError):  # the latter from keys too small for the digest
            continue
        return
    raise ForgedError("the signature is over other bytes, or by another key")


def _verify_with(key: object, algorithm: str, signature: bytes, text: bytes) -> None:
    """Verify one signature. Raises InvalidSignature; ForgedError when the algorithm is not the key's."""
    from cryptography.hazmat.primitives.asymmetric import ec, mldsa, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256

    if algorithm == RSA and isinstance(key, rsa.RSAPublicKey):
        if key.key_size > certificates.MAX_RSA_BITS:
            raise ForgedError(f"the RSA key has {key.key_size} bits")
        key.verify(signature, text, padding.PKCS1v15(), SHA256())
    elif algorithm == ECDSA and isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, text, ec.ECDSA(SHA256()))
    elif algorithm == MLDSA and isinstance(
        key, mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
    ):
        key.verify(signature, text)
    else:
        raise ForgedError(f"the certificate's key cannot sign with {algorithm}")
