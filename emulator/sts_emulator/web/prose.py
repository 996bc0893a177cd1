"""The prose of labs as a page shows it: paragraphs, lists, `code` and *new words*; nothing of it is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sts_emulator.policy.light_dataclass import dataclass

_SPAN: Final = re.compile(r"`([^`]+)`|\*([^*\s][^*]*)\*|(https?://[^\s)]*[^\s).,:])")
_ITEM: Final = re.compile(r"(?:[0-9]+\.|-) ")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (`p`), or a list (`ol`, `ul`); `items` are its parts, each of spans: kind and text."""

    kind: str
    items: tuple[tuple[tuple[str, str], ...], ...]


def blocks(text: str, own: str = "") -> list[Block]:
    """The blocks of a text; addresses that begin with `own` are links, no others."""
    return [_block(part, own) for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def _block(part: str, own: str) -> Block:
    lines = part.splitlines()
    if not all(_ITEM.match(line) or line.startswith(" ") for line in lines):
        return Block("p", (tuple(_spans(" ".join(map(str.strip, lines)), own)),))
    items: list[str] = []
    for line in lines:
        if _ITEM.match(line):
            items.append(_ITEM.sub("", line, count=1))
        elif items:
            items[-1] += f" {line.strip()}"
        else:
            items.append(line.strip())
    kind = "ol" if lines[0][0].isdecimal() else "ul"
    return Block(kind, tuple(tuple(_spans(item, own)) for item in items))


def _spans(text: str, own: str) -> Iterator[tuple[str, str]]:
    end = 0
    for seen in _SPAN.finditer(text):
        if seen.start() > end:
            yield "text", text[end : seen.start()]
        kind = "code" if seen[1] else "word" if seen[2] else "link" if own and seen[3].startswith(f"{own}/") else "text"
        yield kind, seen[1] or seen[2] or seen[3]
        end = seen.end()
    if end < len(text):
        yield "text", text[end:]
