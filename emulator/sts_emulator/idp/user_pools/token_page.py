"""Page `user-pools`: the tokens of a user of a pool for a script, as a sign-in gives them, without a password."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sts_emulator.core.spelling import meant
from sts_emulator.idp.user_pools import tokens
from sts_emulator.idp.user_pools.kinds import CLIENT, POOL, USER, Client, find_user
from sts_emulator.pages import render
from sts_emulator.pages.forms import json_body
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response


@page("POST", "/user-pools/tokens", trusted=True, mistakes=(ValueError,))
async def user_tokens(visit: Visit) -> Response:
    """What a sign-in of `user` at `pool` (id or name) gives; `client` (id or name) where the pool has several."""
    body = json_body(visit)
    pool = _named(visit.world.page(POOL), body, "pool")
    clients = [client for client in visit.world.page(CLIENT) if client["pool"] == pool["id"]]
    client: Client = _named(clients, body, "client")
    user = find_user(visit.world, pool, _text(body, "user"))
    if user is None:
        name = _text(body, "user")
        near = meant(name, (known["username"] for known in visit.world.page(USER, f"{pool['id']}/")))
        raise ValueError(f"user pool `{pool['name']}` has no user `{name[:80]}`{near}")
    if not user["enabled"]:
        raise ValueError(f"user `{user['username']}` is disabled")
    return render.data(200, await given(visit, tokens.Party(pool, client, user)))


async def given(visit: Visit, party: tokens.Party) -> Result:
    """What a sign-in gives. Raises AwsError: the pool's function refuses."""
    parameters = {"UserPoolId": party.pool["id"], "ClientId": party.client["id"]}
    with visit.attempt("cognito-idp", "AdminInitiateAuth", parameters) as attempt:
        attempt.ctx.evidence.update(pool=party.pool["id"], person=party.user["username"])
        return await tokens.sign_in(attempt.ctx, party)


def _named(things: list[Any], body: Mapping[str, Any], kind: str) -> Any:
    name = _text(body, kind)
    named = [thing for thing in things if not name or name in (thing["id"], thing["name"])]
    if len(named) != 1:
        listed = ", ".join(thing["name"] for thing in things[:10]) or "none"
        raise ValueError(f"which {kind}? there are: {listed}")
    return named[0]


def _text(body: Mapping[str, object], member: str) -> str:
    value = body.get(member, "")
    if not isinstance(value, str):
        raise ValueError(f"{member} is a text")  # noqa: TRY004 - answered with 400
    return value
