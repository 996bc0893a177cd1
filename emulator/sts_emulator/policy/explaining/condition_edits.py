"""Owns what can be done to one condition of a statement, in place: drop it, test it otherwise, change its values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sts_emulator.policy.deciding.document import texts

Change = Callable[[dict[str, Any]], None]


def dropped(operator: str, key: str) -> Change:
    return lambda statement: statement["Condition"][operator].pop(key)


def renamed(operator: str, key: str, other: str) -> Change:
    """Test a key with another operator."""

    def change(statement: dict[str, Any]) -> None:
        if operator != other:
            values = statement["Condition"][operator].pop(key)
            statement["Condition"].setdefault(other, {})[key] = values

    return change


def revalued(operator: str, key: str, values: Callable[[list[str]], list[str]]) -> Change:
    """Give a key other values; without any the condition goes."""

    def change(statement: dict[str, Any]) -> None:
        block = statement["Condition"][operator]
        block[key] = values(texts(block[key]))
        if not block[key]:
            del block[key]

    return change
