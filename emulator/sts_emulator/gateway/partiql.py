"""Which table a PartiQL statement is about, and which action it is; nothing is taken from what is not plain.

A reader that understands less than the upstream's must not be talked into another table: a statement with a comment, a
second FROM or a second statement, with words in quotes before its table, or of a shape that is not known is taken to be
about any table, which only a policy for every table allows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sts_emulator.gateway import partiql_terms
from sts_emulator.gateway.partiql_terms import Terms
from sts_emulator.policy.light_dataclass import dataclass

ACTIONS: Final = {
    "SELECT": "PartiQLSelect",
    "EXISTS": "PartiQLSelect",
    "INSERT": "PartiQLInsert",
    "UPDATE": "PartiQLUpdate",
    "DELETE": "PartiQLDelete",
}
_TOKEN: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|[A-Za-z_]\w*|[0-9]+(?:\.[0-9]+)?|\S""")
_LONGEST: Final = 8_192
"""Characters of a statement that DynamoDB takes; nobody waits until a longer one is read."""

_AFTER: Final = frozenset(("WHERE", "ORDER", "VALUE", "SET", "REMOVE", ")", ";"))
"""What may follow the table: nothing that brings in another one, such as a comma or a join."""
_WORDS_BEFORE: Final = frozenset((*ACTIONS, "WHERE", "INTO", "VALUE", "SET"))
"""What may not stand between a statement's first word and the one that its table follows."""

_NAME: Final = re.compile(r'"(?P<quoted>[\w.:/-]+)"|(?P<plain>[A-Za-z_]\w*)')


@dataclass(frozen=True, slots=True)
class Statement:
    """The actions that a statement may be, the table and the index that it is about (`*`: any)."""

    actions: tuple[str, ...]
    table: str
    index: str = ""
    terms: Terms = Terms()


def read(text: str, parameters: Sequence[str] = ()) -> Statement:
    """What the statement is, as far as it is plain. `parameters` stand for its question marks."""
    if len(text) > _LONGEST:
        return Statement(tuple(dict.fromkeys(ACTIONS.values())), "*")
    tokens = _TOKEN.findall(text)
    verb = tokens[0].upper() if tokens else ""
    is_one = verb in ACTIONS and ";" not in tokens[:-1]
    actions = (ACTIONS[verb],) if is_one else tuple(dict.fromkeys(ACTIONS.values()))
    table, index = _table(verb, tokens) if "--" not in text and "/*" not in text else ("*", "")
    return Statement(actions, table, index, partiql_terms.read(tokens, (table, index), parameters))


def _table(verb: str, tokens: list[str]) -> tuple[str, str]:
    """The table's and the index's name, after the one word that a table follows."""
    words = [token.upper() for token in tokens]
    before = {"SELECT": "FROM", "EXISTS": "FROM", "DELETE": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE"}.get(verb, "")
    if words.count(before) != 1 or words.count("FROM") > 1:
        return "*", ""
    place = words.index(before) + 1
    if any(token[0] in "'\"" and not _NAME.fullmatch(token) for token in tokens[:place]):
        return "*", ""  # there are readers that find their FROM in it
    if not _WORDS_BEFORE.isdisjoint(words[1 : place - 1]) or ";" in tokens[:-1]:
        return "*", ""
    rest = tokens[place:]
    has_index = rest[1:2] == ["."]
    table, index = _name(rest[:1]), _name(rest[2:3]) if has_index else ""
    if has_index and not (rest[0].startswith('"') and rest[2:3] and rest[2].startswith('"')):
        return "*", ""  # a table may have a dot in its name: AWS wants an index and its table in quotes
    after = rest[3:4] if has_index else rest[1:2]
    plain = table and bool(index) == has_index and (not after or after[0].upper() in _AFTER)
    return (table, index) if plain else ("*", "")


def _name(tokens: list[str]) -> str:
    match = _NAME.fullmatch(tokens[0]) if tokens else None
    return (match["quoted"] or match["plain"] or "") if match else ""
