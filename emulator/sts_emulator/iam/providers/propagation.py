"""Trusted identity propagation, which identity providers can be set up for on AWS, and not here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.core.errors import AwsError


def refuse(members: Mapping[str, Any]) -> None:
    """Refuse the members of a request that set it up, rather than store what would have no effect.

    Raises:
        AwsError: InvalidInput.
    """
    given = sorted(name for name, value in members.items() if value)
    if given:
        raise AwsError("InvalidInput", f"sts-emulator does not have trusted identity propagation: {', '.join(given)}")
