"""AWS's names: ARNs, unique ids and access key ids, made; what ids embed. ARNs are read by policy.arns."""

from __future__ import annotations

import base64
import os

PARTITION = "aws"
UNIQUE_ID_LENGTH = 21
_ACCOUNT_MASK = 0x7FFFFFFFFF80
_ACCOUNT_DIGITS = 12
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
    return prefix + _embed(account, noise or os.urandom(5))


def unique_id(prefix: str, account: str) -> str:
    """A new 21-character unique id (`AROA…`, `AIDA…`, …) that embeds its account."""
    return prefix + _embed(account, os.urandom(10))[: UNIQUE_ID_LENGTH - len(prefix)]


def _embed(account: str, noise: bytes) -> str:
    """Base32 of the account in 41 bits, and random ones: `noise` is a multiple of five bytes, its first bit unused."""
    bits = 8 * len(noise) - 1
    head = 0x10000000000 | int(account) & _ACCOUNT_MASK >> 7
    packed = head << bits | int.from_bytes(noise, "big") & ((1 << bits) - 1)
    return "".join([_PAIRS[packed >> shift & 1023] for shift in range(bits + 31, -1, -10)])


def account_of(identifier: str) -> str | None:
    """The account that a key id or unique id embeds; None when it cannot be read."""
    try:
        packed = base64.b32decode(identifier[4:14] + "======")
    except ValueError:
        return None
    account = (int.from_bytes(packed[:6], "big") & _ACCOUNT_MASK) >> 7
    return f"{account:012}" if account < 10**_ACCOUNT_DIGITS else None
