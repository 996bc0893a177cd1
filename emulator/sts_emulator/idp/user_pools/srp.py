"""The arithmetic of the Secure Remote Password protocol, server's side, as Cognito has it.

Source: docs/aws/cognito.md, "Sign-in to user pools", SRP. Powers are GMP's, which take two milliseconds where Python's
own take over twenty, and are called in threads: GMP lets go of the interpreter meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from typing import Final

N_HEX: Final = (
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"
)
N: Final = int(N_HEX, 16)
"""The prime of 3,072 bits (RFC 5054, appendix A); the generator is 2."""

LONGEST: Final = len(N_HEX) + 2
"""Hexadecimal digits of a public value that are looked at."""

_INFO = b"Caldera Derived Key\x01"


def _padded(number: int) -> bytes:
    """Big-endian, with a zero byte in front where the first bit is set: as the clients' big integers write it."""
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"".join(parts)).digest(), "big")


_K = _hash(_padded(N), _padded(2))


def power(base: int, exponent: int) -> int:
    """The power mod N, with a running time that does not tell the exponent."""
    import gmpy2

    with gmpy2.context(allow_release_gil=True):
        return int(gmpy2.powmod_sec(base, exponent, N))


def salt_of(random: bytes) -> str:
    """Sixteen bytes in hexadecimal, of which the first is not zero: some clients would hash it, and others drop it."""
    return f"{int.from_bytes(random[:16], 'big') | 1 << 120:032x}"


def verifier(pool_name: str, user: str, password: str, salt: str) -> str:
    """What is stored of a password, in hexadecimal: 2 ** x mod N."""
    inner = hashlib.sha256(f"{pool_name}{user}:{password}".encode()).digest()
    x = _hash(_padded(int(salt, 16)), inner)
    return f"{power(2, x):x}"


def public_value(text: str) -> int | None:
    """The client's A, or None where it cannot be one: with a multiple of N anybody would know the key."""
    if not 0 < len(text) <= LONGEST:
        return None
    try:
        number = int(text, 16) if text.isalnum() else 0
    except ValueError:
        return None
    return number if number % N else None


def offer(stored_verifier: str) -> tuple[str, str]:
    """The server's secret b and its public B, in hexadecimal."""
    b = int.from_bytes(os.urandom(32), "big") | 1 << 255
    return f"{b:x}", f"{(_K * int(stored_verifier, 16) + power(2, b)) % N:x}"


def session_key(stored_verifier: str, a_public: int, b_secret: str, b_public: str) -> bytes | None:
    """The key that both sides come to know; None where the scrambler u is zero."""
    u = _hash(_padded(a_public), _padded(int(b_public, 16)))
    if u == 0:
        return None
    shared = power(a_public * power(int(stored_verifier, 16), u) % N, int(b_secret, 16))
    extracted = hmac.digest(_padded(u), _padded(shared), "sha256")
    return hmac.digest(extracted, _INFO, "sha256")[:16]


def signature(key: bytes, pool_name: str, user: str, secret_block: bytes, timestamp: str) -> bytes:
    """What proves that the client knows the key: PASSWORD_CLAIM_SIGNATURE, decoded."""
    return hmac.digest(key, pool_name.encode() + user.encode() + secret_block + timestamp.encode(), "sha256")


def decoded(text: str) -> bytes:
    """A signature in base64 as it was sent; of what is none, nothing."""
    try:
        return base64.b64decode(text[:1024], validate=True)
    except ValueError:
        return b""
