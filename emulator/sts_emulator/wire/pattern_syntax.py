r"""The syntax of the models' patterns, which is Java's: a pattern as a tree of classes, anchors and combinations.

Java's \w, \d and \s are ASCII; \p{L} and its like are Unicode categories; \uXXXX takes four digits, so that the models'
`\u10000-\u10FFFF` means what Java makes of it, and no character beyond U+FFFF (docs/aws/wire.md, "Validation by STS").
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, TypeAlias

from sts_emulator.policy.light_dataclass import dataclass

UNLIMITED: Final = -1
"""Upper bound of a repetition that has none."""

_ASCII: Final = range(128)
_CATEGORIES: Final = frozenset("LMNPSZ")
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "e": "\x1b", "a": "\a"}
_COUNT = re.compile(r"\{(\d+)(,?)(\d*)\}")
_HIGH_SURROGATES: Final = range(0xD800, 0xDC00)
_SHORTHANDS: Final = {
    "d": [(48, 57)],
    "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
    "s": [(9, 13), (32, 32)],
}


class PatternError(Exception):
    """A pattern that uses what is not implemented here."""


class Class:
    """A set of characters: ranges of code points, Unicode categories by their first letter, and other sets."""

    def __init__(self, *ranges: tuple[int, int], categories: str = "", negated: bool = False) -> None:
        self.ranges = list(ranges)
        self.categories = categories
        self.others: list[Class] = []
        self.negated = negated

    def contains(self, character: str) -> bool:
        code = ord(character)
        inside = (
            any(low <= code <= high for low, high in self.ranges)
            or (bool(self.categories) and unicodedata.category(character)[0] in self.categories)
            or any(other.contains(character) for other in self.others)
        )
        return inside is not self.negated

    def ascii_codes(self) -> set[int]:
        """The ASCII characters that the set holds, all at once: to ask for each takes milliseconds of a start."""
        codes = {code for low, high in self.ranges for code in _ASCII[low : high + 1]}
        codes.update(
            code for code in _ASCII if self.categories and unicodedata.category(chr(code))[0] in self.categories
        )
        codes.update(*(other.ascii_codes() for other in self.others))
        return set(_ASCII) - codes if self.negated else codes


@dataclass(frozen=True, slots=True)
class Anchor:
    """`^` or `$`."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other."""

    parts: list[Node]


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of the branches."""

    branches: list[Node]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part so many times; `high` may be UNLIMITED."""

    part: Node
    low: int
    high: int


Node: TypeAlias = Class | Anchor | Sequence | Choice | Repeat

_LINE_ENDS: Final = ((10, 10), (13, 13), (0x85, 0x85), (0x2028, 0x2029))


def parse(pattern: str) -> Node:
    """The tree of a pattern.

    Raises:
        PatternError: it uses lookaround, a back reference, or anything else that is not implemented.
    """
    return _Reader(pattern).read()


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.place = 0
        self.dot = Class(*_LINE_ENDS, negated=True)

    def read(self) -> Node:
        node = self.alternatives()
        if self.place < len(self.text):
            raise self.error("unbalanced `)`")
        return node

    def error(self, what: str) -> PatternError:
        return PatternError(f"{what} at {self.place} of `{self.text}`")

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def take(self, expected: str = "") -> str:
        character = self.peek()
        if not character or (expected and character != expected):
            raise self.error(f"`{expected}` expected")
        self.place += 1
        return character

    def skip(self, prefix: str) -> bool:
        if self.text.startswith(prefix, self.place):
            self.place += len(prefix)
            return True
        return False

    def alternatives(self) -> Node:
        branches = [self.sequence()]
        while self.skip("|"):
            branches.append(self.sequence())
        return branches[0] if len(branches) == 1 else Choice(branches)

    def sequence(self) -> Node:
        parts: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            if self.skip("(?s)"):
                self.dot = Class(negated=True)
                continue
            parts.append(self.quantified(self.atom()))
        return parts[0] if len(parts) == 1 else Sequence(parts)

    def atom(self) -> Node:
        character = self.take()
        if character == "(":
            return self.group()
        if character == "[":
            return self.character_class()
        if character == "\\":
            return self.escape()
        if character == ".":
            return self.dot
        if character in "^$":
            return Anchor(character)
        if character in "*+?{":
            raise self.error("nothing to repeat")
        return Class((ord(character), ord(character)))

    def group(self) -> Node:
        if not self.skip("?:") and self.peek() == "?":
            raise self.error("unknown group")
        node = self.alternatives()
        self.take(")")
        return node

    def quantified(self, node: Node) -> Node:
        if count := _COUNT.match(self.text, self.place):
            self.place = count.end()
            low = int(count[1])
            high = int(count[3]) if count[3] else (UNLIMITED if count[2] else low)
        elif (character := self.peek()) in ("*", "+", "?"):
            self.place += 1
            low, high = {"*": (0, UNLIMITED), "+": (1, UNLIMITED), "?": (0, 1)}[character]
        else:
            return node
        if self.peek() in ("*", "+", "?", "{"):
            raise self.error("unknown quantifier")
        return Repeat(node, low, high)

    def character_class(self) -> Class:
        result = Class(negated=self.skip("^"))
        while not self.skip("]"):
            item = self.class_item()
            if isinstance(item, Class):
                result.others.append(item)
            else:
                result.ranges.append((item, self.range_end(item)))
        return result

    def range_end(self, low: int) -> int:
        if self.peek() != "-" or self.text[self.place + 1 : self.place + 2] == "]":
            return low
        self.place += 1
        high = self.class_item()
        if isinstance(high, Class) or high < low:
            raise self.error("impossible range")
        return high

    def class_item(self) -> int | Class:
        """One character of a class as its code point, or a set within the class."""
        character = self.take()
        if character == "[" or (character == "&" and self.peek() == "&"):
            raise self.error("unknown class operation")
        if character != "\\":
            return ord(character)
        escaped = self.escape()
        if len(escaped.ranges) == 1 and not escaped.negated:
            low, high = escaped.ranges[0]
            if low == high:
                return low
        return escaped

    def escape(self) -> Class:
        letter = self.take()
        if letter.lower() in _SHORTHANDS:
            return Class(*_SHORTHANDS[letter.lower()], negated=letter.isupper())
        if letter == "p":
            return self.category()
        if letter == "u":
            code = self.hexadecimal(4)
            if code in _HIGH_SURROGATES and self.skip("\\u"):  # a surrogate pair is one character to Java
                code = 0x10000 + ((code - 0xD800) << 10) + (self.hexadecimal(4) - 0xDC00)
        elif letter == "x":
            code = self.hexadecimal(2)
        elif letter.isalnum() and letter not in _CONTROLS:
            raise self.error(f"unknown escape `{letter}`")
        else:
            code = ord(_CONTROLS.get(letter, letter))
        return Class((code, code))

    def category(self) -> Class:
        self.take("{")
        name = self.take()
        self.take("}")
        if name not in _CATEGORIES:
            raise self.error(f"unknown category `{name}`")
        return Class(categories=name)

    def hexadecimal(self, digits: int) -> int:
        text = self.text[self.place : self.place + digits]
        if not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", text):
            raise self.error("hexadecimal digits expected")
        self.place += digits
        return int(text, 16)
