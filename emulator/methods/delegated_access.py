"""GetDelegatedAccessToken: somebody exchanges what an account's owner approved for a session in that account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.core.errors import AwsError
from emulator.vending import credentials, resources, trade_in
from emulator.vending.authorize import authorize
from emulator.vending.context import Context
from emulator.vending.session import ROLE, Session
from emulator.wire.dispatch import operation

SESSION_NAME = "delegated"


@operation("sts", "GetDelegatedAccessToken")
def get_delegated_access_token(ctx: Context, *, TradeInToken: str) -> Mapping[str, Any]:
    """Vend the session that the token stands for; the caller's own account must permit the exchange.

    The trust policy has no say: the owner's approval, which the token is, takes its place.
    """
    authorize(ctx, "sts:GetDelegatedAccessToken", "*")
    approved = trade_in.redeem(ctx.world, TradeInToken)
    role = resources.role_by_arn(ctx.world, approved["principal"])
    if role is None:
        raise AwsError("ExpiredTradeInTokenException", "The trade-in token has expired.")
    now = int(ctx.world.now())
    session = Session(
        kind=ROLE,
        account=role["account"],
        name=role["name"],
        id=role["id"],
        issued=now,
        expires=now + approved["duration"],
        session_name=SESSION_NAME,
        policy=approved["policy"],
        method="GetDelegatedAccessToken",
    )
    minted = credentials.mint(ctx.world, session)
    return {"Credentials": minted.to_wire(), "AssumedPrincipal": role["arn"]}
