"""The checksums that S3's clients send with an object, computed as it passes."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Protocol


class Checksum(Protocol):
    """What hashlib's objects do."""

    def update(self, data: bytes, /) -> None:
        """Take in a piece."""

    def digest(self) -> bytes:
        """The checksum of all pieces."""


class Cyclic:
    """A cyclic redundancy check of some bytes' length."""

    def __init__(self, function: Callable[[bytes, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


_CRC32C: Final = 0x82F63B78
_CRC64NVME: Final = 0x9A6C9329AC4BC9B5  # both reflected: RFC 3720 appendix B.4; NVM Express, "64b CRC"


@cache
def _function(name: str, polynomial: int, bits: int) -> Callable[[bytes, int], int]:
    """AWS's own library where it is installed (several GB a second); else Python (some MB a second)."""
    try:
        from awscrt import checksums
    except ImportError:
        return _in_python(polynomial, bits)
    native: Any = getattr(checksums, name, None)
    return (lambda data, before: int(native(data, before))) if native else _in_python(polynomial, bits)


def _in_python(polynomial: int, bits: int) -> Callable[[bytes, int], int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    ones = (1 << bits) - 1

    def check(data: bytes, before: int) -> int:
        value = before ^ ones
        for byte in data:
            value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
        return value ^ ones

    return check


_KINDS: Final[dict[str, Callable[[], Checksum]]] = {
    "crc32": lambda: Cyclic(zlib.crc32, 4),
    "crc32c": lambda: Cyclic(_function("crc32c", _CRC32C, 32), 4),
    "crc64nvme": lambda: Cyclic(_function("crc64nvme", _CRC64NVME, 64), 8),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}


def by_header(name: str) -> Checksum | None:
    """The checksum that a header such as `x-amz-checksum-crc32` holds in base64; None for one that is not known."""
    made = _KINDS.get(name.removeprefix("x-amz-checksum-"))
    return made() if made is not None else None


def length_of(name: str) -> int:
    """How many characters of base64 the value of such a header has."""
    checksum = by_header(name)
    return len(base64.b64encode(checksum.digest())) if checksum is not None else 0
