r"""Patterns of the models: Java's syntax, matched against a whole value in time linear in its length.

Python's `re` backtracks, and a hostile value of 20 kB against `[..]*\{##[..]*##\}[..]*` would hold the server for
seconds. So a pattern that is one repeated character class (most are) becomes an `re` that cannot backtrack, and every
other becomes a lazily built deterministic automaton. Lookaround and `\b`, which neither can express, go to `re` with the
value's length limited. Java's classes are ASCII for \w, \d and \s; \p{L} and its like are Unicode categories; \uXXXX
takes four digits, so that the models' `\u10000-\u10FFFF` means what Java makes of it (facts/sts-iam-sigv4 §10.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeAlias

LONGEST_LOOKAROUND: Final = 2_048
"""Characters of a value that a pattern with lookaround still looks at; no such member may be longer."""

_MOST_STATES: Final = 2_000
_MOST_STEPS: Final = 50_000
_UNLIMITED: Final = -1
_LOOKAROUND = re.compile(r"\(\?[=!]|\(\?<|\\b")
_CATEGORIES = frozenset("LMNPSZ")
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "e": "\x1b", "a": "\a"}


class PatternError(Exception):
    """A pattern that uses what is not implemented here."""


class Class:
    """A set of characters: ranges, Unicode categories by their first letter, and sets whose complement is meant."""

    def __init__(self, *ranges: tuple[int, int], categories: str = "", negated: bool = False) -> None:
        self.ranges = list(ranges)
        self.categories = set(categories)
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


def _shorthand(letter: str) -> Class:
    ranges = {
        "d": [(48, 57)],
        "w": [(48, 57), (65, 90), (95, 95), (97, 122)],
        "s": [(9, 13), (32, 32)],
    }[letter.lower()]
    return Class(*ranges, negated=letter.isupper())


_ANY_BUT_LINE_ENDS = Class((10, 10), (13, 13), (0x85, 0x85), (0x2028, 0x2029), negated=True)
_ANY = Class(negated=True)

# What a pattern is made of: a class, an assertion ("^" or "$"), or one of the three combinations.
Node: TypeAlias = "Class | str | tuple[str, list[Node]] | tuple[str, Node, int, int]"


class _Reader:
    """Reads a pattern into nodes."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.place = 0
        self.dot = _ANY_BUT_LINE_ENDS

    def read(self) -> Node:
        node = self.alternatives()
        if self.place < len(self.text):
            raise PatternError(f"unbalanced `)` in `{self.text}`")
        return node

    def peek(self) -> str:
        return self.text[self.place : self.place + 1]

    def take(self, expected: str = "") -> str:
        character = self.peek()
        if not character or (expected and character != expected):
            raise PatternError(f"expected `{expected}` at {self.place} of `{self.text}`")
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
        return branches[0] if len(branches) == 1 else ("either", branches)

    def sequence(self) -> Node:
        nodes: list[Node] = []
        while self.peek() not in ("", "|", ")"):
            if self.skip("(?s)"):
                self.dot = _ANY
                continue
            nodes.append(self.quantified(self.atom()))
        return nodes[0] if len(nodes) == 1 else ("each", nodes)

    def atom(self) -> Node:
        character = self.take()
        if character == "(":
            if self.peek() == "?" and not self.skip("?:"):
                raise PatternError(f"group at {self.place} of `{self.text}`")
            node = self.alternatives()
            self.take(")")
            return node
        if character == "[":
            return self.character_class()
        if character == "\\":
            return self.escape()
        if character == ".":
            return self.dot
        if character in "^$":
            return character
        if character in "*+?{":
            raise PatternError(f"nothing to repeat at {self.place} of `{self.text}`")
        return Class((ord(character), ord(character)))

    def quantified(self, node: Node) -> Node:
        character = self.peek()
        if character in ("*", "+", "?"):
            self.place += 1
            low, high = {"*": (0, _UNLIMITED), "+": (1, _UNLIMITED), "?": (0, 1)}[character]
        elif found := re.compile(r"\{(\d+)(,?)(\d*)\}").match(self.text, self.place):
            self.place = found.end()
            low = int(found[1])
            high = int(found[3]) if found[3] else (_UNLIMITED if found[2] else low)
        else:
            return node
        if self.peek() in ("*", "+", "?", "{"):
            raise PatternError(f"quantifier at {self.place} of `{self.text}`")
        return ("repeat", node, low, high)

    def character_class(self) -> Class:
        result = Class(negated=self.skip("^"))
        while not self.skip("]"):
            low = self.class_item()
            if isinstance(low, Class):
                result.others.append(low)
                continue
            high = low
            if self.peek() == "-" and self.text[self.place + 1 : self.place + 2] != "]":
                self.place += 1
                upper = self.class_item()
                if isinstance(upper, Class) or upper < low:
                    raise PatternError(f"range at {self.place} of `{self.text}`")
                high = upper
            result.ranges.append((low, high))
        return result

    def class_item(self) -> int | Class:
        character = self.take()
        if character == "[" or (character == "&" and self.peek() == "&"):
            raise PatternError(f"class operation at {self.place} of `{self.text}`")
        if character != "\\":
            return ord(character)
        escaped = self.escape()
        return escaped.ranges[0][0] if _is_single(escaped) else escaped

    def escape(self) -> Class:
        letter = self.take()
        if letter in "dDwWsS":
            return _shorthand(letter)
        if letter == "p":
            self.take("{")
            name = self.take()
            self.take("}")
            if name not in _CATEGORIES:
                raise PatternError(f"category `{name}` in `{self.text}`")
            return Class(categories=name)
        if letter == "u":
            code = self.hexadecimal(4)
            if 0xD800 <= code < 0xDC00 and self.skip("\\u"):  # a surrogate pair is one character to Java
                code = 0x10000 + ((code - 0xD800) << 10) + (self.hexadecimal(4) - 0xDC00)
            return Class((code, code))
        if letter == "x":
            code = self.hexadecimal(2)
            return Class((code, code))
        if letter.isalnum() and letter not in _CONTROLS:
            raise PatternError(f"escape `{letter}` in `{self.text}`")
        code = ord(_CONTROLS.get(letter, letter))
        return Class((code, code))

    def hexadecimal(self, digits: int) -> int:
        self.place += digits
        return int(self.text[self.place - digits : self.place], 16)


