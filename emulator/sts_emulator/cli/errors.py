"""The one exception that a command ends with: its text goes to standard error, its code is the exit code."""

from __future__ import annotations

REFUSED = 1
UNUSABLE = 2
INTERRUPTED = 130  # as shells write it: 128 and the signal's number


class CommandError(Exception):
    """Why a command could not do what was asked: lower case, without a final period.

    `code` is REFUSED when the answer is no or a server refuses, UNUSABLE when the command's input cannot be used.
    """

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code
