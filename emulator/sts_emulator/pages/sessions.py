"""What a browser carries from page to page: sealed in a cookie, so that nothing is stored, and the tokens of its forms.

A cookie only tells who is signed in. What changes or shows something secret takes a form that this very session was
shown, which its token proves.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib

from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.credentials import seal, unseal

Header = tuple[str, str]

_LONGEST = 16_384  # characters of a cookie that are looked at; browsers keep 4,096


def seal_until(world: World, purpose: str, body: bytes, until: int) -> str:
    """`body` as text that only this world can have written, good for one purpose and until a second of its clock."""
    return seal(world, purpose, zlib.compress(str(until).encode() + b"\n" + body))


def open_sealed(world: World, purpose: str, text: str) -> bytes | None:
    """What `seal_until` sealed for the same purpose; None when it is not ours, or over."""
    opened = unseal(world, purpose, text) if text else None
    if opened is None:
        return None
    until, _, body = zlib.decompress(opened).partition(b"\n")
    return body if world.now() < int(until) else None


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie of ours: its name, what it is sealed for (no other purpose opens it), and the seconds it may live."""

    name: str
    purpose: str
    lifetime: int
    path: str = ""
    """Below which page of the world the browser sends it; everywhere in the world, if empty."""

    def read(self, visit: Visit) -> bytes | None:
        """What the browser carries; None when it carries nothing of ours, or nothing any more."""
        return open_sealed(visit.world, self.purpose, self.text(visit))

    def give(self, visit: Visit, body: bytes, lifetime: int | None = None) -> Header:
        """The header that makes the browser carry `body`, for the cookie's lifetime or a shorter one."""
        seconds = self.lifetime if lifetime is None else max(0, min(lifetime, self.lifetime))
        until = int(visit.world.now()) + seconds
        return self.header(visit, seal_until(visit.world, self.purpose, body, until), seconds)

    def take(self, visit: Visit) -> Header:
        """The header that takes it away."""
        return self.header(visit, "", 0)

    def text(self, visit: Visit) -> str:
        """The cookie as the browser sent it, "" when it sent none."""
        for pair in visit.request.headers.get("cookie", "").replace(",", ";").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self.name and len(value) <= _LONGEST:
                return value
        return ""

    def header(self, visit: Visit, text: str, seconds: int) -> Header:
        """`Set-Cookie` for pages of the visit's world alone."""
        secure = "; Secure" if visit.request.scheme == "https" else ""
        path = f"{visit.root}{self.path}" or "/"
        return "set-cookie", f"{self.name}={text}; Max-Age={seconds}; Path={path}; HttpOnly; SameSite=Lax{secure}"

    def form_token(self, visit: Visit, form: str, carried: bytes | None = None) -> str:
        """What a form must send back: bound to its name and to the session, and unknown to every other page.

        `carried` is what the cookie holds when this very answer gives it to the browser.
        """
        held = (self.read(visit) or b"") if carried is None else carried
        return seal(visit.world, f"{self.purpose}:form:{form}", hashlib.sha256(held).digest())

    def begin(self, visit: Visit, form: str) -> tuple[Header, str]:
        """For a form of who is not signed in yet: the header that gives the cookie, and the form's token.

        Who carries one keeps what it holds: the forms in a browser's other tabs stay good.
        """
        visitor = self.read(visit) or os.urandom(16)
        return self.give(visit, visitor), self.form_token(visit, form, visitor)

    def check_form(self, visit: Visit, form: str) -> None:
        """Raises AwsError: Refused 403, unless the posted `token` is of a form that this session was shown."""
        shown = unseal(visit.world, f"{self.purpose}:form:{form}", visit.posted.get("token", ""))
        held = self.read(visit)
        if not held or shown is None or not hmac.compare_digest(shown, hashlib.sha256(held).digest()):
            raise AwsError("Refused", "That form is not the one that this session was shown.", status=403)
