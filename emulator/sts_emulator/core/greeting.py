"""How the emulator says that it is one, where anything may answer: programs take each other's ports."""

from __future__ import annotations

from typing import Final

HEALTH: Final = "/health"
"""What who starts a server asks for until it answers, and who talks to one asks first."""

GREETING: Final = ("x-answered-by", "sts-emulator")
"""A header of the answer to that."""
