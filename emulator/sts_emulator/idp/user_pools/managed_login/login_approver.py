"""A script signs in to managed login in the place of a pool's user: where the browser would go with the code."""

from __future__ import annotations

from urllib.parse import urlsplit

from sts_emulator.core.errors import AwsError
from sts_emulator.core.spelling import meant
from sts_emulator.idp.user_pools.kinds import USER, Pool, PoolUser, find_user
from sts_emulator.idp.user_pools.managed_login import authorization, login_sessions
from sts_emulator.idp.user_pools.managed_login.login_sessions import Present
from sts_emulator.pages.approvals import Outcome, Request, approver
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.http import form

_PAGES = ("/oauth2/authorize", "/login")


@approver
async def approve(visit: Visit, request: Request, /) -> Outcome | None:
    """None: the URL is none of managed login's."""
    parts = urlsplit(request.url)
    if not request.url or parts.path not in [place for page in _PAGES for place in (f"{visit.root}{page}", page)]:
        return None
    asked = authorization.read(visit, form(parts.query))
    with visit.attempt("cognito-idp", "Login_POST", asked.parameters()) as attempt:
        user = _user(visit, asked.pool, request.user)
        attempt.ctx.evidence.update(pool=asked.pool["id"], person=user["username"])
        if request.deny:
            return Outcome(location=asked.back({"error": "access_denied"}))
        location = await login_sessions.answer(attempt.ctx, asked, Present(user, visit.world.now()))
    return Outcome(location=location)


def _user(visit: Visit, pool: Pool, who: str) -> PoolUser:
    """By name, or by `POOL/NAME`. It stands for the password and a code, and for nothing else. Raises AwsError."""
    first, slash, rest = who.partition("/")
    name = rest if slash and first in (pool["id"], pool["name"]) else who
    user = find_user(visit.world, pool, name[:200])
    if user is None:
        near = meant(name, (known["username"] for known in visit.world.page(USER, f"{pool['id']}/")))
        raise AwsError("NotFound", f"user pool `{pool['name']}` has no user `{name[:200]}`{near}", status=404)
    if not user["enabled"]:
        raise AwsError("Refused", f"user `{user['username']}` is disabled", status=403)
    if not login_sessions.is_able(user):
        why = f"user `{user['username']}` is {user['status']}: the page would first ask for something else"
        raise AwsError("Refused", why, status=403)
    return user
