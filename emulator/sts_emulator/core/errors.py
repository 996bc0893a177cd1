"""The one exception that leaves the emulator as an AWS error; anything else is an internal failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class AwsError(Exception):
    """An error as AWS names it: code, message, HTTP status and, where the model declares them, further members.

    `status` defaults to 400; a status that the service's model declares for `code` wins over an unset one when the
    wire renders it. `members` become members of the error's body (JSON protocols) or of `<Error>` (query protocol).
    """

    __slots__ = ("code", "members", "message", "status")

    def __init__(
        self, code: str, message: str = "", *, status: int | None = None, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members: Mapping[str, Any] = members or {}
