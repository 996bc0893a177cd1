"""An authenticator without a device: it makes passkeys and shows them as WebAuthn says, or in any wrong way.

It shares no code with the verifier; its CBOR is written here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40
ES256, RS256 = -7, -257


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value) -> bytes:
    """Maps, texts, byte strings, lists and whole numbers (RFC 8949)."""

    def head(major: int, number: int) -> bytes:
        for size, mark in ((24, None), (1 << 8, 24), (1 << 16, 25), (1 << 32, 26)):
            if number < size:
                first = bytes([major << 5 | (number if mark is None else mark)])
                return first if mark is None else first + number.to_bytes(1 << (mark - 24), "big")
        raise ValueError(number)

    match value:
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value.encode())) + value.encode()
        case list():
            return head(4, len(value)) + b"".join(map(cbor, value))
        case dict():
            return head(5, len(value)) + b"".join(cbor(key) + cbor(inner) for key, inner in value.items())
    raise TypeError(value)


class SoftwareAuthenticator:
    def __init__(self, algorithm: int = ES256, *, bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.id = os.urandom(32)
        self.count = 0
        self.flags = PRESENT | VERIFIED
        if algorithm == RS256:
            self.key = rsa.generate_private_key(65537, bits)
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())

    @property
    def cose(self) -> dict:
        numbers = self.key.public_key().public_numbers()
        if self.algorithm == RS256:
            return {1: 3, 3: RS256, -1: numbers.n.to_bytes(self.key.key_size // 8, "big"), -2: b"\x01\x00\x01"}
        return {1: 2, 3: ES256, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}

    def sign(self, message: bytes) -> bytes:
        if self.algorithm == RS256:
            return self.key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(message, ec.ECDSA(hashes.SHA256()))

    def create(
        self, options: dict, origin: str, /, *, fmt: str = "none", statement: dict | None = None, **wrong
    ) -> str:
        """The answer to PublicKeyCredentialCreationOptionsJSON; `wrong` are members of client data."""
        client = self._client("webauthn.create", options, origin, wrong)
        credential = b"\0" * 16 + struct.pack(">H", len(self.id)) + self.id + cbor(self.cose)
        data = self._data(wrong.get("party", options["rp"]["id"]), self.flags | ATTESTED) + credential
        if fmt == "packed" and statement is None:
            statement = {"alg": self.algorithm, "sig": self.sign(data + hashlib.sha256(client).digest())}
        attestation = cbor({"fmt": fmt, "attStmt": statement or {}, "authData": data})
        return self._response(
            clientDataJSON=encoded(client), attestationObject=encoded(attestation), transports=["internal"]
        )

    def get(self, options: dict, origin: str, /, **wrong) -> str:
        """The answer to PublicKeyCredentialRequestOptionsJSON."""
        self.count += 1
        client = self._client("webauthn.get", options, origin, wrong)
        data = self._data(wrong.get("party", options["rpId"]), self.flags)
        signature = self.sign(data + hashlib.sha256(client).digest())
        return self._response(
            clientDataJSON=encoded(client), authenticatorData=encoded(data), signature=encoded(signature)
        )

    def _data(self, party: str, flags: int) -> bytes:
        return hashlib.sha256(party.encode()).digest() + struct.pack(">BI", flags, self.count)

    @staticmethod
    def _client(kind: str, options: dict, origin: str, wrong: dict) -> bytes:
        members = {"type": kind, "challenge": options["challenge"], "origin": origin, "crossOrigin": False}
        changed = {name: value for name, value in wrong.items() if name != "party"}
        return json.dumps({**members, **changed}).encode()

    def _response(self, **response) -> str:
        identifier = encoded(self.id)
        return json.dumps({"id": identifier, "rawId": identifier, "type": "public-key", "response": response})
