"""Who is signed in to managed login in a browser, for an hour, and the code with which that reaches an app.

The cookie is sealed and nothing of it is stored: as on AWS, nothing but the sign-out page ends it. Codes are rows.
"""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import asdict
from typing import Final

from sts_emulator.accounts import single_use
from sts_emulator.accounts.single_use import Kept
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.idp.user_pools import tokens
from sts_emulator.idp.user_pools.kinds import USER, Pool, PoolUser
from sts_emulator.idp.user_pools.managed_login.authorization import Asked
from sts_emulator.pages.sessions import Cookie, Header
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context

LIFETIME: Final = 3_600
"""Seconds of the cookie (docs/aws/cognito.md, "User pools in 2026")."""

CODE_LIFETIME: Final = 300
"""Seconds of an authorization code (docs/aws/cognito.md, "Managed login")."""


class Code(Kept):
    """What an authorization code stands for."""

    pool: str
    client: str
    sub: str
    redirect: str
    scopes: list[str]
    nonce: str
    challenge: str
    resource: str
    at: float


_CODE: Final[Kind[Code]] = Kind("user-pool-authorization-code")


@dataclass(frozen=True, slots=True)
class Vouched:
    """Who a person is at the SAML provider that vouched for them: by this it is asked to sign them out."""

    provider: str
    subject: str
    format: str
    session: str


@dataclass(frozen=True, slots=True)
class Present:
    """A person whom the pool knows, since when they are signed in, and by whom, where that is a SAML provider."""

    user: PoolUser
    at: float
    vouched: Vouched | None = None


def enter(visit: Visit, pool: Pool, present: Present) -> Header:
    """The header that signs a person in to the pool's pages."""
    left = math.ceil(present.at + LIFETIME - visit.world.now())
    vouched = asdict(present.vouched) if present.vouched else None
    return _cookie(pool).give(visit, json.dumps([present.user["sub"], present.at, vouched]).encode(), left)


def leave(visit: Visit, pool: Pool) -> Header:
    return _cookie(pool).take(visit)


def present(visit: Visit, pool: Pool) -> Present | None:
    """Who is signed in, if they may still be."""
    carried = _cookie(pool).read(visit)
    if carried is None:
        return None
    sub, at, vouched = [*json.loads(carried), None][:3]  # two members are of a server of before
    user = visit.world.find(USER, f"{pool['id']}/{sub}")
    return Present(user, at, Vouched(**vouched) if vouched else None) if user is not None and is_able(user) else None


def is_able(user: PoolUser) -> bool:
    """Whether a session or a code may become tokens: whoever must first do something may not."""
    return user["enabled"] and user["status"] in ("CONFIRMED", "EXTERNAL_PROVIDER")


def new_code(world: World, asked: Asked, present: Present) -> str:
    """A code for the app, good once, for its client, its redirect and its verifier."""
    code = Code(
        name=str(uuid.uuid4()),
        until=int(world.now()) + CODE_LIFETIME,
        pool=asked.pool["id"],
        client=asked.client["id"],
        sub=present.user["sub"],
        redirect=asked.redirect,
        scopes=list(asked.scopes),
        nonce=asked.nonce,
        challenge=asked.challenge,
        resource=asked.resource,
        at=present.at,
    )
    single_use.keep(world, _CODE, code)
    return code["name"]


def take_code(world: World, name: str) -> Code | None:
    """What a code stands for, which is used up by this; None for everybody but the first."""
    return single_use.take(world, _CODE, name[:100])


async def answer(ctx: Context, asked: Asked, present: Present) -> str:
    """Where the browser goes with a code, or with tokens where the app asked for these.

    Raises:
        Sent: the person may not, or the pool's function refuses.
    """
    if not is_able(present.user):
        raise asked.refused("access_denied", "User is disabled.")
    if asked.kind == "code":
        return asked.back({"code": new_code(ctx.world, asked, present)})
    party = tokens.Party(asked.pool, asked.client, present.user)
    authorized = tokens.Authorized(asked.scopes, present.at, asked.nonce, asked.resource)
    try:
        result = await tokens.sign_in(ctx, party, authorized)
    except AwsError as refusal:
        raise asked.refused("invalid_request", refusal.message) from None
    told = {"id_token": result["IdToken"]} if "IdToken" in result else {}
    told |= {"access_token": result["AccessToken"], "token_type": "Bearer", "expires_in": str(result["ExpiresIn"])}
    return asked.back(told, fragment=True)


def _cookie(pool: Pool) -> Cookie:
    return Cookie(f"cognito-{pool['id']}", f"managed-login:{pool['id']}", LIFETIME)
