"""ARNs, taken apart in one place. What may hold wildcards or variables is a pattern, read by `deciding`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

_PARTS = 6


class Arn(NamedTuple):
    """What follows `arn:`."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return ":".join(("arn", *self))


@lru_cache(maxsize=512)  # the same few are asked for over and over
def parse_arn(text: str) -> Arn | None:
    """Split an ARN into its parts; None when the text is not an ARN."""
    parts = text.split(":", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        return None
    return Arn(*parts[1:])


def account_in(text: str) -> str:
    """The account that an ARN names; empty when it names none, and for other texts."""
    arn = parse_arn(text)
    return arn.account if arn else ""


def unqualified(text: str) -> tuple[str, str]:
    """The ARN of a function or state machine without the version or alias behind its name, and that.

    What is no ARN comes back as it is. Whatever stands behind the name is cut off, so that no ARN that an upstream may
    take for the name's is decided on as another.
    """
    arn = parse_arn(text)
    kind, _, named = arn.resource.partition(":") if arn else ("", "", "")
    name, *qualifiers = named.split(":")
    return (str(arn._replace(resource=f"{kind}:{name}")), qualifiers[0]) if arn and qualifiers else (text, "")
