"""Passkeys on pages: which site a visitor's browser makes and shows them for, and what it is asked there.

A passkey belongs to the name of a host. Browsers make none for an address (`127.0.0.1`), so pages lead from there to
`localhost`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from sts_emulator.accounts import passkeys
from sts_emulator.accounts.documents import Passkey
from sts_emulator.accounts.passkeys import NotProvenError, Party
from sts_emulator.core import hosts
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.pages import guard
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
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


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose passkeys are `known`: `id` is theirs at a `place`, `handle` is for authenticators, `name` for people."""

    place: str
    id: str
    handle: str
    name: str
    known: Sequence[Passkey]

    def asks_proof(self, world: World, site: Party) -> JsonObject:
        """What the browser is asked for a proof by one of the passkeys."""
        return passkeys.to_prove(world, site, f"{self.place}:prove:{self.id}", self.known)

    def asks_registration(self, world: World, site: Party) -> JsonObject:
        """What the browser is asked for a new passkey."""
        purpose = f"{self.place}:register:{self.id}"
        return passkeys.to_register(world, site, purpose, handle=self.handle, name=self.name, known=self.known)

    def proven(self, ctx: Context, site: Party, response: str, words: str = WRONG_PASSKEY) -> Passkey:
        """The passkey that a response proves. Raises AwsError: Refused 403; its challenge is used up then, too."""
        with _refusing(ctx, words):
            return passkeys.prove(ctx.world, site, f"{self.place}:prove:{self.id}", response, self.known)

    def registered(self, ctx: Context, site: Party, response: str) -> Passkey:
        """The new passkey of a response. Raises AwsError: Refused 403; its challenge is used up then, too."""
        with _refusing(ctx, WRONG_PASSKEY):
            return passkeys.register(ctx.world, site, f"{self.place}:register:{self.id}", response, known=self.known)


@contextmanager
def _refusing(ctx: Context, words: str) -> Iterator[None]:
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
