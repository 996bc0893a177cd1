"""The aws-chunked coding: a payload in chunks, each signed or none, and headers that follow it.

Source: S3 API Reference, "Signature Calculations for the Authorization Header: Transferring a Payload in Multiple
Chunks"; docs/aws/s3-and-gateway.md, "Requests and errors".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.wire.sigv4_s3 import ChunkSignatures

FRAME: Final = 65_536
"""Bytes of a chunk that `frames` makes."""

_LONGEST_LINE: Final = 1_024
_MOST_TRAILERS: Final = 8
_HEAD = re.compile(rb"([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f*]{64,144}))?")
_SIGNATURE: Final = "x-amz-trailer-signature"


class Decoder:
    """Takes a payload out of its chunks as they come, and checks their signatures."""

    def __init__(self, signatures: ChunkSignatures | None) -> None:
        self.trailers: dict[str, str] = {}
        """The headers that followed, by lower-case name."""
        self.is_complete = False
        self._signatures = signatures
        self._waiting = bytearray()
        self._left = 0  # bytes of the present chunk that have not come
        self._signature = ""
        self._digest = hashlib.sha256()
        self._step: Callable[[], bytes | None] = self._head

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What of the payload was in some bytes. Raises AwsError where they are not what they should be."""
        self._waiting += data
        while not self.is_complete:
            before, step = len(self._waiting), self._step
            piece = step()
            if piece:
                yield piece
            if len(self._waiting) == before and self._step == step:
                return
        if self._waiting:
            raise _incomplete()

    def _line(self) -> bytes | None:
        end = self._waiting.find(b"\r\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(self._waiting) >= _LONGEST_LINE:
                raise _incomplete()
            return None
        line = bytes(self._waiting[:end])
        del self._waiting[: end + 2]
        return line

    def _head(self) -> None:
        line = self._line()
        if line is None:
            return
        head = _HEAD.fullmatch(line)
        if head is None or (head[2] is None) is not (self._signatures is None):
            raise _incomplete()
        self._left = int(head[1], 16)
        self._signature = (head[2] or b"").decode()
        self._digest = hashlib.sha256()
        if self._left:
            self._step = self._data
        else:
            self._check()
            self._step = self._trailer

    def _data(self) -> bytes:
        piece = bytes(self._waiting[: self._left])
        del self._waiting[: len(piece)]
        self._left -= len(piece)
        if self._signatures is not None:
            self._digest.update(piece)
        if not self._left:
            self._check()
            self._step = self._end
        return piece

    def _end(self) -> None:
        if len(self._waiting) < 2:  # noqa: PLR2004 - the length of a line's end
            return
        if self._waiting[:2] != b"\r\n":
            raise _incomplete()
        del self._waiting[:2]
        self._step = self._head

    def _trailer(self) -> None:
        line = self._line()
        if line is None:
            return
        if not line:
            self._finish()
            return
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon or name.lower() in self.trailers or len(self.trailers) >= _MOST_TRAILERS:
            raise malformed_trailer()
        self.trailers[name.strip().lower()] = value.strip()

    def _finish(self) -> None:
        signature = self.trailers.pop(_SIGNATURE, "")
        if self._signatures is not None and (self.trailers or signature):
            text = "".join(f"{name}:{value}\n" for name, value in self.trailers.items())
            self._signatures.check_trailer(signature, hashlib.sha256(text.encode("latin-1")).hexdigest())
        self.is_complete = True

    def _check(self) -> None:
        if self._signatures is not None:
            self._signatures.check_chunk(self._signature, self._digest.hexdigest())


def _incomplete() -> AwsError:
    return AwsError("IncompleteBody", "The request body terminated unexpectedly")


def malformed_trailer() -> AwsError:
    """What is said of a trailer that is not what was announced."""
    return AwsError(
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )


def framed_length(length: int, trailer: bytes) -> int:
    """How long a payload of some length is in frames of `FRAME` bytes with a trailer."""
    whole, rest = divmod(length, FRAME)
    around = len(frame(b"")) - 1  # a frame's two line ends
    full = whole * (FRAME + len(f"{FRAME:x}") + around)
    return full + (rest + len(f"{rest:x}") + around if rest else 0) + len(last_frame(trailer))


def frame(piece: bytes | bytearray) -> bytes:
    """A piece of `FRAME` bytes, or the last one, as a chunk without a signature."""
    return f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


def last_frame(trailer: bytes) -> bytes:
    """What ends a payload: the empty chunk and the trailer, `name:value`."""
    return b"0\r\n" + trailer + b"\r\n\r\n"
