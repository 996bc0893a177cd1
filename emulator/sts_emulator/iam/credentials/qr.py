"""QR codes as PNG pictures: just enough of ISO/IEC 18004 for the address of a virtual MFA device.

Byte mode, error correction level L, versions 1 to 15 (520 bytes), always data mask 0: scanners read the mask from the
symbol, and looking for the prettiest one would only cost time.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache

# By version: error correction codewords in each block, and the number of blocks (ISO/IEC 18004 table 9, level L).
_CORRECTION = (0, 7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22)
_BLOCKS = (0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6)
_LARGEST = 15
_BYTE_MODE = 0b0100
_LEVEL_L = 0b01
_MASK = 0
_WIDE_LENGTH = 10  # from this version on, the length takes two bytes
_HAS_VERSION = 7  # from this version on, the symbol names its version
_QUIET = 4  # modules of margin
_SCALE = 5  # pixels a module
_TIMING = 6  # row and column of the timing patterns

Modules = list[list[bool]]


def png(text: str) -> bytes:
    """A picture of the QR code of `text`.

    Raises:
        ValueError: the text is longer than 520 bytes.
    """
    return _picture(modules(text))


def modules(text: str) -> Modules:
    """The symbol as rows of modules, True for dark.

    Raises:
        ValueError: the text is longer than 520 bytes.
    """
    data = text.encode()
    version = next((v for v in range(1, _LARGEST + 1) if len(data) <= _capacity(v)), 0)
    if not version:
        message = f"a QR code of version {_LARGEST} holds {_capacity(_LARGEST)} bytes, not {len(data)}"
        raise ValueError(message)
    symbol = _Symbol(version)
    symbol.draw_patterns()
    symbol.draw_format()
    symbol.draw_data(_interleaved(_encoded(data, version), version))
    return symbol.grid


# -- codewords ----------------------------------------------------------------------------------------------------


def _codewords(version: int) -> int:
    """All codewords of a symbol: its modules without the fixed patterns, by eight."""
    free = (16 * version + 128) * version + 64
    if version > 1:
        count = version // 7 + 2
        free -= (25 * count - 10) * count - 55
        if version >= _HAS_VERSION:
            free -= 36
    return free // 8


def _data_codewords(version: int) -> int:
    return _codewords(version) - _CORRECTION[version] * _BLOCKS[version]


def _length_bits(version: int) -> int:
    return 16 if version >= _WIDE_LENGTH else 8


def _capacity(version: int) -> int:
    return (_data_codewords(version) * 8 - 4 - _length_bits(version)) // 8


def _encoded(data: bytes, version: int) -> bytes:
    bits = f"{_BYTE_MODE:04b}{len(data):0{_length_bits(version)}b}" + "".join(f"{byte:08b}" for byte in data)
    room = _data_codewords(version) * 8
    bits += "0" * min(4, room - len(bits))
    bits += "0" * (-len(bits) % 8)
    words = bytes(int(bits[place : place + 8], 2) for place in range(0, len(bits), 8))
    return words + (b"\xec\x11" * room)[: room // 8 - len(words)]


def _interleaved(data: bytes, version: int) -> bytes:
    """Data and error correction of all blocks, taken from the blocks in turn; the last blocks may be a word longer."""
    count, correction = _BLOCKS[version], _CORRECTION[version]
    short = len(data) // count
    longer = len(data) % count
    blocks, start = [], 0
    for index in range(count):
        size = short + (index >= count - longer)
        blocks.append(data[start : start + size])
        start += size
    words = [block[place] for place in range(short + 1) for block in blocks if place < len(block)]
    corrections = [_reed_solomon(block, correction) for block in blocks]
    return bytes(words + [each[place] for place in range(correction) for each in corrections])


def _reed_solomon(block: bytes, degree: int) -> bytes:
    remainder = [0] * degree
    for word in block:
        factor = word ^ remainder.pop(0)
        remainder.append(0)
        remainder = [old ^ _times(part, factor) for old, part in zip(remainder, _divisor(degree), strict=True)]
    return bytes(remainder)


@cache
def _divisor(degree: int) -> tuple[int, ...]:
    """The product of (x - 2^i), without its leading coefficient."""
    product = [0] * (degree - 1) + [1]
    root = 1
    for _ in range(degree):
        shifted = [*product[1:], 0]
        product = [_times(part, root) ^ moved for part, moved in zip(product, shifted, strict=True)]
        root = _times(root, 2)
    return tuple(product)


def _times(left: int, right: int) -> int:
    """Multiplication in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    for bit in range(7, -1, -1):
        product = (product << 1) ^ (product >> 7) * 0x11D
        product ^= (right >> bit & 1) * left
    return product


# -- modules ------------------------------------------------------------------------------------------------------


