"""A user's own password at the sign-in page: one that an administrator wants changed, or whose time is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.accounts import documents, password_rules, people, resources
from sts_emulator.accounts.documents import User
from sts_emulator.control_plane.own_password import authorize_change
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending import authenticate
from sts_emulator.vending.context import Context
from sts_emulator.vending.session import Session

REFUSED: Final = (
    "Either user is not authorized to perform iam:ChangePassword or entered password does not comply with account "
    "password policy set by administrator"
)
"""One sentence for both, as at AWS (docs/aws/console-sign-in.md, "Passwords at sign-in")."""

_LONGEST: Final = 1_000  # characters that are looked at; a password has 128 (IAM's model)
OVER: Final = "Your password has expired, and the password policy lets only an administrator set a new one."


def must_change(world: World, session: Session) -> bool:
    """Whether the user goes no further with this password. Raises AwsError: Refused 403, an administrator must help."""
    user = _user(world, session)
    if user is None or "password" not in user:
        return False
    end = password_rules.expires(world, user)
    is_over = end is not None and end <= world.now()
    if is_over and (password_rules.policy(world, user["account"]) or {}).get("HardExpiry"):
        raise AwsError("Refused", OVER, status=403)
    return is_over or user["password"]["reset"]


def change(ctx: Context, session: Session, fields: Mapping[str, str]) -> None:
    """Set a password of the user's own, as iam:ChangePassword does. Raises AwsError: Refused."""
    old, new = (fields.get(name, "")[:_LONGEST] for name in ("password", "new_password"))
    if new != fields.get("repeated", "")[:_LONGEST]:
        raise AwsError("Refused", "The two passwords are not the same.")
    user = _user(ctx.world, session)
    if user is None or "password" not in user or not people.is_password(user["password"], old):
        raise AwsError("Refused", "The old password was incorrect.", status=403)
    ctx.caller = authenticate.caller_of_session(ctx.world, session, "")
    try:
        authorize_change(ctx, user)
    except AwsError as why:
        raise AwsError("Refused", REFUSED, status=403) from why
    if old == new:
        raise AwsError("Refused", REFUSED, status=403)
    try:
        fresh = password_rules.hashed(ctx.world, user, new)
    except AwsError as why:
        raise AwsError("Refused", REFUSED) from why
    _set(ctx.world, user, {**fresh, "reset": False})


def note_use(world: World, session: Session) -> None:
    """What IAM tells as PasswordLastUsed."""
    user = _user(world, session)
    if user is not None and "password" in user:
        _set(world, user, {"used": int(world.now())})


def _user(world: World, session: Session) -> User | None:
    return world.find(documents.USER, session.id) if session.name else None


def _set(world: World, user: User, members: password_rules.Password) -> None:
    password: Any = {**user["password"], **members}
    key = resources.key_of(user["account"], user["name"])
    world.update(documents.USER, key, lambda stored: {**stored, "password": password})