def _is_single(escaped: Class) -> bool:
    lone = len(escaped.ranges) == 1 and not escaped.negated and not escaped.categories
    return lone and escaped.ranges[0][0] == escaped.ranges[0][1]


@lru_cache(maxsize=1024)
def matcher(pattern: str) -> Callable[[str], bool]:
    """A function that says whether a whole value matches a model's pattern.

    Raises:
        PatternError: the pattern uses what is not implemented.
    """
    if _LOOKAROUND.search(pattern):
        return _looking_around(pattern)
    node = _Reader(pattern).read()
    repeated = _one_repeated_class(node)
    return _class_matcher(*repeated) if repeated else _Automaton(node).matches


def _looking_around(pattern: str) -> Callable[[str], bool]:
    if "\\p" in pattern or "\\u" in pattern:
        raise PatternError(f"lookaround beside Unicode in `{pattern}`")
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: len(value) > LONGEST_LOOKAROUND or compiled.fullmatch(value) is not None


def _one_repeated_class(node: Node) -> tuple[Class, int, int] | None:
    if isinstance(node, tuple) and node[0] == "each":
        inner = [part for part in node[1] if part not in ("^", "$")]  # a whole match needs no anchors
        anchored = node[1][:1] == ["^"] or "^" not in node[1]
        if len(inner) != 1 or not anchored or "$" in node[1][:-1]:
            return None
        node = inner[0]
    if isinstance(node, tuple) and node[0] == "repeat" and isinstance(node[1], Class):
        return node[1], node[2], node[3]
    return None


def _class_matcher(characters: Class, low: int, high: int) -> Callable[[str], bool]:
    ascii_set = "".join(f"\\x{code:02x}" for code in range(128) if characters.contains(chr(code)))
    count = f"{{{low},}}" if high == _UNLIMITED else f"{{{low},{high}}}"
    matches = re.compile((f"[{ascii_set}]" if ascii_set else "(?!)") + count).fullmatch

    def match(value: str) -> bool:
        if value.isascii():
            return matches(value) is not None
        enough = len(value) >= low and (high == _UNLIMITED or len(value) <= high)
        return enough and all(map(characters.contains, set(value)))

    return match


