"""Whether the state takes what is written: said once when it stops doing so, and once when it does again."""

from __future__ import annotations

import logging

log = logging.getLogger("emulator")


class Health:
    """The last that was heard of the state."""

    def __init__(self) -> None:
        self.reason = ""
        """Why it takes nothing, on one line; empty when it does."""

    def failed(self, reason: object) -> None:
        """It did not take something."""
        if not self.reason:
            log.warning("the state is unavailable (%s): calls that need it are refused until it is back", reason)
        self.reason = str(reason) or "unknown"

    def recovered(self) -> None:
        """It has taken something."""
        if self.reason:
            log.warning("the state is available again")
        self.reason = ""
