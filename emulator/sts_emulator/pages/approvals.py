"""Approvals: a script plays the person who signs in and says yes (or no) on a page, with the checks of the page itself.

Whoever has such a page plugs in a resolver with `@approver`, and names its module in the `approvers` of its row in
`catalogue.METHODS`. A resolver stands for the password and the second factor and for nothing else: who is disabled,
unassigned or not allowed is refused as on the page.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable
from typing import Final, Protocol

from sts_emulator.catalogue import METHODS
from sts_emulator.core.errors import AwsError
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be approved (`deny`: refused) by whom: the code that a device shows, or the URL that a tool opened.

    `user` is a person of Identity Center, `ACCOUNT/NAME` an IAM user, `ACCOUNT/root`, or `POOL/NAME` a pool's user.
    """

    user: str
    code: str = ""
    url: str = ""
    deny: bool = False

    @property
    def shown(self) -> str:
        """The code or URL, for a sentence."""
        return (self.code or self.url)[:200]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What comes of it: where the browser would go next, or the text that a person would paste; or nothing more."""

    location: str = ""
    paste: str = ""

    def to_json(self) -> dict[str, str]:
        """As the control API tells it."""
        members = {"location": self.location, "paste": self.paste}
        return {name: value for name, value in members.items() if value}


class Approver(Protocol):
    """Resolves one kind of approval; None: the code or URL is none of this kind.

    It raises AwsError where the page would refuse, and records what it does (`Visit.attempt`), as the page does.
    """

    def __call__(self, visit: Visit, request: Request, /) -> Outcome | Awaitable[Outcome | None] | None:
        """Approve or deny."""


_APPROVERS: Final[list[Approver]] = []


def approver(function: Approver) -> Approver:
    _APPROVERS.append(function)
    return function


async def approve(visit: Visit, request: Request) -> Outcome:
    """Let the first approver that knows the code or URL resolve it.

    Raises:
        AwsError: NotFound 404, nobody waits for it; or what the page would refuse with.
    """
    for method in METHODS:
        for module in method.approvers:  # which load at the first approval
            importlib.import_module(module)
    for candidate in _APPROVERS:
        answered = candidate(visit, request)
        outcome = await answered if inspect.isawaitable(answered) else answered
        if outcome is not None:
            return outcome
    message = f"nothing in world `{visit.world.name}` waits for an approval of `{request.shown}`, or no longer"
    raise AwsError("NotFound", message, status=404)
