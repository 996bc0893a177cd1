"""Which backend an address of a state names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sts_emulator.core.store import Store


def open_store(address: str = "") -> Store:
    """The store at `address`: empty for memory, else the path of an SQLite file, which is created when missing.

    Raises:
        UnusableError: what is there cannot be used.
    """
    from sts_emulator.core.sqlite import SqliteStore

    return SqliteStore(address or ":memory:")
