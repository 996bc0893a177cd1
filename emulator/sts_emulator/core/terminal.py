"""What may be shown on a terminal: text of others, without what a terminal would act upon."""

from __future__ import annotations

import json
from typing import Any


def printable(text: str) -> str:
    """The text on one line, with line ends, escape sequences and other invisible characters written out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def printable_json(value: Any) -> str:
    """The value as indented JSON that people can read; characters that are not printable are escaped as JSON does."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
