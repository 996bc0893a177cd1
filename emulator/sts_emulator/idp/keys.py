"""Owns the signing keys of lab issuers: makes them, publishes their public halves, signs with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.core import rsa_keys

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")

Key = Mapping[str, Any]
"""JSON-ready: `kid`, `private` (PEM), `public` (JWK)."""


def make_key(algorithm: str) -> Key:
    """A new key for one of ALGORITHMS. An RSA key takes about 30 ms, so servers make it in a thread."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm, RSAAlgorithm

    curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
    private: Any
    if algorithm in curves:
        private = ec.generate_private_key(curves[algorithm])
        jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        private = rsa_keys.new()
        jwk = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    encoding, form = serialization.Encoding, serialization.PublicFormat
    kid = hashlib.sha256(private.public_key().public_bytes(encoding.DER, form.SubjectPublicKeyInfo)).hexdigest()[:40]
    pem = private.private_bytes(encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = {name: value for name, value in jwk.items() if name != "key_ops"}  # AWS takes no key that has it
    return {"kid": kid, "private": pem.decode(), "public": {"kid": kid, "use": "sig", "alg": algorithm, **public}}


def sign(key: Key, algorithm: str, claims: Mapping[str, Any], *, typ: str | None = "JWT") -> str:
    """A token with those claims. PyJWT makes it; what verifies tokens does not use PyJWT."""
    from jwt.api_jws import PyJWS

    payload = json.dumps(claims, separators=(",", ":")).encode()
    return PyJWS(algorithms=[algorithm]).encode(
        payload, rsa_keys.load(key["private"]), algorithm, headers={"kid": key["kid"], "typ": typ}
    )
