"""Reads JSON without building all of it: values where they are asked for, and the line of every place.

A plan of a few thousand roles is tens of megabytes, and decoded as a whole takes ten times that. Here only the text is
kept; lists are walked element by element, and what nobody asks for is skipped by counting brackets.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from json.decoder import scanstring  # type: ignore[attr-defined]  # documented nowhere, and as old as json
from typing import Any, Final, NoReturn

MAX_BYTES: Final = 256 << 20
DEEPEST: Final = 200

_SPACE = re.compile(r"[ \t\n\r]*+")
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[][{}"]', re.DOTALL)
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_PAIRS = {"]": "[", "}": "{"}


class BadInput(ValueError):  # noqa: N818 - a mistake in a file, not a failure of the program
    """What cannot be imported: the message says why, `line` where (0: nowhere in particular)."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class JsonText:
    """A JSON text; places in it are offsets. Every method raises BadInput for what is not JSON there.

    Numbers and booleans come as IAM takes them: texts. A key twice in one object is refused.
    """

    def __init__(self, data: bytes, file: str) -> None:
        self.file = file
        self.text = decoded(data)
        self._ends: dict[int, int] = {}
        self._has_surrogates = _SURROGATE.search(self.text) is not None
        self.start = self._space(0)

    @cached_property
    def top(self) -> dict[str, int]:
        """The members of the outermost object, by where their values begin; empty when it is no object."""
        if self._at(self.start) != "{":
            return {}
        members = dict(self.members(self.start))
        end = self._space(self._end(self.start))
        if end != len(self.text):
            self._bad(end, "has something behind its end")
        return members

    def members(self, at: int) -> Iterator[tuple[str, int]]:
        """The members of the object at `at`: name, and where the value begins."""
        start, at = at, self._open(at, "{")
        if self._at(at) == "}":
            self._ends[start] = at + 1
            return
        while True:
            name, at = self._name(at)
            yield name, at
            at = self._space(self._end(at))
            if self._at(at) == "}":
                self._ends[start] = at + 1
                return
            at = self._open(at, ",")

    def elements(self, at: int) -> Iterator[int]:
        """Where each element of the list at `at` begins."""
        start, at = at, self._open(at, "[")
        if self._at(at) == "]":
            self._ends[start] = at + 1
            return
        while True:
            yield at
            at = self._space(self._end(at))
            if self._at(at) == "]":
                self._ends[start] = at + 1
                return
            at = self._open(at, ",")

    def is_list(self, at: int) -> bool:
        return self._at(at) == "["

    def is_object(self, at: int) -> bool:
        return self._at(at) == "{"

    def value(self, at: int) -> Any:
        """The value at `at`, whole."""
        try:
            value, self._ends[at] = _DECODER.raw_decode(self.text, at)
            if self._has_surrogates:
                json.dumps(value, ensure_ascii=False).encode()
        except json.JSONDecodeError as error:
            self._bad(error.pos, f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
        except _Twice as twice:
            self._bad(at, f"has the key `{twice}` twice in one object")
        except UnicodeEncodeError:
            self._bad(at, "has half of a surrogate pair in a text")
        except RecursionError:
            self._bad(at, "is nested too deeply")
        except ValueError as error:
            self._bad(at, f"is not JSON: {error}")
        return value

    def plain(self) -> Any:
        """The whole text as one value."""
        value = self.value(self.start)
        end = self._space(self._ends[self.start])
        if end != len(self.text):
            self._bad(end, "has something behind its end")
        return value

    def find(self, at: int, path: Sequence[str | int]) -> int:
        """Where the value lies to which `path` leads from `at`, or the last place on the way that exists."""
        for step in path:
            below = self._below(at, step)
            if below is None:
                break
            at = below
        return at

    def _below(self, at: int, step: str | int) -> int | None:
        try:
            if isinstance(step, int):
                # A single value stands for a list of one, everywhere in a policy.
                return next((e for n, e in enumerate(self.elements(at)) if n == step), None) if self.is_list(at) else at
            if not self.is_object(at):
                return None
            return next((value for name, value in self.members(at) if name == step), None)
        except BadInput:
            return None

    def line_at(self, path: Sequence[str | int]) -> int:
        """The line of what `path` leads to from the top, or of the nearest place on the way."""
        return self.line(self.find(self.start, path))

    def line(self, at: int) -> int:
        """The line of a place, from 1."""
        return bisect_left(self._breaks, at) + 1

    @cached_property
    def _breaks(self) -> list[int]:
        return [match.start() for match in re.finditer("\n", self.text)]

    # -- scanning ---------------------------------------------------------------------------------------------------

    def _name(self, at: int) -> tuple[str, int]:
        if self._at(at) != '"':
            self._bad(at, "is not JSON: a key in double quotes is expected")
        try:
            name, end = scanstring(self.text, at + 1, True)  # noqa: FBT003 - json's own signature
            name.encode()
        except json.JSONDecodeError as error:
            self._bad(error.pos, f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
        except UnicodeEncodeError:
            self._bad(at, "has half of a surrogate pair in a text")
        return name, self._open(self._space(end), ":")

    def _end(self, at: int) -> int:
        """Where the value at `at` ends; skipped over when nobody has looked at it."""
        known = self._ends.pop(at, None)
        if known is not None:
            return known
        if self._at(at) not in ("{", "["):
            self.value(at)
            return self._ends.pop(at)
        return self._skip(at)

    def _skip(self, at: int) -> int:
        opened: list[str] = []
        for match in _TOKEN.finditer(self.text, at):
            token = match.group()
            if token in ("{", "["):
                opened.append(token)
                if len(opened) > DEEPEST:
                    self._bad(match.start(), f"is nested deeper than {DEEPEST} levels")
            elif token in ("}", "]"):
                if opened.pop() != _PAIRS[token]:
                    self._bad(match.start(), f"is not JSON: `{token}` closes something else")
                if not opened:
                    return match.end()
            elif token == '"':  # noqa: S105 - a quotation mark
                self._bad(match.start(), "is not JSON: a text does not end")
        return self._bad(at, "is not JSON: it ends too early")

    def _open(self, at: int, character: str) -> int:
        if self._at(at) != character:
            self._bad(at, f"is not JSON: `{character}` is expected" if at < len(self.text) else "ends too early")
        return self._space(at + 1)

    def _at(self, at: int) -> str:
        return self.text[at : at + 1]

    def _space(self, at: int) -> int:
        match = _SPACE.match(self.text, at)
        return at if match is None else match.end()

    def _bad(self, at: int, message: str) -> NoReturn:
        raise BadInput(message, self.line(at))


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark as PowerShell's `>` writes it. Raises BadInput."""
    if len(data) > MAX_BYTES:
        raise BadInput(f"is larger than {MAX_BYTES >> 20} MiB")
    if data[:2] == b"PK":
        raise BadInput("is a zip archive; for a saved plan `terraform show -json PLAN` writes what can be read here")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise BadInput("is not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None


class _Twice(ValueError):  # noqa: N818 - never leaves this module
    pass


def _unique(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        raise _Twice(next(name for name, _ in pairs if name in seen or seen.add(name))[:60])  # type: ignore[func-returns-value]  # add() says nothing, which is falsy
    return members


def _no_constant(name: str) -> str:
    raise ValueError(f"{name} is no JSON value")


class Number(str):
    """A JSON number, kept as the text it was written in."""

    __slots__ = ()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)
