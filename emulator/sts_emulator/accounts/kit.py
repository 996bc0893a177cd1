"""What control planes say of a resource of theirs when they ask whether it may be touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def resource_tag_keys(thing: Mapping[str, Any] | None, *services: str) -> dict[str, tuple[str, ...]]:
    """The condition keys of a stored resource's tags: aws:ResourceTag/*, and those of services with keys of their own.

    Keys are lower-case, as everywhere in requests; a resource that is not there has none.
    """
    tags = (thing or {}).get("tags", {})
    return {
        f"{prefix}:resourcetag/{name.lower()}": (value,)
        for prefix in ("aws", *services)
        for name, value in tags.items()
    }
