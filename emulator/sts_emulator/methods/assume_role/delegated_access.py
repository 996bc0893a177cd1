"""GetDelegatedAccessToken: a partner exchanges what an account's owner approved for a session of the approver."""

from __future__ import annotations

from sts_emulator.core.errors import AwsError
from sts_emulator.vending import credentials, trade_in
from sts_emulator.vending.authenticate import caller_of_session
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation


@operation("sts", "GetDelegatedAccessToken")
def get_delegated_access_token(ctx: Context, *, TradeInToken: str) -> Result:
    """Vend the session that the token stands for; the partner's own account must permit the exchange.

    No trust policy has a say: the approval takes its place. It is worth nothing once its approver is gone.
    """
    authorize(ctx, "sts:GetDelegatedAccessToken", "*")
    session, approver = trade_in.redeem(ctx.world, TradeInToken, ctx.identity.account)
    try:
        caller_of_session(ctx.world, session, "")
    except AwsError:
        raise AwsError("ValidationError", trade_in.INVALID) from None
    minted = credentials.mint(ctx.world, session)
    return {"Credentials": minted.to_wire(), "AssumedPrincipal": approver}
