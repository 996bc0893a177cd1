"""RSA keys of 2,048 bits, as servers need them: making one takes 60 ms, more than all else that a call may ask for."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

STOCK: Final = 32
"""So many keys in a row differ where `reuse` was asked for."""

_turns: Callable[[], int] | None = None


def new() -> RSAPrivateKey:
    """A new key."""
    return _made() if _turns is None else _stocked(_turns() % STOCK)


def reuse() -> None:
    """From now on hand out STOCK keys in turn: for a process whose worlds live as long as a test does."""
    global _turns  # noqa: PLW0603 - a decision of the whole process
    _turns = _turns or itertools.count().__next__


def load(pem: str) -> Any:
    """A private key of any kind that was made or checked here before: proving anew that its primes are takes 50 ms."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)


@cache
def _stocked(_: int) -> RSAPrivateKey:
    return _made()


def _made() -> RSAPrivateKey:
    from cryptography.hazmat.primitives.asymmetric import rsa

    return rsa.generate_private_key(65537, 2048)
