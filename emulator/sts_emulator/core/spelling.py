"""What was probably meant by a name that there is not."""

from __future__ import annotations

from collections.abc import Iterable

LOOKED_AT = 200  # characters of a name: comparing costs their square, and names come from anybody


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """The known name that is nearest, whatever its capitals; empty where none is alike."""
    import difflib

    by_lower = {spelling.lower(): spelling for spelling in known if spelling}
    near = difflib.get_close_matches(name[:LOOKED_AT].lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[near[0]] if near else ""


def meant(name: str, known: Iterable[str]) -> str:
    """`; did you mean …?` where a known name is near, else nothing."""
    near = nearest(name, known)
    return f"; did you mean `{near}`?" if near else ""
