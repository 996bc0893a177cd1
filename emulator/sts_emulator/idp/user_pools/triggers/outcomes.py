"""What can come of calling a trigger's function beside an answer: it failed, it cannot be called, or it is too slow."""

from __future__ import annotations


class FunctionError(Exception):
    """The function failed: the message is what it says of that."""


class NoAnswerError(Exception):
    """There is no such function, or it cannot be reached; the message says why."""


class NotJsonError(Exception):
    """What came back is no JSON object, or none that fits."""


class HangsError(Exception):
    """So many calls of it hang that no more are made; the message says so."""
