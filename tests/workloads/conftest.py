from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "methods" / "instance_profile")]

from command_lab import CommandLab, namespaces_forbidden  # noqa: E402 - its folder was just added


@pytest.fixture
def lab(aws, emulator_server) -> CommandLab:
    return CommandLab(aws, emulator_server.url)


@pytest.fixture
def isolation() -> None:
    """Skips where the kernel lets nobody have a network namespace."""
    reason = namespaces_forbidden()
    if reason:
        pytest.skip(f"no network namespaces here: {reason}")
