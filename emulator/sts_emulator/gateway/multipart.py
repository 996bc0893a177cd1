"""A form of `multipart/form-data` as a browser sends it, up to its file, which goes to a temporary file (RFC 7578)."""

from __future__ import annotations

import re
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import field
from typing import IO, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.light_dataclass import dataclass

_MOST_FIELDS: Final = 20_480  # bytes beside the file: S3 API Reference, "POST Object"
_IN_MEMORY: Final = 1 << 20
_HEAD: Final = 4_096
_BOUNDARY = re.compile(r'multipart/form-data\s*;(?:.*;)?\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE)
_NAME = re.compile(r'(?<!file)name="([^"]*)"')
_FILE_NAME = re.compile(r'filename="([^"]*)"')


@dataclass(slots=True)
class Form:
    """The fields before the file, by lower-case name, and the file."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str = ""
    file: IO[bytes] | None = None
    size: int = 0


class FormReader:
    """Reads a form in two steps: nobody's file is taken in before it is known whether it may be.

    Fields behind the file are ignored, as S3 does.
    """

    def __init__(self, content_type: str, pieces: AsyncIterator[bytes]) -> None:
        """Raises AwsError where the content type is not that of a form."""
        match = _BOUNDARY.match(content_type)
        if match is None:
            raise _malformed()
        self._boundary = b"\r\n--" + (match[1] or match[2]).encode("latin-1")
        self._pieces = pieces
        self._waiting = bytearray(b"\r\n")  # the first boundary has no line before it
        self._form = Form()
        self._largest = 0
        self._step: Callable[[], bool] = self._preamble
        self._name = ""
        self._is_over = False

    async def fields(self) -> Form:
        """The form up to its file. Raises AwsError, and what bringing the pieces raises."""
        while self._form.file is None:
            await self._feed()
            if self._form.file is None and len(self._waiting) > _MOST_FIELDS:
                raise AwsError(
                    "MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were too large."
                )
        return self._form

    async def file(self, largest: int) -> None:
        """Take in the file, of so many bytes at most. Raises AwsError, and what bringing the pieces raises."""
        assert self._form.file is not None
        self._largest = largest
        self._step = self._file
        self._advance()
        while not self._is_over:
            await self._feed()
        async for _ in self._pieces:
            pass  # what stands behind the file
        self._form.file.seek(0)

    async def _feed(self) -> None:
        piece = await anext(self._pieces, b"")
        if not piece:
            raise _malformed()
        self._waiting += piece
        self._advance()

    def _advance(self) -> None:
        while not self._is_over and self._step():
            pass

    def _preamble(self) -> bool:
        place = self._waiting.find(self._boundary)
        if place != 0:
            if len(self._waiting) >= len(self._boundary):
                raise _malformed()
            return False
        del self._waiting[: len(self._boundary)]
        self._step = self._head
        return True

    def _head(self) -> bool:
        if self._waiting[:2] == b"--":
            raise _malformed()  # over, before there was a file
        end = self._waiting.find(b"\r\n\r\n")
        if end < 0:
            if len(self._waiting) > _HEAD:
                raise _malformed()
            return False
        head = self._waiting[:end].decode("utf-8", "replace")
        del self._waiting[: end + 4]
        disposition = next((line for line in head.split("\r\n") if line.lower().startswith("content-disposition:")), "")
        name = _NAME.search(disposition)
        if name is None:
            raise _malformed()
        self._name = name[1].lower()
        if self._name == "file":
            file_name = _FILE_NAME.search(disposition)
            self._form.file_name = re.split(r"[\\/]", file_name[1])[-1] if file_name else ""
            self._form.file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - whoever sends it closes it
            self._step = self._pause
        else:
            self._step = self._value
        return True

    def _pause(self) -> bool:
        return False

    def _value(self) -> bool:
        end = self._waiting.find(self._boundary)
        if end < 0:
            return False
        if self._name in self._form.fields:
            raise AwsError("InvalidArgument", f"POST requires exactly one {self._name} per request.")
        self._form.fields[self._name] = self._waiting[:end].decode("utf-8", "replace")
        del self._waiting[: end + len(self._boundary)]
        self._step = self._head
        if sum(len(name) + len(value) for name, value in self._form.fields.items()) > _MOST_FIELDS:
            raise _malformed()
        return True

    def _file(self) -> bool:
        end = self._waiting.find(self._boundary)
        keep = len(self._waiting) - len(self._boundary) + 1
        size = end if end >= 0 else max(0, keep)
        self._form.size += size
        if self._form.size > self._largest:
            raise AwsError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        assert self._form.file is not None
        self._form.file.write(self._waiting[:size])
        del self._waiting[:size]
        self._is_over = end >= 0
        return False


def _malformed() -> AwsError:
    return AwsError("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")
