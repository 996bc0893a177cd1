"""How an identity provider of IAM is set up for trusted identity propagation, as it is stored.

Source: docs/aws/trusted-identity-propagation.md, "With IAM".
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import NotRequired, TypedDict


class KeyDefinition(TypedDict):
    """A claim that becomes a key of the transaction; without TargetKey under its own name."""

    SourceKey: str
    TargetKey: NotRequired[str]


class ContextProvider(TypedDict):
    """Which claims tell who somebody is, as the wire has it."""

    SubjectSourceKey: str
    SubjectTypeValue: NotRequired[str]
    SubjectTypeSourceKey: NotRequired[str]
    KeyDefinitionList: NotRequired[list[KeyDefinition]]


class Propagation(TypedDict, total=False):
    """A provider's settings; empty while it propagates nothing."""

    context: ContextProvider
    instance: str  # ARN of the Identity Center instance that knows the same people
    store: str  # ARN of that instance's identity store


@lru_cache(maxsize=256)
def key_hash(certificate: bytes) -> str:
    """What a SAML provider's signing key is called: SHA-256 of the public key. Which hash AWS takes is not known."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