class _State:
    """A state of the automaton: places in the program, what each character leads to, and whether it may end here."""

    __slots__ = ("accepts", "edges", "places")

    def __init__(self, places: frozenset[int], *, accepts: bool) -> None:
        self.places = places
        self.accepts = accepts
        self.edges: dict[str, _State | None] = {}


class _Automaton:
    """A pattern as a program of classes and jumps (Thompson), made deterministic state by state as values need it."""

    def __init__(self, node: Node) -> None:
        self.program: list[tuple[str, Class | None, tuple[int, ...]]] = []
        self.emit(node)
        self.program.append(("match", None, ()))
        if len(self.program) > _MOST_STEPS:
            raise PatternError("pattern too large")
        self.states: dict[frozenset[int], _State] = {}
        self.start = self.state(self.closure({0}, start=True))

    def matches(self, value: str) -> bool:
        state = self.start
        for character in value:
            following = state.edges.get(character, state)
            if following is state and character not in state.edges:
                following = self.step(state, character)
            if following is None:
                return False
            state = following
        return state.accepts

    def step(self, state: _State, character: str) -> _State | None:
        reached = {
            place + 1
            for place in state.places
            if (characters := self.program[place][1]) is not None and characters.contains(character)
        }
        following = self.state(self.closure(reached)) if reached else None
        if len(state.edges) < _MOST_STATES:
            state.edges[character] = following
        return following

    def state(self, places: frozenset[int]) -> _State:
        known = self.states.get(places)
        if known is None:
            if len(self.states) >= _MOST_STATES:
                self.states.clear()  # bounded memory; what is still needed is built again
                self.start.edges.clear()
            accepts = any(self.program[place][0] == "match" for place in self.closure(set(places), end=True))
            known = self.states[places] = _State(places, accepts=accepts)
        return known

    def closure(self, places: set[int], *, start: bool = False, end: bool = False) -> frozenset[int]:
        """All places reachable without reading a character; `^` lets through at the start only, `$` at the end only."""
        pending, seen = list(places), set(places)
        while pending:
            kind, _, targets = self.program[pending.pop()]
            if kind == "jump" or (kind == "^" and start) or (kind == "$" and end):
                fresh = [target for target in targets if target not in seen]
                seen.update(fresh)
                pending.extend(fresh)
        return frozenset(place for place in seen if self.program[place][0] != "jump")

    def emit(self, node: Node) -> None:
        here = len(self.program)
        if isinstance(node, Class):
            self.program.append(("read", node, ()))
        elif isinstance(node, str):
            self.program.append((node, None, (here + 1,)))
        elif node[0] == "each":
            for part in node[1]:
                self.emit(part)
        elif node[0] == "either":
            self.emit_branches(node[1])
        else:
            self.emit_repeat(node[1], node[2], node[3])
        if len(self.program) > _MOST_STEPS:
            raise PatternError("pattern too large")

    def emit_branches(self, branches: list[Node]) -> None:
        fork = self.reserve()
        starts, ends = [], []
        for branch in branches:
            starts.append(len(self.program))
            self.emit(branch)
            ends.append(self.reserve())
        self.jump(fork, *starts)
        for end in ends:
            self.jump(end, len(self.program))

    def emit_repeat(self, node: Node, low: int, high: int) -> None:
        for _ in range(low):
            self.emit(node)
        if high == _UNLIMITED:
            fork = self.reserve()
            self.emit(node)
            self.jump(self.reserve(), fork)
            self.jump(fork, fork + 1, len(self.program))
            return
        forks = []
        for _ in range(high - low):
            forks.append(self.reserve())
            self.emit(node)
        for fork in forks:
            self.jump(fork, fork + 1, len(self.program))

    def reserve(self) -> int:
        self.program.append(("jump", None, ()))
        return len(self.program) - 1

    def jump(self, place: int, *targets: int) -> None:
        self.program[place] = ("jump", None, targets)
