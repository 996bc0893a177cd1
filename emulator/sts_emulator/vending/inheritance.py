"""What a session brings into the next AssumeRole: one rule each, as the table in docs/assume-role.md tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Final

from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Caller
from sts_emulator.vending.session import Session

LONGEST_CHAINED: Final = 3600
"""Seconds that a role lasts which a session assumes, of a role or of GetSessionToken."""

# Where credentials were delivered to. The keys are there "whenever a requester signs with an Amazon EC2 role
# credential" (UG, global condition keys), and those of a role assumed from there are none.
_OF_DELIVERY: Final = ("ec2:", "aws:ec2instance", "lambda:")


@dataclass(slots=True)
class Inheritance:
    """What the calling session hands on. `session` tells whether there is one: then the new session is chained."""

    session: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    source_identity: str = ""
    mfa_at: int = 0
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)
    provider: str = ""


NOTHING: Final = Inheritance()
"""What a long-term key brings, a service, and whoever was proven outside AWS."""


def inheritance(caller: Caller | None) -> Inheritance:
    """What the caller's session brings into the role that it assumes."""
    if caller is None or caller.session is None:
        return NOTHING
    session = caller.session
    return Inheritance(
        session=True,
        tags={key: session.tags[key] for key in session.transitive},
        source_identity=session.source_identity,
        # Proven with GetSessionToken it stays, through the whole chain; proven in AssumeRole it holds for that call
        # alone, and so is in no session.
        mfa_at=session.mfa_at,
        context=_of_login(session),
        provider=session.provider,
    )


def _of_login(session: Session) -> Mapping[str, Sequence[str]]:
    """The condition keys of the original login, which outlive the credentials that it gave."""
    return {name: values for name, values in session.context.items() if not name.startswith(_OF_DELIVERY)}