class _Symbol:
    """A symbol in the making: its modules, and which of them belong to fixed patterns."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.size = version * 4 + 17
        self.grid: Modules = [[False] * self.size for _ in range(self.size)]
        self.fixed: Modules = [[False] * self.size for _ in range(self.size)]

    def mark(self, row: int, column: int, *, dark: bool) -> None:
        """Set a module of a fixed pattern; what lies outside is left out."""
        if 0 <= row < self.size and 0 <= column < self.size:
            self.grid[row][column], self.fixed[row][column] = dark, True

    def square(self, row: int, column: int, radius: int, light: tuple[int, ...]) -> None:
        """Concentric squares around a module; those at the distances `light` are light."""
        for down in range(-radius, radius + 1):
            for right in range(-radius, radius + 1):
                self.mark(row + down, column + right, dark=max(abs(down), abs(right)) not in light)

    def draw_patterns(self) -> None:
        """Timing, finder and alignment patterns."""
        last = self.size - 7
        for place in range(self.size):
            self.mark(_TIMING, place, dark=place % 2 == 0)
            self.mark(place, _TIMING, dark=place % 2 == 0)
        for row, column in ((3, 3), (3, self.size - 4), (self.size - 4, 3)):
            self.square(row, column, 4, light=(2, 4))
        places = _alignments(self.version, self.size)
        for row in places:
            for column in places:
                if (row, column) not in ((6, 6), (6, last), (last, 6)):
                    self.square(row, column, 2, light=(1,))

    def draw_format(self) -> None:
        """Level and mask, twice, and the module that is always dark; from version 7 on the version too, twice."""
        size, kind = self.size, _LEVEL_L << 3 | _MASK
        bits = (kind << 10 | _remainder(kind, 10, 0x537)) ^ 0x5412
        beside = [(8, column) for column in (0, 1, 2, 3, 4, 5, 7, 8)] + [(row, 8) for row in (7, 5, 4, 3, 2, 1, 0)]
        apart = [(size - 1 - place, 8) for place in range(7)] + [(8, size - 8 + place) for place in range(8)]
        for place, both in enumerate(zip(beside, apart, strict=True)):
            for row, column in both:
                self.mark(row, column, dark=bool(bits >> 14 - place & 1))
        self.mark(size - 8, 8, dark=True)
        if self.version >= _HAS_VERSION:
            bits = self.version << 12 | _remainder(self.version, 12, 0x1F25)
            for place in range(18):
                self.mark(place // 3, size - 11 + place % 3, dark=bool(bits >> place & 1))
                self.mark(size - 11 + place % 3, place // 3, dark=bool(bits >> place & 1))

    def draw_data(self, words: bytes) -> None:
        """Lay the bits in two-column strips from the right, upwards and downwards in turn, masked."""
        bits = [word >> place & 1 for word in words for place in range(7, -1, -1)]
        bits.reverse()
        columns = [column for column in range(self.size - 1, -1, -1) if column != _TIMING]
        for strip in range(len(columns) // 2):
            rows = range(self.size - 1, -1, -1) if strip % 2 == 0 else range(self.size)
            for row in rows:
                for column in columns[2 * strip : 2 * strip + 2]:
                    if not self.fixed[row][column]:
                        self.grid[row][column] = bool(bits.pop() if bits else 0) ^ ((row + column) % 2 == 0)


def _alignments(version: int, size: int) -> list[int]:
    if version == 1:
        return []
    count = version // 7 + 2
    step = (version * 8 + count * 3 + 5) // (count * 4 - 4) * 2
    return [6, *(size - 7 - step * place for place in range(count - 2, -1, -1))]


def _remainder(value: int, bits: int, divisor: int) -> int:
    """The check bits of a BCH code."""
    rest = value
    for _ in range(bits):
        rest = rest << 1 ^ (rest >> bits - 1) * divisor
    return rest


# -- the picture --------------------------------------------------------------------------------------------------


def _picture(grid: Modules) -> bytes:
    """A black and white PNG with the margin that scanners need."""
    width = (len(grid) + 2 * _QUIET) * _SCALE
    blank = [False] * (len(grid) + 2 * _QUIET)
    side = [False] * _QUIET
    rows = [blank] * _QUIET + [side + row + side for row in grid] + [blank] * _QUIET
    lines = b"".join(_line(row, width) * _SCALE for row in rows)
    header = struct.pack(">IIBBBBB", width, width, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(lines)) + _chunk(b"IEND", b"")


def _line(row: list[bool], width: int) -> bytes:
    bits = "".join("0" * _SCALE if dark else "1" * _SCALE for dark in row)
    return b"\0" + int(bits.ljust(-(-width // 8) * 8, "0"), 2).to_bytes(-(-width // 8), "big")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
