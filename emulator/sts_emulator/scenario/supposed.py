"""What an expectation would have to suppose, so that a given request is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.policy.light_dataclass import dataclass

Keys = dict[str, tuple[str, ...]]
"""Condition keys of a request, lower-cased; whoever can say one in its own words takes it out."""


@dataclass(frozen=True, slots=True)
class Supposed:
    """Members of an expectation that stand for a request's caller; `told` is what else to say of it."""

    members: Mapping[str, Any]
    told: str = ""


def taken(keys: Keys, name: str) -> str:
    """A key's first value, taken out."""
    return keys.pop(name)[0]
