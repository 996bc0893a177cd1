"""What a partner's SNS topic would have received about delegation requests, kept for whoever asks.

There is no SNS here: the control API shows these messages. Their form: UG temporary-delegation-building-integration.
"""

from __future__ import annotations

import json
import uuid

from sts_emulator.accounts.documents import NOTIFICATION, DelegationRequest, Notification
from sts_emulator.core import clock
from sts_emulator.core.world import World


def notify(world: World, request: DelegationRequest, token: str = "") -> None:
    """Tell of a new state, or, with a trade-in token, of the token."""
    message = {
        "Type": "ExchangeToken" if token else "StateChange",
        "RequestId": request["id"],
        "RequestorWorkflowId": request["workflow"],
        "State": request["state"],
        "OwnerAccountId": request["owner_account"],
        "UpdatedAt": clock.iso(request["updated"]),
    }
    if token:
        message |= {"ExchangeToken": token, "ExpiresAt": clock.iso(request["released"] + request["duration"])}
    number = world.count(NOTIFICATION, f"{request['channel']}/")
    body: Notification = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": request["channel"],
        "Message": json.dumps(message),
        "Timestamp": clock.iso(request["updated"]),
    }
    world.add(NOTIFICATION, f"{request['channel']}/{number:09}", body)
