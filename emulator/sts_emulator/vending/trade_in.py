"""Trade-in tokens: a released delegation, sealed, to be exchanged for credentials until its time is over.

Rules: UG temporary-delegation-building-integration, "Exchange Tokens".
"""

from __future__ import annotations

from dataclasses import replace

from sts_emulator.accounts.documents import DELEGATION_REQUEST, Approver, DelegationRequest
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending import credentials
from sts_emulator.vending.context import Caller
from sts_emulator.vending.session import USER, Session

RELEASED = "FINALIZED"
PURPOSE = "trade-in-token"
INVALID = "Invalid trade-in token"  # recorded 2026-09, with ValidationError, for a token that is none


def approver(caller: Caller) -> Approver:
    """Who approves, with the state of their identity at that time: as a request keeps it."""
    session = caller.session or Session(
        kind=USER,
        account=caller.account,
        name=caller.user["name"] if caller.user else "",
        id=caller.user_id,
        issued=0,
        expires=0,
    )
    return {"arn": caller.principal.role_arn or caller.arn, "session": session.to_bytes().decode()}


def issue(world: World, request: str) -> str:
    """The token of a released request, by its id."""
    return credentials.seal(world, PURPOSE, request.encode())


def redeem(world: World, token: str, account: str) -> tuple[Session, str]:
    """The approver's session, narrowed to what was approved, and the approver's ARN.

    It ends when the delegation does, however late it is fetched, and counts as issued when the token was released.

    Raises:
        AwsError: ExpiredTradeInTokenException when the delegation is over; ValidationError for a token that is none, or
            that another account than `account` may exchange.
    """
    sealed = credentials.unseal(world, PURPOSE, token)
    request = world.get(DELEGATION_REQUEST, sealed.decode()) if sealed else None
    if request is None or request["state"] != RELEASED or request["requestor"] != account:
        raise AwsError("ValidationError", INVALID)
    expires = request["released"] + request["duration"]
    if expires <= world.now():
        raise AwsError("ExpiredTradeInTokenException", "The trade-in token has expired")
    return _delegated(request, expires), request["approver"]["arn"]


def _delegated(request: DelegationRequest, expires: int) -> Session:
    approved = Session.from_bytes(request["approver"]["session"].encode())
    scopes = [*approved.extra.get("scopes", ()), request["policy"]]
    extra = {**approved.extra, "scopes": scopes, "delegate": request["requestor"]}
    return replace(approved, issued=request["released"], expires=expires, method="GetDelegatedAccessToken", extra=extra)
