"""What may be shown on a terminal: text of others, without what a terminal would act upon."""

from __future__ import annotations


def printable(text: str) -> str:
    """The text on one line, with line ends, escape sequences and other invisible characters written out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
