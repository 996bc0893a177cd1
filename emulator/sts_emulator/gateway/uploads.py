"""A body on its way to an upstream: taken out of its coding, checked as it passes, its end held back until then.

INVARIANT: the last piece of a body leaves only when every chunk, the trailer, the length and each checksum that was
promised have been found right. Whoever forwards drops the connection otherwise, so that nothing half is ever stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import checksums
from sts_emulator.gateway.checksums import Checksum
from sts_emulator.wire import aws_chunks, sigv4, sigv4_s3
from sts_emulator.wire.asgi import Receive
from sts_emulator.wire.sigv4 import Signed
from sts_emulator.wire.sigv4_s3 import ChunkSignatures

_OF_NOTHING: Final = frozenset({sigv4.EMPTY_DIGEST, sigv4_s3.UNSIGNED})
_OF_BODY: Final = ("content-", "transfer-encoding", "x-amz-checksum-", "x-amz-trailer", "x-amz-decoded-content-length")
_LARGEST: Final = 5 << 40
_DIGITS: Final = 16
_CHECKSUM: Final = "x-amz-checksum-"
_NOT_VALUES: Final = frozenset({"x-amz-checksum-algorithm", "x-amz-checksum-type", "x-amz-checksum-mode"})


def has_none(headers: Mapping[str, str], said: str) -> bool:
    """Whether a request has no body, and nothing that could be said of one: as most that are not streamed."""
    return said in _OF_NOTHING and not any(map(_tells_of_body, headers))


@lru_cache(maxsize=1024)
def _tells_of_body(name: str) -> bool:
    return name.startswith(_OF_BODY) and name not in _NOT_VALUES


class GoneError(Exception):
    """The caller has closed the connection in the middle of its body."""


class Upload:
    """The body of one request to S3."""

    def __init__(
        self, headers: Mapping[str, str], said: str, receive: Receive, signed: Signed | None, secret: str
    ) -> None:
        """`said` is what the request says of its payload: a digest, or how it is streamed.

        Raises:
            AwsError: the body has no length, or is announced as what it cannot be.
        """
        self._receive = receive
        self._said = said
        self._decoder = self._coding(headers, said, signed, secret)
        self.length = self._announced(headers)
        self.trailer = self._trailing(headers) if self._decoder is not None else ""
        """The name of the header that follows the body, or ""."""
        self._digest = hashlib.sha256() if said not in (sigv4_s3.UNSIGNED, *sigv4_s3.STREAMED) else None
        self._promised = {
            name: value for name, value in headers.items() if name.startswith(_CHECKSUM) and name not in _NOT_VALUES
        }
        if "content-md5" in headers:
            self._promised["x-amz-checksum-md5"] = headers["content-md5"]
        names = [*self._promised, *([self.trailer] if self.trailer else [])]
        self._checksums = {name: made for name in names if (made := checksums.by_header(name)) is not None}

    @property
    def trailer_value(self) -> str:
        """What the header that follows the body says; known once the body has passed."""
        return self._decoder.trailers.get(self.trailer, "") if self._decoder is not None else ""

    async def pieces(self) -> AsyncIterator[bytes]:
        """The payload, piece by piece. Raises AwsError where it is not what was signed, and GoneError."""
        held, seen = b"", 0
        async for piece in self._decoded():
            seen += len(piece)
            if seen > self.length:
                raise _incomplete()
            self._take(piece)
            if held:
                yield held
            held = piece
        if seen != self.length:
            raise _incomplete()
        self._verify()
        if held:
            yield held

    async def whole(self, limit: int) -> bytes:
        """The payload at once. Raises AwsError where it is larger, too."""
        if self.length > limit:
            raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size.")
        return b"".join([piece async for piece in self.pieces()])

    async def _decoded(self) -> AsyncIterator[bytes]:
        async for data in received(self._receive):
            if self._decoder is None:
                yield data
                continue
            for piece in self._decoder.feed(data):
                yield piece
        if self._decoder is not None and not self._decoder.is_complete:
            raise _incomplete()

    def _take(self, piece: bytes) -> None:
        if self._digest is not None:
            self._digest.update(piece)
        for checksum in self._checksums.values():
            checksum.update(piece)

    def _verify(self) -> None:
        if self._digest is not None and not hmac.compare_digest(self._digest.hexdigest(), self._said):
            raise AwsError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                members={
                    "ClientComputedContentSHA256": self._said,
                    "S3ComputedContentSHA256": self._digest.hexdigest(),
                },
            )
        trailers = self._decoder.trailers if self._decoder is not None else {}
        if set(trailers) != ({self.trailer} if self.trailer else set()):
            raise aws_chunks.malformed_trailer()
        for name, value in {**self._promised, **trailers}.items():
            if name in self._checksums and not _is_of(self._checksums[name], value):
                kind = name.removeprefix(_CHECKSUM).upper()
                text = (
                    "The Content-MD5 you specified did not match what we received."
                    if kind == "MD5"
                    else f"The {kind} you specified did not match the calculated checksum."
                )
                raise AwsError("BadDigest", text)

    @staticmethod
    def _coding(headers: Mapping[str, str], said: str, signed: Signed | None, secret: str) -> aws_chunks.Decoder | None:
        algorithm = sigv4_s3.STREAMED.get(said)
        if algorithm is None:
            if "aws-chunked" in headers.get("content-encoding", "").lower():
                raise AwsError("InvalidRequest", "x-amz-content-sha256 does not say that the body is in chunks")
            return None
        if not algorithm or signed is None:
            return aws_chunks.Decoder(None)
        if algorithm != signed.algorithm:
            raise AwsError("InvalidRequest", "The body is signed by another algorithm than the request")
        return aws_chunks.Decoder(ChunkSignatures(signed, secret, algorithm))

    def _announced(self, headers: Mapping[str, str]) -> int:
        name = "x-amz-decoded-content-length" if self._decoder is not None else "content-length"
        given = headers.get(name, "0" if "transfer-encoding" not in headers and self._decoder is None else "")
        if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS and int(given) <= _LARGEST):
            raise AwsError("MissingContentLength", "You must provide the Content-Length HTTP header.", status=411)
        return int(given)

    def _trailing(self, headers: Mapping[str, str]) -> str:
        name = headers.get("x-amz-trailer", "").strip().lower()
        if name and checksums.by_header(name) is None:
            raise AwsError("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
        return name


def _is_of(checksum: Checksum, value: str) -> bool:
    try:
        return hmac.compare_digest(base64.b64decode(value, validate=True), checksum.digest())
    except (binascii.Error, ValueError):
        return False


def _incomplete() -> AwsError:
    return AwsError(
        "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
    )


async def received(receive: Receive) -> AsyncIterator[bytes]:
    """The bytes of a body as they come. Raises GoneError."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        if data := message.get("body", b""):
            yield bytes(data)
        more = message.get("more_body", False)


async def framed(upload: Upload) -> AsyncIterator[bytes]:
    """An upload as it goes on in chunks, where a trailer follows it.

    The last frame is made of what was held back, and of the trailer that was checked by then.
    """
    waiting = bytearray()
    async for piece in upload.pieces():
        waiting += piece
        while len(waiting) > aws_chunks.FRAME:
            yield aws_chunks.frame(waiting[: aws_chunks.FRAME])
            del waiting[: aws_chunks.FRAME]
    trailer = f"{upload.trailer}:{upload.trailer_value}".encode()
    yield (aws_chunks.frame(waiting) if waiting else b"") + aws_chunks.last_frame(trailer)


def framed_length(upload: Upload) -> int:
    """How long that is."""
    value = "=" * checksums.length_of(upload.trailer)
    return aws_chunks.framed_length(upload.length, f"{upload.trailer}:{value}".encode())
