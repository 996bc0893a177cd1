"""Parts of what others wrote: a mapping, a list or texts where they stand, and nothing where something else does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(value: Any, *path: str) -> Mapping[str, Any]:
    """The mapping to which a path of members leads."""
    for member in path:
        value = value.get(member) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Those in a list."""
    return [item for item in listed(value) if isinstance(item, Mapping)]


def texts(value: Any) -> list[str]:
    """Those in a list."""
    return [item for item in listed(value) if isinstance(item, str)]
