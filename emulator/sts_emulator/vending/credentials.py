"""The only place that builds credentials: mints them, derives their secrets and recovers sessions from tokens."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.session import Session

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

# What a real token begins with: byte 0x21 and the field name "origin_ec" (docs/aws/sts.md, "Session tokens").
_TOKEN_HEAD = b"!\n\torigin_ec"
_NONCE = 12
_TAG = 16
LARGEST_TOKEN = 4_096  # characters: the one limit since 2026-09 (docs/aws/sts.md, "Sizes of session tokens")
_AROUND = len(_TOKEN_HEAD) + _NONCE + _TAG  # bytes of a token that are not the session's
_LARGEST_PLAIN = LARGEST_TOKEN // 4 * 3 - _AROUND  # bytes of a session that fit as they are
_PLAIN = b"["  # what a session begins with that is not compressed
_URL_SAFE = str.maketrans("-_", "+/")
_SECRET_BYTES = 30  # 40 characters of base64

INVALID_TOKEN = "The security token included in the request is invalid"  # noqa: S105 - AWS's text: no final period
EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - AWS's text, too


@dataclass(slots=True)
class Credentials:
    """Temporary credentials; `expires` in seconds since the epoch by the world's clock."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires: int

    def to_wire(self) -> dict[str, Any]:
        """The `Credentials` structure of STS."""
        return {
            "AccessKeyId": self.access_key_id,
            "SecretAccessKey": self.secret_access_key,
            "SessionToken": self.session_token,
            "Expiration": self.expires,
        }

    def keys(self) -> dict[str, str]:
        """What signs, as services beside STS name it; their expiry each calls and counts otherwise."""
        return {
            "accessKeyId": self.access_key_id,
            "secretAccessKey": self.secret_access_key,
            "sessionToken": self.session_token,
        }

    def with_sizes(self) -> dict[str, Any]:
        """The members that STS's results have: the credentials, and how large their token is, in percent too."""
        size = len(self.session_token)
        return {
            "Credentials": self.to_wire(),
            "SessionTokenSize": size,
            "SessionTokenUtilization": round(size * 100 / LARGEST_TOKEN),
        }


def mint(world: World, session: Session, minimum_token_size: int = 0) -> Credentials:
    """Credentials of a session. Nothing is stored: the token carries the session, sealed under the world's key.

    Raises:
        AwsError: PackedPolicyTooLarge for a session whose token would be longer than AWS's may be.
    """
    random = os.urandom(_NONCE + 5)
    nonce, key_id = random[:_NONCE], names.key_id("ASIA", session.account, random[_NONCE:])
    body = session.to_bytes()
    if len(body) > _LARGEST_PLAIN:
        body = _compressed(body)
    if minimum_token_size:
        # So many bytes give so many characters of base64, and no group of four more; padding is of NULs.
        body = body.ljust(-(-minimum_token_size // 4) * 3 - 2 - _AROUND, b"\0")
    sealed = _cipher(world.key).encrypt(nonce, body, _bound(world, key_id))
    token = binascii.b2a_base64(_TOKEN_HEAD + nonce + sealed, newline=False).decode()
    return Credentials(key_id, derive_secret(world, key_id), token, session.expires)


def token_size(packed: int | None) -> int:
    """Characters of AWS's token of a session with policies, tags or claims that take so many percent of it."""
    return (packed or 0) * LARGEST_TOKEN // 100


def recover(world: World, access_key_id: str, token: str) -> Session:
    """The session that a token carries.

    Raises:
        AwsError: InvalidClientTokenId 403 when the token is not ours, was altered, or belongs to another key, world
            or generation; ExpiredToken 403 when its time is over by the world's clock
            (docs/aws/signatures.md, "Order of checks").
    """
    session = unsealed(world, access_key_id, token)
    if session.expires <= world.now():
        raise AwsError("ExpiredToken", EXPIRED_TOKEN, status=403)
    return session


def derive_secret(world: World, access_key_id: str) -> str:
    """The secret of a temporary key id, which only this world can compute."""
    # Keyed BLAKE2 is a MAC, and half the price of HMAC here.
    mac = hashlib.blake2b(access_key_id.encode(), digest_size=_SECRET_BYTES, key=world.key, person=b"secret")
    return binascii.b2a_base64(mac.digest(), newline=False).decode()


def new_long_term_key(account: str) -> tuple[str, str]:
    """A new access key id and secret of an IAM user or root; the caller stores them."""
    return names.key_id("AKIA", account), base64.b64encode(os.urandom(_SECRET_BYTES)).decode()


def seal(world: World, purpose: str, body: bytes) -> str:
    """Seal anything else that must come back unaltered (authorization messages, opaque contexts), url-safe.

    It begins with no hyphen: command lines, to which people give client ids and tokens, would take it for an option.
    """
    nonce = os.urandom(_NONCE)
    sealed = _cipher(world.key).encrypt(nonce, body, _bound(world, purpose))
    text = base64.urlsafe_b64encode(nonce + sealed).rstrip(b"=").decode()
    return text if text[0] != "-" else seal(world, purpose, body)


def unseal(world: World, purpose: str, text: str) -> bytes | None:
    """What `seal` sealed for the same purpose, or None."""
    from cryptography.exceptions import InvalidTag

    try:
        raw = binascii.a2b_base64((text + "=" * (-len(text) % 4)).translate(_URL_SAFE), strict_mode=True)
        return _cipher(world.key).decrypt(raw[:_NONCE], raw[_NONCE:], _bound(world, purpose))
    except (InvalidTag, ValueError, binascii.Error):
        return None


def unsealed(world: World, access_key_id: str, token: str) -> Session:
    """The session that a token carries, also one that is over. Raises AwsError as `recover` does."""
    from cryptography.exceptions import InvalidTag

    if len(token) > LARGEST_TOKEN:
        raise AwsError("InvalidClientTokenId", INVALID_TOKEN, status=403)
    try:
        raw = binascii.a2b_base64(token, strict_mode=True)
        if not raw.startswith(_TOKEN_HEAD):
            raise AwsError("InvalidClientTokenId", INVALID_TOKEN, status=403)
        nonce, sealed = raw[len(_TOKEN_HEAD) :][:_NONCE], raw[len(_TOKEN_HEAD) + _NONCE :]
        body = _cipher(world.key).decrypt(nonce, sealed, _bound(world, access_key_id))
    except (InvalidTag, ValueError, binascii.Error):
        raise AwsError("InvalidClientTokenId", INVALID_TOKEN, status=403) from None
    if body.startswith(_PLAIN):
        return Session.from_bytes(body.rstrip(b"\0"))
    return Session.from_bytes(zlib.decompressobj().decompress(body))  # what is padded stands behind it


def _compressed(body: bytes) -> bytes:
    """A large session, made to fit."""
    packed = zlib.compress(body)
    if len(packed) > _LARGEST_PLAIN:
        # By the model's word on the context of an origin; AWS's sentence is not recorded.
        share = -(-(len(packed) + _AROUND) * 4 * 100 // (3 * LARGEST_TOKEN))
        raise AwsError("PackedPolicyTooLarge", f"The session token consumes {share}% of its maximum size.")
    return packed


def _bound(world: World, name: str) -> bytes:
    return f"{world.name}\0{world.generation}\0{name}".encode()


@lru_cache(maxsize=256)
def _cipher(world_key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(hashlib.sha256(b"seal:" + world_key).digest())
