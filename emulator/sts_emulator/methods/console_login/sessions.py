"""Logins listed and revoked (docs/aws/console-sign-in.md, "Account access and sign-in")."""

from __future__ import annotations

from typing import Final

from sts_emulator.methods.console_login import logins
from sts_emulator.methods.console_login.logins import Login
from sts_emulator.methods.console_login.sign_in_errors import LISTING, not_found
from sts_emulator.pages.console import arn_of
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_CLIENT_TYPE: Final = "CLI"


@operation("signin", "ListSessions")
def list_sessions(
    ctx: Context,
    *,
    principalArn: str = "",
    maxResults: int | None = None,
    nextToken: str = "",
    status: str = "",
    clientId: str = "",
    issuedAfter: int | None = None,
    issuedBefore: int | None = None,
) -> Result:
    """The account's logins that are not over, the oldest first."""
    authorize(ctx, "signin:ListSessions", "*")
    wanted = [
        login
        for login in logins.logins(ctx.world, ctx.identity.account)
        if _is_of(login, principalArn)
        and status in ("", login.status)
        and clientId in ("", login.client)
        and (issuedAfter is None or login.issued > issuedAfter)
        and (issuedBefore is None or login.issued < issuedBefore)
    ]
    return LISTING.page(ctx, "items", wanted, nextToken, maxResults, _summary)


@operation("signin", "GetSession")
def get_session(ctx: Context, *, sessionArn: str, principalArn: str = "") -> Result:
    authorize(ctx, "signin:GetSession", sessionArn)
    login = _find(ctx, sessionArn, principalArn)
    if login is None:
        raise not_found("The session was not found.")
    return {**_summary(login), "lastUsedAt": login.used, "issuedInRegion": login.region, "userAgent": login.user_agent}


@operation("signin", "BatchRevokeSessions")
def batch_revoke_sessions(ctx: Context, *, sessionArns: list[str], principalArn: str = "", reason: str = "") -> Result:
    """Their tools renew nothing any more; credentials that were given last out their quarter of an hour."""
    if reason:
        ctx.evidence["reason"] = reason
    revoked, errors = [], []
    for arn in sessionArns:
        authorize(ctx, "signin:BatchRevokeSessions", arn)
        login = _find(ctx, arn, principalArn)
        if login is None:
            errors.append({"sessionArn": arn, "code": "RESOURCE_NOT_FOUND", "message": "The session was not found."})
        else:
            logins.revoke(ctx.world, login)
            revoked.append({"sessionArn": arn})
    return {"revokedSessions": revoked, "errors": errors}


def session_arn(login: Login) -> str:
    return f"arn:aws:signin:{login.region}:{login.session.account}:session/{login.name}"


def _find(ctx: Context, arn: str, principal: str) -> Login | None:
    login = logins.find(ctx.world, arn.rpartition("/")[2])
    own = login is not None and login.session.account == ctx.identity.account and session_arn(login) == arn
    return login if own and login is not None and _is_of(login, principal) else None


def _is_of(login: Login, principal: str) -> bool:
    """Whether somebody's it is; `arn:aws:iam::ACCOUNT:*` is everybody's."""
    everybody = f"arn:aws:iam::{login.session.account}:*"
    return principal in ("", everybody, arn_of(login.session))


def _summary(login: Login) -> Result:
    return {
        "sessionArn": session_arn(login),
        "principalArn": arn_of(login.session),
        "status": login.status,
        "issuedAt": login.issued,
        "expiresAt": login.until,
        "clientId": login.client,
        "clientType": _CLIENT_TYPE,
    }
