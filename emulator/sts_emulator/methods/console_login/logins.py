"""Logins: what a person's yes leads to. A code once, then a session of twelve hours whose tool renews its credentials.

A login is stored, because it can be listed and revoked; the credentials that it gives are not.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Final

from sts_emulator.accounts import documents, single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.methods.console_login.sign_in_errors import (
    AUTHCODE_EXPIRED,
    CREDENTIALS_CHANGED,
    TOKEN_EXPIRED,
    denied,
    invalid,
)
from sts_emulator.pages import pkce
from sts_emulator.pages.sessions import open_sealed, seal_until
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import credentials
from sts_emulator.vending.credentials import Credentials
from sts_emulator.vending.session import ROLE, USER, Session


class KeptLogin(Kept):
    """A login as the world keeps it."""

    session: str
    client: str
    issued: int
    thumbprint: str
    status: str
    used: int
    region: str
    user_agent: str


class Code(Kept):
    """What an authorization code stands for."""

    session: str
    client: str
    redirect: str
    challenge: str
    expires: int


LOGIN: Final[Kind[KeptLogin]] = Kind("console-login")
CODE: Final[Kind[Code]] = Kind("console-login-code")
LIFETIME: Final = 12 * 3_600
ACCESS: Final = 900
"""Seconds (docs/aws/console-sign-in.md, "Account access and sign-in")."""

_CODE_LIFETIME, _REMEMBERED = 600, 600
_REFRESH: Final = "console-login-refresh"
_PREFIX: Final = "ASOR"  # of refresh tokens, by the model's patterns
ACTIVE, REVOKED = "ACTIVE", "REVOKED"


@dataclass(frozen=True, slots=True)
class Login:
    """A tool that acts for somebody who is signed in."""

    name: str
    session: Session
    client: str
    until: int
    issued: int
    thumbprint: str  # of the tool's key
    status: str
    used: int
    region: str
    user_agent: str


# -- codes --------------------------------------------------------------------------------------------------------


def issue_code(world: World, session: Session, client: str, redirect: str, challenge: str) -> str:
    code, now = os.urandom(32).hex(), int(world.now())
    kept: Code = {
        "name": code,
        "until": now + _CODE_LIFETIME + _REMEMBERED,
        "session": session.to_bytes().decode(),
        "client": client,
        "redirect": redirect,
        "challenge": challenge,
        "expires": now + _CODE_LIFETIME,
    }
    single_use.keep(world, CODE, kept)
    return code


def redeem_code(world: World, client: str, code: str, redirect: str, verifier: str) -> Session:
    """Who said yes. Raises AwsError."""
    kept = single_use.look(world, CODE, code)
    if kept is None or kept["expires"] <= world.now():
        raise denied(AUTHCODE_EXPIRED, "The authorization code has expired, or was used.")
    if kept["client"] != client or kept["redirect"] != redirect:
        raise invalid("The authorization code was issued to another client, or for another redirect URI")
    if not pkce.is_verifier(kept["challenge"], verifier):
        raise invalid("The code verifier is invalid")
    if single_use.take(world, CODE, code) is None:
        raise denied(AUTHCODE_EXPIRED, "The authorization code has expired, or was used.")
    session = Session.from_bytes(kept["session"].encode())
    if session.kind == ROLE and session.expires <= world.now():
        raise denied(TOKEN_EXPIRED, "The session that the code is of has expired.")
    return session


# -- logins -------------------------------------------------------------------------------------------------------


def start(world: World, session: Session, client: str, thumbprint: str, *, region: str, user_agent: str) -> Login:
    """A login lasts twelve hours, and that of a role no longer than the role's session does."""
    now = int(world.now())
    kept: KeptLogin = {
        "name": os.urandom(16).hex(),
        "until": min(now + LIFETIME, session.expires) if session.kind == ROLE else now + LIFETIME,
        "session": session.to_bytes().decode(),
        "client": client,
        "issued": now,
        "thumbprint": thumbprint,
        "status": ACTIVE,
        "used": now,
        "region": region,
        "user_agent": user_agent[:256],
    }
    single_use.keep(world, LOGIN, kept)
    return _login(kept)


def find(world: World, identifier: str) -> Login | None:
    """The login of that id, revoked ones too, until its time is over."""
    kept = single_use.look(world, LOGIN, identifier)
    return None if kept is None or kept["until"] <= world.now() else _login(kept)


def logins(world: World, account: str) -> list[Login]:
    """Those of an account, the oldest first."""
    now = world.now()
    known = [_login(kept) for kept in world.page(LOGIN) if kept["until"] > now]
    return [login for login in known if login.session.account == account]


def revoke(world: World, login: Login) -> None:
    single_use.change(world, LOGIN, login.name, status=REVOKED)


def refresh_token(world: World, login: Login) -> str:
    """It is not used up by use: it is bound to the tool's key (RFC 9700, 4.14.2: rotation or such a binding)."""
    return _PREFIX + seal_until(world, _REFRESH, login.name.encode(), login.until)


def of_refresh_token(world: World, token: str) -> Login | None:
    """Whose it is; None when it is none of ours, or over."""
    body = open_sealed(world, _REFRESH, token.removeprefix(_PREFIX)) if token.startswith(_PREFIX) else None
    return None if body is None else find(world, body.decode())


def redeem(world: World, token: str, client: str, thumbprint: str) -> Login:
    """The login behind a refresh token that the tool with this key shows. Raises AwsError."""
    login = of_refresh_token(world, token)
    if login is None or login.client != client or login.status != ACTIVE:
        raise denied(TOKEN_EXPIRED, "The refresh token has expired.")
    if login.thumbprint != thumbprint:
        raise invalid("The DPoP proof is of another key than the one that the refresh token is bound to")
    if has_changed(world, login):
        raise denied(CREDENTIALS_CHANGED, "The credentials of the user have changed. Sign in again.")
    single_use.change(world, LOGIN, login.name, used=int(world.now()))
    return login


def has_changed(world: World, login: Login) -> bool:
    """Whether the user, or the user's password, is another than when they signed in."""
    if login.session.kind != USER or not login.session.name:
        return False
    user = world.find(documents.USER, login.session.id)
    return user is None or ("password" in user and user["password"]["changed"] > login.session.issued)


def mint(world: World, login: Login) -> Credentials:
    """Credentials of who signed in, for a quarter of an hour at most."""
    now = int(world.now())
    session = replace(login.session, issued=now, expires=min(now + ACCESS, login.until))
    return credentials.mint(world, session)


def _login(kept: KeptLogin) -> Login:
    members: dict[str, Any] = {**kept, "session": Session.from_bytes(kept["session"].encode())}
    return Login(**members)
