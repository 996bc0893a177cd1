"""AWS's names: ARNs, unique ids and access key ids, made; what ids embed. ARNs are read by policy.arns."""

from __future__ import annotations

import base64
import os
from functools import lru_cache

PARTITION = "aws"
_ACCOUNT_MASK = 0x7FFFFFFFFF80
_ACCOUNT_DIGITS = 12
_RANDOM_BITS = (1 << 39) - 1
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]  # ten bits at a time; b32encode is 4 us dearer


def is_account_id(text: str) -> bool:
    """Whether the text is a twelve-digit account id."""
    return len(text) == _ACCOUNT_DIGITS and text.isascii() and text.isdigit()


def iam_arn(account: str, kind: str, path: str, name: str) -> str:
    """`arn:aws:iam::ACCOUNT:kind/path/name`; `path` begins and ends with a slash."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def root_arn(account: str) -> str:
    """The ARN of an account's root user."""
    return f"arn:aws:iam::{account}:root"


def session_arn(account: str, role_name: str, session_name: str) -> str:
    """The ARN of an assumed-role session, from which AWS drops the role's path."""
    return f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}"


def key_id(prefix: str, account: str, noise: bytes = b"") -> str:
    """A new 20-character key id that embeds its account as AWS's do (docs/aws/sts.md, "Prefixes of ids").

    `noise`: five random bytes, from whoever has drawn some already.
    """
    stem, last_bit = _stem(account)
    rest = last_bit | int.from_bytes(noise or os.urandom(5), "big") & _RANDOM_BITS
    front, back = _PAIRS[rest >> 30] + _PAIRS[rest >> 20 & 1023], _PAIRS[rest >> 10 & 1023] + _PAIRS[rest & 1023]
    return prefix + stem + front + back


def unique_id(prefix: str, account: str) -> str:
    """A new 21-character unique id (`AROA…`, `AIDA…`, …) that embeds its account likewise."""
    return key_id(prefix, account) + _LETTERS[os.urandom(1)[0] & 31]


@lru_cache(maxsize=512)
def _stem(account: str) -> tuple[str, int]:
    """The account in base32, 41 bits with the leading one: eight letters, and its last bit before the random ones."""
    bits = 0x10000000000 | int(account) & _ACCOUNT_MASK >> 7
    return "".join([_PAIRS[bits >> shift & 1023] for shift in (31, 21, 11, 1)]), (bits & 1) << 39


def account_of(identifier: str) -> str | None:
    """The account that a key id or unique id embeds; None when it cannot be read."""
    try:
        packed = base64.b32decode(identifier[4:14] + "======")
    except ValueError:
        return None
    account = (int.from_bytes(packed[:6], "big") & _ACCOUNT_MASK) >> 7
    return f"{account:012}" if account < 10**_ACCOUNT_DIGITS else None
