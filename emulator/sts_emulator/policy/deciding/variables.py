"""Owns policy variables: how `${key}`, `${key, 'default'}` and escapes are read, and what they become for a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sts_emulator.policy.deciding.matching import Piece

LANGUAGE_WITH_VARIABLES = "2012-10-17"
ESCAPES = frozenset("*?$")


@dataclass(frozen=True, slots=True)
class Variable:
    """A `${…}` in policy text: the condition key as written, and lower-cased as `name`."""

    text: str
    key: str
    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """Policy text cut into literal pieces and variables."""

    parts: tuple[Piece | Variable, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables in the text, in order."""
        return tuple(part for part in self.parts if isinstance(part, Variable))

    def pieces(self, context: Mapping[str, tuple[str, ...]]) -> tuple[Piece, ...] | None:
        """The text for one request, or None when a variable has no value and no default.

        Substituted text carries no wildcards. A key with several values is not usable as a variable
        (UG reference_policies_variables).
        """
        resolved: list[Piece] = []
        for part in self.parts:
            if not isinstance(part, Variable):
                resolved.append(part)
                continue
            value = value_of(part, context)
            if value is None:
                return None
            resolved.append((value, False))
        return tuple(resolved)

    def static(self) -> tuple[Piece, ...] | None:
        """The pieces when no variable is involved, so that they can be compiled once."""
        return None if self.variables else self.pieces({})


def value_of(variable: Variable, context: Mapping[str, tuple[str, ...]]) -> str | None:
    """What the variable stands for in this request, or None."""
    values = context.get(variable.name)
    if not values:
        return variable.default
    return values[0] if len(values) == 1 else None


def template(text: str, version: str) -> Template:
    """Read the variables of `text`; before the 2012-10-17 language `${` is plain text, and so is an unclosed one."""
    if version != LANGUAGE_WITH_VARIABLES:
        return Template(((text, True),))
    parts: list[Piece | Variable] = []
    position = 0
    while (start := text.find("${", position)) >= 0 and (end := text.find("}", start)) >= 0:
        if start > position:
            parts.append((text[position:start], True))
        parts.append(_read(text[start : end + 1]))
        position = end + 1
    if position < len(text) or not parts:
        parts.append((text[position:], True))
    return Template(tuple(parts))


def _read(text: str) -> Piece | Variable:
    inner = text[2:-1]
    if inner in ESCAPES:
        return inner, False
    name, comma, default = inner.partition(",")
    default = default.strip()
    quoted = len(default) > 1 and default[0] == default[-1] == "'"
    if comma and quoted:
        return Variable(text, name.strip(), name.strip().lower(), default[1:-1])
    return Variable(text, inner.strip(), inner.strip().lower())
