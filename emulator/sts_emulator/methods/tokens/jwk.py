"""Owns key sets (JWKS): which of an issuer's public keys checks a token, by key id and algorithm.

Our own, because AWS picks and refuses keys in ways that no library does (docs/aws/web-identity.md, "Rules for tokens").
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from sts_emulator.methods.tokens.jwt import Verify
from sts_emulator.policy.json_types import JsonObject

RSA_ALGORITHMS: Final = {
    "RS256": "SHA256",
    "RS384": "SHA384",
    "RS512": "SHA512",
    "PS256": "SHA256",
    "PS384": "SHA384",
    "PS512": "SHA512",
}
EC_ALGORITHMS: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}  # RFC 7518 §3.4: the curve is fixed
ALGORITHMS: Final = frozenset(RSA_ALGORITHMS) | frozenset(EC_ALGORITHMS)
"""What is accepted; `none`, HMAC and everything else is not. An algorithm only ever meets keys of its own type."""

# with more, RSA tokens fail and EC tokens still pass (docs/aws/web-identity.md, "Rules for tokens")
MAX_RSA_KEYS: Final = 100
_MAX_ENTRIES = 1_000
_MAX_CERTIFICATE = 16_384  # characters of base64
_RSA_BITS = range(2048, 8192 + 1)  # RFC 7518 §3.3 sets the floor; the ceiling bounds the cost of one check
_MAX_EXPONENT = 2**32
_COORDINATE = {"P-256": 32, "P-384": 48, "P-521": 66}  # octets, RFC 7518 §6.2.1.2
_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,1400}")

Verifiers = Mapping[str, Verify]
"""Algorithm -> check, of one key."""


class KeySet:
    """The keys of one issuer. A key id that occurs twice means the later key.

    Source: docs/aws/web-identity.md, "Rules for tokens".
    """

    def __init__(self, jwks: object, uses: tuple[str, ...] = ("sig",)) -> None:
        """`uses`: what a key's `use` may be; one that does not say counts as for signatures."""
        entries = jwks.get("keys") if isinstance(jwks, Mapping) else None
        entries = entries[:_MAX_ENTRIES] if isinstance(entries, list) else []
        self._keys: dict[str, Mapping[str, Any]] = {}
        self._repeated: set[str] = set()
        for entry in entries:
            key_id = entry.get("kid") if isinstance(entry, Mapping) else None
            if isinstance(key_id, str) and key_id:
                if key_id in self._keys and self._keys[key_id] != entry:
                    self._repeated.add(key_id)
                self._keys[key_id] = entry
        self._uses = uses
        self._checks: dict[str, Verifiers] = {}
        self._too_many_rsa = sum(1 for key in self._keys.values() if key.get("kty") == "RSA") > MAX_RSA_KEYS

    def has(self, key_id: str | None) -> bool:
        """Whether there is a key of that id; without an id, whether there is any."""
        return bool(self._keys) if key_id is None else key_id in self._keys

    def is_unclear(self, key_id: str | None) -> bool:
        """Whether AWS says of a token with this key id that it could not be validated, not that no key was had.

        So it does for a key with `key_ops`, and for an id that a later key has as well
        (docs/aws/web-identity.md, "Keys and audiences").
        """
        if key_id is None:
            return len(self._keys) == 1 and "key_ops" in next(iter(self._keys.values()))
        return key_id in self._repeated or "key_ops" in self._keys.get(key_id, ())

    def verifier(self, key_id: str | None, algorithm: str) -> Verify | None:
        """The check for a token of that header, or None when no key fits.

        Without a key id, only a set with exactly one usable key answers (docs/aws/web-identity.md, "Rules for tokens").
        """
        if self._too_many_rsa and algorithm in RSA_ALGORITHMS:
            return None
        if key_id is not None:
            if key_id in self._keys and key_id not in self._checks:
                self._checks[key_id] = _verifiers(self._keys[key_id], self._uses)
            return self._checks.get(key_id, {}).get(algorithm)
        usable = [checks for entry in self._keys.values() if (checks := _verifiers(entry, self._uses))]
        return usable[0].get(algorithm) if len(usable) == 1 else None


def _verifiers(jwk: JsonObject, uses: tuple[str, ...]) -> Verifiers:
    """The checks that a key can do; empty for a key that AWS would not use.

    `alg` is ignored, another `use` than those of `uses` and any `key_ops` disqualify, `x5c` must be of the same key
    (docs/aws/web-identity.md, "Rules for tokens").
    """
    if jwk.get("use", "sig") not in uses or "key_ops" in jwk:
        return {}
    names = ("n", "e") if jwk.get("kty") == "RSA" else ("crv", "x", "y")
    numbers = tuple(jwk.get(name) for name in names)
    if not all(isinstance(number, str) and _NUMBER.fullmatch(number) for number in numbers):
        return {}
    chain = jwk.get("x5c")
    certificate = "" if chain is None else chain[0] if isinstance(chain, list) and chain else None
    if not isinstance(certificate, str) or len(certificate) > _MAX_CERTIFICATE:
        return {}
    if jwk.get("kty") == "RSA":
        return _rsa(*numbers, certificate)
    return _ec(*numbers, certificate) if jwk.get("kty") == "EC" else {}


@lru_cache(maxsize=512)
def _rsa(n: str, e: str, certificate: str) -> Verifiers:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    modulus, exponent = _integer(n), _integer(e)
    if modulus.bit_length() not in _RSA_BITS or exponent > _MAX_EXPONENT:
        return {}
    try:
        key = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        return {}
    if certificate and not _same_key(certificate, key):
        return {}

    def verifier(algorithm: str, hash_name: str) -> Verify:
        digest = getattr(hashes, hash_name)()
        pad = padding.PKCS1v15() if algorithm[0] == "R" else padding.PSS(padding.MGF1(digest), digest.digest_size)
        return _checking(lambda signed, signature: key.verify(signature, signed, pad, digest))

    return {algorithm: verifier(algorithm, hash_name) for algorithm, hash_name in RSA_ALGORITHMS.items()}


@lru_cache(maxsize=512)
def _ec(crv: str, x: str, y: str, certificate: str) -> Verifiers:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, utils

    curves: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
        "P-256": (ec.SECP256R1(), hashes.SHA256()),
        "P-384": (ec.SECP384R1(), hashes.SHA384()),
        "P-521": (ec.SECP521R1(), hashes.SHA512()),
    }
    if crv not in curves:
        return {}
    curve, digest = curves[crv]
    size = _COORDINATE[crv]
    try:
        key = ec.EllipticCurvePublicNumbers(_integer(x), _integer(y), curve).public_key()
    except ValueError:  # not a point of the curve
        return {}
    if certificate and not _same_key(certificate, key):
        return {}

    def check(signed: bytes, signature: bytes) -> None:
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(digest))

    verify = _checking(check)
    algorithm = next(name for name, curve_name in EC_ALGORITHMS.items() if curve_name == crv)
    return {algorithm: lambda signed, signature: len(signature) == 2 * size and verify(signed, signature)}


def _checking(check: Any) -> Verify:
    from cryptography.exceptions import InvalidSignature

    def verify(signed: bytes, signature: bytes) -> bool:
        try:
            check(signed, signature)
        except InvalidSignature:
            return False
        return True

    return verify


def _same_key(certificate: str, key: object) -> bool:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        shown = x509.load_der_x509_certificate(base64.b64decode(certificate, validate=True)).public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return bool(shown == key)


def _integer(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big") if len(text) % 4 != 1 else 0
