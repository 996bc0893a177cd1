"""What a PartiQL statement says of attributes: to what they are to be equal, which it names, and whether it reads all.

More is taken to be said than there may be, never less: a condition on leading keys then meets every value.
Source: DynamoDB Developer Guide, "IAM security policies with PartiQL for DynamoDB".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sts_emulator.policy.light_dataclass import dataclass

_NO_ATTRIBUTES: Final = frozenset(
    {
        *("SELECT", "FROM", "WHERE", "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "MISSING", "TRUE", "FALSE"),
        *("ORDER", "BY", "ASC", "DESC", "INSERT", "INTO", "VALUE", "UPDATE", "SET", "REMOVE", "DELETE", "EXISTS"),
        *("RETURNING", "ALL", "MODIFIED", "OLD", "NEW"),
    }
)
_NO_CONJUNCTION: Final = frozenset({"OR", "NOT", "EXISTS"})
_BRACKETS: Final = frozenset("[](){}")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a statement says of attributes.

    `equal` are pairs of an attribute and a value that it is to be equal to, or is written as. `narrowed_by` are the
    attributes in which everything that is read has such a value.
    """

    equal: tuple[tuple[str, str], ...] = ()
    narrowed_by: frozenset[str] = frozenset()
    attributes: tuple[str, ...] = ()
    selects_all: bool = False


def read(tokens: Sequence[str], table: Iterable[str], parameters: Sequence[str]) -> Terms:
    """The terms of a statement about a table (and an index); `parameters` stand for its question marks, "" for none."""
    words = [token.upper() for token in tokens]
    equal = tuple(_equal(words, tokens, _values(tokens, parameters)))
    is_conjunction = _NO_CONJUNCTION.isdisjoint(words)
    return Terms(
        equal,
        frozenset(name for name, _ in equal) if is_conjunction else frozenset(),
        tuple(dict.fromkeys(_attributes(tokens, frozenset(table)))),
        "FROM" in words and "*" in words[: words.index("FROM")],
    )


def _equal(words: list[str], tokens: Sequence[str], values: list[str | None]) -> Iterator[tuple[str, str]]:
    """Behind WHERE `a = 1`, `1 = a` and `a IN [1, 2]`; in what is inserted `'a': 1`."""
    is_written = words[:1] == ["INSERT"]
    begin = "VALUE" if is_written else "WHERE"
    attribute = ""  # of the list that is being read
    for place in range(words.index(begin) + 1 if begin in words else len(words), len(words)):
        if words[place] in _BRACKETS:
            is_list = words[place] in "[(" and words[place - 1] == "IN"
            attribute = _attribute(tokens[place - 2]) if is_list else ""
        elif attribute and (value := values[place]) is not None:
            yield attribute, value
        if words[place] not in ("=", ":") or place + 1 >= len(words):
            continue
        pairs = [(tokens[place - 1], values[place + 1])]
        if not is_written:
            pairs.append((tokens[place + 1], values[place - 1]))
        yield from ((name, told) for text, told in pairs if told is not None and (name := _attribute(text, is_written)))


def _values(tokens: Sequence[str], parameters: Sequence[str]) -> list[str | None]:
    """The text of each token that is a literal or a parameter; of a negative number where its sign stands, too."""
    values: list[str | None] = []
    given = iter(parameters)
    for place, written in enumerate(tokens):
        if written == "?":
            values.append(next(given, ""))
        elif written[0].isdigit():
            if place and tokens[place - 1] == "-":
                values[-1] = f"-{written}"
            values.append(written)
        else:
            is_text = written[0] == "'" and len(written) > 1
            values.append(written[1:-1].replace("''", "'") if is_text else None)
    return values


def _attribute(token: str, is_written: bool = False) -> str:
    """The name that a token is; "" for none. What is inserted has its names in quotes of any kind."""
    if len(token) > 1 and (token[0] == '"' or (is_written and token[0] == "'")):
        return token[1:-1]
    is_word = token[0].isalpha() or token[0] == "_"
    return token if is_word and token.upper() not in _NO_ATTRIBUTES else ""


def _attributes(tokens: Sequence[str], table: frozenset[str]) -> Iterator[str]:
    """Names that are neither the table's nor a function's; of a path its first step."""
    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        is_step = place > 0 and tokens[place - 1] == "."
        name = "" if is_step or following == "(" else _attribute(token, following == ":")
        if name and name not in table:
            yield name
