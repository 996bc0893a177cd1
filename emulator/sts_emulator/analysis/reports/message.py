"""One thing to tell about a place in a file: what every format of findings is made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from sts_emulator.policy.light_dataclass import dataclass

Level = Literal["error", "warning", "note"]
LEVELS: Final[Mapping[str, Level]] = {"error": "error", "security": "error", "warning": "warning", "suggestion": "note"}
"""From the severities of lint."""


@dataclass(frozen=True, slots=True)
class Message:
    """A finding, a failed expectation or a mistake; `line` counts from 1, 0 is nowhere in particular."""

    file: str
    line: int
    level: Level
    rule: str
    title: str
    text: str
    witness: Mapping[str, Any] | None = None


def github(messages: Iterable[Message]) -> Iterator[str]:
    """GitHub's workflow commands, one a message (docs.github.com: Workflow commands for GitHub Actions)."""
    for message in messages:
        command = "notice" if message.level == "note" else message.level
        place = f"file={_property(message.file)},line={max(message.line, 1)},title={_property(message.title)}"
        yield f"::{command} {place}::{_data(message.text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
