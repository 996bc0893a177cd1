"""The mailbox: mails, text messages and notifications that a world would have sent, newest first."""

from __future__ import annotations

from typing import Final

from sts_emulator.accounts import documents
from sts_emulator.core import clock
from sts_emulator.pages import mailbox
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.web.frame import refused, view
from sts_emulator.wire.http import Response

SHOWN: Final = 200


@page("GET", "/_emulator/mailbox", refusal=refused, own=True)
def messages(visit: Visit) -> Response:
    """Messages to one person, or to all."""
    to = visit.query.get("to", "").strip()
    sent = mailbox.messages(visit.world)
    wanted = [message for message in reversed(sent) if to in ("", message["to"])]
    return view(
        visit,
        "mailbox.html",
        "mailbox",
        to=to,
        people=sorted({message["to"] for message in sent}),
        messages=[{**message, "time": clock.iso(message["at"])} for message in wanted[:SHOWN]],
        count=len(wanted),
        notifications=visit.world.page(documents.NOTIFICATION)[::-1][:SHOWN],
    )
