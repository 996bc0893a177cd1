"""Proof Key for Code Exchange (RFC 7636): who redeems a code is who asked for it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final

from sts_emulator.core.errors import AwsError

LONGEST_STATE: Final = 1_000
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def refused(why: str) -> AwsError:
    """The refusal of a request for a code, told on a page: a browser that no proper client led here is sent nowhere."""
    return AwsError("Refused", f"This sign-in request is not valid: {why}.")


def asked(query: Mapping[str, str], *methods: str) -> tuple[str, str]:
    """The state and the challenge of a request for a code, of one of these methods. Raises AwsError: Refused 400."""
    state, challenge = query.get("state", ""), query.get("code_challenge", "")
    if query.get("code_challenge_method") not in methods or not is_challenge(challenge):
        raise refused(f"code_challenge_method must be {methods[0]}, and code_challenge a SHA-256 in base64url")
    if not 0 < len(state) <= LONGEST_STATE:
        raise refused("state is missing, or too long")
    return state, challenge


def is_challenge(text: str) -> bool:
    """Whether it is the SHA-256 of something, in base64url without padding."""
    return _CHALLENGE.fullmatch(text) is not None


def is_verifier(challenge: str, verifier: str) -> bool:
    """Whether `verifier` is what the challenge was made of."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)
