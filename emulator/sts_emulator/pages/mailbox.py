"""Messages to people (codes, links, invitations): kept in the world where AWS would send a mail or a text message."""

from __future__ import annotations

import os
from typing import Final

from sts_emulator.accounts.documents import MESSAGE, Message
from sts_emulator.core import clock
from sts_emulator.core.world import World

KEPT: Final = 1_000
"""Messages of a world that are kept; then the oldest go."""

LONGEST: Final = 20_000
"""Characters of a message: far above the longest that AWS sends."""


def deliver(
    world: World, to: str, text: str, *, subject: str = "", channel: str = "email", sender: str = ""
) -> Message:
    """Put a message into the mailbox of `to`, an address or a telephone number."""
    key = f"{int(clock.real() * 1_000_000):020}-{os.urandom(4).hex()}"
    message: Message = {
        "id": key,
        "at": world.now(),
        "channel": channel,
        "sender": sender,
        "to": to,
        "subject": subject[:LONGEST],
        "text": text[:LONGEST],
    }
    with world.unit(lock=True):
        world.add(MESSAGE, key, message)
        if world.count(MESSAGE) > KEPT:
            oldest, _ = world.page_keys(MESSAGE, limit=1)[0]
            world.take(MESSAGE, oldest)
    return message


def messages(world: World, to: str = "") -> list[Message]:
    """What was sent, oldest first: to one person, or to all."""
    return [message for message in world.page(MESSAGE) if message["to"] == to or not to]
