"""Certificates: read within limits, and judged by the constraints that IAM Roles Anywhere adds to path validation.

Source: docs/aws/roles-anywhere.md, "Certificates". Every judgement is a sentence that says what is wrong, empty when
nothing is; it goes to the event, while the client is told no more than AWS tells.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from cryptography import x509

MAX_DER: Final = 16_384
"""Bytes of one certificate; one with an ML-DSA-87 key and signature has about 8,000."""

MAX_CHAIN: Final = 5
"""Certificates behind the end entity's own."""

MAX_RSA_BITS: Final = 8_192
"""A larger key costs the verifier more than the caller."""

MIN_RSA_BITS: Final = 2_048

UNREADABLE: Final = "the certificate cannot be read"
NO_AUTHORITY: Final = "the certificate is not a certificate authority's"
NO_SIGNING: Final = "the certificate's key usage has no certificate signing"

_MAX_ENCODED: Final = -(-MAX_DER // 3) * 4
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_HASHES = frozenset({"sha256", "sha384", "sha512"})
_SIGNATURES = {  # what a certificate may be signed with, by object identifier
    "1.2.840.113549.1.1.10": "RSASSA-PSS",
    "1.2.840.113549.1.1.11": "RSA-SHA256",
    "1.2.840.113549.1.1.12": "RSA-SHA384",
    "1.2.840.113549.1.1.13": "RSA-SHA512",
    "1.2.840.10045.4.3.2": "ECDSA-SHA256",
    "1.2.840.10045.4.3.3": "ECDSA-SHA384",
    "1.2.840.10045.4.3.4": "ECDSA-SHA512",
    "2.16.840.1.101.3.4.3.17": "ML-DSA-44",
    "2.16.840.1.101.3.4.3.18": "ML-DSA-65",
    "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
}
_PSS = "1.2.840.113549.1.1.10"

Extension = TypeVar("Extension", bound="x509.ExtensionType")


def load(der: bytes) -> x509.Certificate:
    """A certificate from its DER. Raises ValueError: it is none, or larger than MAX_DER."""
    from cryptography import x509

    if len(der) > MAX_DER:
        raise ValueError("the certificate is too large")
    try:
        certificate = x509.load_der_x509_certificate(der)
        # Parsed only when looked at: whatever cannot be read is to come out here.
        readable = certificate.subject, certificate.issuer, certificate.not_valid_before_utc
    except (ValueError, TypeError, x509.InvalidVersion) as wrong:  # TypeError: a BIT STRING in a name
        raise ValueError(f"{UNREADABLE}: {wrong}") from None
    if certificate.serial_number <= 0 or not all(map(bool, readable[1:])):
        raise ValueError(f"{UNREADABLE}: no issuer, or a serial number that is not positive")
    return certificate


def load_encoded(text: str) -> x509.Certificate:
    """A certificate from the base64 of its DER, as the X-Amz-X509 headers have it.

    Raises:
        ValueError: it is none, or too large.
    """
    if len(text) > _MAX_ENCODED:
        raise ValueError("the certificate is too large")
    return load(base64.b64decode(text, validate=True))


def load_bundle(pem: str, most: int) -> list[x509.Certificate]:
    """The certificates of a PEM bundle, in its order.

    Raises:
        ValueError: there is none, there are more than `most`, or one cannot be read.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    if pem.count("-----BEGIN CERTIFICATE-----") > most:
        raise ValueError(f"more than {most} certificates")
    try:
        bundle = x509.load_pem_x509_certificates(pem.encode())
    except x509.InvalidVersion as wrong:
        raise ValueError(str(wrong)) from None
    return [load(certificate.public_bytes(Encoding.DER)) for certificate in bundle]


def to_pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def serial(certificate: x509.Certificate) -> str:
    """The serial number as AWS names sessions by it: big-endian, lower-case hex, whole bytes.

    Source: docs/aws/roles-anywhere.md, "Sessions".
    """
    text = f"{certificate.serial_number:x}"
    return "0" * (len(text) % 2) + text


def key_of(certificate: x509.Certificate) -> Any:
    """The public key. Raises ValueError: it is of a kind that cannot be read, or broken."""
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return certificate.public_key()
    except UnsupportedAlgorithm as unknown:
        raise ValueError(str(unknown)) from None


def extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    """One extension's value, None when the certificate does not have it.

    Raises:
        ValueError: the extensions cannot be read, or one stands there twice.
    """
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, TypeError) as wrong:
        raise ValueError(str(wrong)) from None


def end_entity_problem(certificate: x509.Certificate) -> str:
    """What keeps a certificate from signing a CreateSession request; empty when nothing does."""
    from cryptography import x509

    try:
        constraints = extension(certificate, x509.BasicConstraints)
        usage = extension(certificate, x509.KeyUsage)
        extension(certificate, x509.SubjectAlternativeName)
        problems = {
            "the certificate is not of version 3": certificate.version is not x509.Version.v3,
            "the certificate is a certificate authority's": constraints is not None and constraints.ca,
            "the certificate's key usage has no digital signature": usage is None or not usage.digital_signature,
            "the certificate's subject is empty": not list(certificate.subject),
        }
        return next((sentence for sentence, holds in problems.items() if holds), "") or weakness(certificate)
    except ValueError as unreadable:
        return f"{UNREADABLE}: {unreadable}"


def authority_problem(certificate: x509.Certificate, *, named: bool = False) -> str:
    """What keeps a certificate from vouching for others; empty when nothing does.

    `named` is for trust anchors, whose key usage must be there; intermediates may leave it out.
    """
    from cryptography import x509

    try:
        constraints = extension(certificate, x509.BasicConstraints)
        usage = extension(certificate, x509.KeyUsage)
        weak = weakness(certificate)
    except ValueError as unreadable:
        return f"{UNREADABLE}: {unreadable}"
    if constraints is None or not constraints.ca:
        return NO_AUTHORITY
    if (usage is None and named) or (usage is not None and not usage.key_cert_sign):
        return NO_SIGNING
    return weak


def weakness(certificate: x509.Certificate) -> str:
    """What is too weak about a certificate's key or its issuer's signature; empty when nothing is.

    Raises:
        ValueError: the key or the signature algorithm cannot be read.
    """
    from cryptography.exceptions import UnsupportedAlgorithm

    used = certificate.signature_algorithm_oid.dotted_string
    if used not in _SIGNATURES:
        return f"the certificate is signed with the algorithm {used}"
    if used == _PSS:
        try:
            hashed = certificate.signature_hash_algorithm
        except UnsupportedAlgorithm as unknown:
            raise ValueError(str(unknown)) from None
        if hashed is None or hashed.name not in _HASHES:
            return f"the certificate is signed over a {hashed.name if hashed else 'missing'} hash"
    return key_weakness(key_of(certificate))


def key_weakness(key: object) -> str:
    """What is too weak about a public key; empty when nothing is."""
    from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return "" if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS else f"the RSA key has {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "" if key.curve.name in _CURVES else f"the key is on the curve {key.curve.name}"
    if isinstance(key, mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey):
        return ""
    return "the key is neither RSA nor ECDSA nor ML-DSA"
