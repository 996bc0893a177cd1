"""sts-emulator: every way to get AWS credentials, with a real trust decision.

For programs and tests that are not pytest's: `from sts_emulator import Emulator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sts_emulator.emulation import Aws, Emulator

__all__ = ["Aws", "Emulator"]


def __getattr__(name: str) -> Any:
    """Both are loaded when they are asked for: the server and the commands have no use for them."""
    if name in __all__:
        from sts_emulator import emulation

        return getattr(emulation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
