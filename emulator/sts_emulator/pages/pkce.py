"""Proof Key for Code Exchange (RFC 7636): who redeems a code is who asked for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def is_challenge(text: str) -> bool:
    """Whether it is the SHA-256 of something, in base64url without padding."""
    return _CHALLENGE.fullmatch(text) is not None


def is_verifier(challenge: str, verifier: str) -> bool:
    """Whether `verifier` is what the challenge was made of."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)
