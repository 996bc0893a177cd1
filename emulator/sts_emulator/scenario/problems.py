"""What is wrong with a scenario, and where: every mistake leaves as `file:line: what is wrong`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from sts_emulator.core.terminal import printable
from sts_emulator.policy.light_dataclass import dataclass

NOTHING: Final = "holds nothing; name another file, or run again what was to write it"


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a scenario: its file (a name only), the line, and the lines of the keys below it."""

    file: str = "scenario"
    line: int = 0
    lines: Mapping[str, int] = field(default_factory=dict)

    def at(self, key: str) -> Where:
        """The place of a key below this one; this place itself when the key is not written there."""
        return Where(self.file, self.lines.get(key, self.line))


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake."""

    where: Where
    message: str

    def __str__(self) -> str:
        """`file:line: message`, on one line; without a line number when none is to blame."""
        line = f":{self.where.line}" if self.where.line else ""
        return printable(f"{self.where.file}{line}: {self.message}")


class ScenarioError(Exception):
    """A scenario that cannot be used; its text has one line a mistake, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)

    @classmethod
    def at(cls, where: Where, message: str) -> ScenarioError:
        """The error of one mistake."""
        return cls([Problem(where, message)])
