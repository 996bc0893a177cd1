"""Users and root at the console's sign-in page: their passwords, and the session that they get."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.accounts import documents, people, resources
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending.session import CONSOLE_LOGIN, USER, Session

ROOT: Final = "root"
WRONG: Final = "Your authentication information is incorrect. Please try again."
_LIFETIME: Final = 12 * 3_600


def account_of(world: World, text: str) -> str:
    """The id of an account that is named by its id or alias; empty when there is none."""
    if names.is_account_id(text):
        return text if world.get(documents.ACCOUNT, text) else ""
    known = (account["id"] for account in world.page(documents.ACCOUNT) if account["alias"] == text.lower())
    return next(known, "") if text else ""


def verify(world: World, account: str, name: str, password: str, *, among_others: bool) -> Session:
    """The session of who has that password: a user with a login profile, or root, whose password here is `root`.

    `among_others`: not only the server's user can connect, so that root's password is an access key's secret instead.

    Raises:
        AwsError: Refused 403, one sentence for all; 429 after too many tries.
    """
    people.check_tries(world, f"{account[:64]}/{name[:128].lower()}")
    session = session_of(world, account, name)
    is_right = _is_password if session is None or session.name or not among_others else _is_secret
    if session is None or not is_right(world, session, password[:1_000]):
        raise AwsError("Refused", WRONG, status=403)
    return session


def session_of(world: World, account: str, name: str) -> Session | None:
    """The session of a user, or of root, once somebody has seen that it is them."""
    if not account_of(world, account):
        return None
    now = int(world.now())
    given: dict[str, Any] = {"kind": USER, "account": account, "method": CONSOLE_LOGIN}
    if name == ROOT:
        return Session(name="", id=account, issued=now, expires=now + _LIFETIME, **given)
    user = resources.user(world, account, name[:128])
    if user is None:
        return None
    # Whether a longer MaxSigninSessionDuration lengthens what lasts half a day otherwise, is not known.
    longest = user.get("password", {}).get("max_signin_duration", _LIFETIME)
    return Session(name=user["name"], id=user["id"], issued=now, expires=now + min(longest, _LIFETIME), **given)


def arn(account: str, name: str) -> str:
    """What somebody would be if they are who they say."""
    return names.root_arn(account) if name == ROOT else names.iam_arn(account, "user", "/", name[:64])


def _is_secret(world: World, root: Session, text: str) -> bool:
    keys = [key for key in world.page(documents.ACCESS_KEY) if (key["account"], key["user"]) == (root.account, "")]
    given = text.encode("utf-8", "replace")
    return any(hmac.compare_digest(given, key["secret"].encode()) for key in keys if key["status"] == "Active")


def _is_password(world: World, session: Session, text: str) -> bool:
    if not session.name:
        return hmac.compare_digest(text.encode("utf-8", "replace"), ROOT.encode())
    user: Mapping[str, Any] | None = world.find(documents.USER, session.id)
    return user is not None and "password" in user and people.is_password(user["password"], text)
