"""Passkeys on pages: which site a visitor's browser makes and shows them for, and what it is asked there.

A passkey belongs to the name of a host. Browsers make none for an address (`127.0.0.1`), so pages lead from there to
`localhost`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sts_emulator.accounts.passkeys import NotProvenError, Party
from sts_emulator.core import hosts
from sts_emulator.core.errors import AwsError
from sts_emulator.pages import guard
from sts_emulator.pages.visit import Visit
from sts_emulator.vending.context import Context

NAME: Final = "sts-emulator"
WRONG_PASSKEY: Final = "That passkey could not be verified. Please try again."
_DEVICE_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)


def party(visit: Visit) -> Party | None:
    """The site of this visit; None where browsers know no passkeys."""
    request = visit.request
    authority = request.headers.get("host", "").lower()
    host = guard.host_name(authority)
    if hosts.is_address(host):
        return None
    port = ":443" if request.scheme == "https" else ":80"
    return Party(host, NAME, (f"{request.scheme}://{authority.removesuffix(port)}",))


def here(visit: Visit) -> Party:
    """The same. Raises AwsError: Refused 403, there are none at this address."""
    site = party(visit)
    if site is None:
        raise AwsError("Refused", "There are no passkeys at this address; use this machine's name.", status=403)
    return site


@contextmanager
def refusing(ctx: Context, words: str = WRONG_PASSKEY) -> Iterator[None]:
    """Tell the visitor less of a passkey that proves nothing than the event does. Raises AwsError: Refused 403."""
    try:
        yield
    except NotProvenError as why:
        ctx.evidence["refused"] = f"the passkey is refused: {why}"
        raise AwsError("Refused", words, status=403) from why


def device_name(visit: Visit) -> str:
    """What the visitor calls a new device. Raises AwsError: Refused 400."""
    name = visit.posted.get("name", "")
    if not _DEVICE_NAME.fullmatch(name):
        raise AwsError("Refused", "A device needs a name: letters, digits and any of + = , . @ - _")
    return name


def elsewhere(visit: Visit, place: str) -> str:
    """The same place by this machine's name, for a visitor who came by its address; empty for others."""
    authority = visit.request.headers.get("host", "")
    host = guard.host_name(authority)
    if not (hosts.is_address(host) and hosts.is_loopback(host)):
        return ""
    port = authority.rpartition("]")[2].rpartition(":")[2] if ":" in authority.rpartition("]")[2] else ""
    return f"{visit.request.scheme}://localhost{f':{port}' if port else ''}{visit.root}{place}"
