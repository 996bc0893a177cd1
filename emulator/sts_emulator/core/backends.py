"""Which backend an address of a state names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sts_emulator.core.store import UnusableError

if TYPE_CHECKING:
    from sts_emulator.core.store import Store

_POSTGRES: Final = ("postgresql://", "postgres://")


def is_shared(address: str) -> bool:
    """Whether a state is a database that servers on several machines may share, and no file."""
    return address.startswith(_POSTGRES)


def open_store(address: str = "", *, durable: bool = False) -> Store:
    """The store at `address`: empty for memory, a `postgresql://` URL, else the path of an SQLite file, which is made.

    `durable` has a file's commits wait for the disk; a database is told by its own settings.

    Raises:
        UnusableError: what is there cannot be used.
    """
    if is_shared(address):
        return _open_postgres(address)
    from sts_emulator.core.sqlite import SqliteStore

    return SqliteStore(address or ":memory:", durable=durable)


def _open_postgres(address: str) -> Store:
    try:
        from sts_emulator.core.postgres import PostgresStore
    except ImportError as missing:
        raise UnusableError(
            f"state `{address.partition('://')[0]}://…`: {missing}; install what PostgreSQL needs with "
            "`pip install 'sts-emulator[postgres]'`"
        ) from missing
    return PostgresStore(address)
