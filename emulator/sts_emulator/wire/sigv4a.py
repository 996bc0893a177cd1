"""Signature Version 4A: the ECDSA key that follows from an access key's secret, and verification with it."""

from __future__ import annotations

import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (FIPS 186-4 D.1.2.3)
_ALGORITHM: Final = b"AWS4-ECDSA-P256-SHA256"
_LONGEST_SIGNATURE: Final = 144  # hex digits of the longest DER signature over P-256


@lru_cache(maxsize=1024)
def public_key(access_key_id: str, secret: str) -> EllipticCurvePublicKey:
    """The key that verifies what an access key signs, derived as docs/aws/signatures.md, "SigV4a" has it."""
    from cryptography.hazmat.primitives.asymmetric import ec

    for counter in range(1, 255):
        message = (
            b"\x00\x00\x00\x01" + _ALGORITHM + b"\x00" + access_key_id.encode() + bytes([counter]) + b"\x00\x00\x01\x00"
        )
        candidate = int.from_bytes(hmac.digest(f"AWS4A{secret}".encode(), message, "sha256"), "big")
        if candidate <= _ORDER - 2:
            return ec.derive_private_key(candidate + 1, ec.SECP256R1()).public_key()
    raise AssertionError("unreachable: each counter fails with a chance of one in 2**32")


def verify(access_key_id: str, secret: str, signature: str, text: str) -> bool:
    """Whether a hexadecimal DER signature over the string to sign was made with this access key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256

    if len(signature) > _LONGEST_SIGNATURE:
        return False
    try:
        public_key(access_key_id, secret).verify(bytes.fromhex(signature), text.encode(), ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):  # ValueError: not hexadecimal
        return False
    return True
