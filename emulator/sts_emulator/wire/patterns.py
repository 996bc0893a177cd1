r"""Which matcher a model's pattern gets, so that no value, however long and hostile, is matched by backtracking.

`re` would hold the server for seconds over 20 kB against `[..]*\{##[..]*##\}[..]*`. A pattern that is one repeated
class (most are) becomes an `re` that has nothing to go back to; every other becomes an automaton. Lookaround and `\b`,
which neither can express, go to `re` with the value's length limited.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from sts_emulator.wire.automaton import Automaton
from sts_emulator.wire.pattern_syntax import UNLIMITED, Anchor, Class, Node, PatternError, Repeat, Sequence, parse

LONGEST_LOOKAROUND: Final = 2_048
"""Characters up to which a pattern with lookaround is applied; a longer value breaks its member's length anyway."""

_LOOKAROUND = re.compile(r"\(\?[=!]|\(\?<|\\b")


@lru_cache(maxsize=1024)
def matcher(pattern: str, shortest: int = 0, longest: int = sys.maxsize) -> Callable[[str], bool]:
    """A function that says whether a whole value matches the pattern and is as long as it has to be.

    Raises:
        PatternError: the pattern uses what is not implemented.
    """
    if _LOOKAROUND.search(pattern):
        matches = _lookaround_matcher(pattern)
    else:
        node = parse(pattern)
        repeated = _repeated_class(node)
        if repeated:
            return _class_matcher(*repeated, shortest, longest)
        matches = Automaton(node).matches
    if (shortest, longest) == (0, sys.maxsize):
        return matches
    return lambda value: shortest <= length(value) <= longest and matches(value)


def length(value: str) -> int:
    """Length as Java counts it, in UTF-16 units (docs/aws/wire.md, "Validation by STS")."""
    return len(value) if value.isascii() else len(value.encode("utf-16-le", "surrogatepass")) // 2


def _lookaround_matcher(pattern: str) -> Callable[[str], bool]:
    if "\\p" in pattern or "\\u" in pattern:
        raise PatternError(f"lookaround beside Unicode in `{pattern}`")
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: len(value) > LONGEST_LOOKAROUND or compiled.fullmatch(value) is not None


def _repeated_class(node: Node) -> tuple[Class, int, int] | None:
    """The class and its bounds, where that is all of the pattern but for anchors, which a whole match does not need."""
    parts = node.parts if isinstance(node, Sequence) else [node]
    if parts[:1] == [Anchor("^")]:
        parts = parts[1:]
    if parts[-1:] == [Anchor("$")]:
        parts = parts[:-1]
    only = parts[0] if len(parts) == 1 else None
    if isinstance(only, Repeat) and isinstance(only.part, Class):
        return only.part, only.low, only.high
    return None


def _class_matcher(characters: Class, low: int, high: int, shortest: int, longest: int) -> Callable[[str], bool]:
    """Of ASCII one call of `re` tells all: the characters, how many the pattern wants and how many their member."""
    ascii_members = "".join(f"\\x{first:02x}-\\x{last:02x}" for first, last in _ascii_ranges(characters))
    fewest, most = max(low, shortest), longest if high == UNLIMITED else min(high, longest)
    count = f"{{{fewest},{'' if most == sys.maxsize else most}}}"
    member = f"[{ascii_members}]" if ascii_members else "(?!)"
    matches = re.compile(member + count if fewest <= most else "(?!)").fullmatch

    def match(value: str) -> bool:
        if matches(value) is not None:
            return True
        if value.isascii():
            return False
        enough = low <= len(value) and (high == UNLIMITED or len(value) <= high)
        return enough and shortest <= length(value) <= longest and all(map(characters.contains, set(value)))

    return match


def _ascii_ranges(characters: Class) -> list[list[int]]:
    """First and last of the runs of ASCII characters in a class: few words for `re`, which reads them slowly."""
    runs: list[list[int]] = []
    for code in sorted(characters.ascii_codes()):
        if runs and runs[-1][1] == code - 1:
            runs[-1][1] = code
        else:
            runs.append([code, code])
    return runs
