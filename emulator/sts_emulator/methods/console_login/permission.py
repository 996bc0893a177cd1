"""Whether somebody may let tools act for them, and those tools renew: questions to the policy engine."""

from __future__ import annotations

from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login.refusals import CREDENTIALS_CHANGED, INSUFFICIENT_PERMISSIONS, denied
from sts_emulator.vending import authenticate
from sts_emulator.vending.authorize import consult
from sts_emulator.vending.context import Context
from sts_emulator.vending.session import Session

SAME_DEVICE: Final = "arn:aws:signin:::devtools/same-device"
CROSS_DEVICE: Final = "arn:aws:signin:::devtools/cross-device"
AUTHORIZE: Final = "signin:AuthorizeOAuth2Access"
CREATE: Final = "signin:CreateOAuth2Token"

# Below `oauth2/public-client/` (docs/aws/console-sign-in.md, "Account access and sign-in"); the two last names are
# those of the user guide of AWS Sign-In.
_RESOURCES: Final = {SAME_DEVICE: "localhost", CROSS_DEVICE: "remote"}


def ask(ctx: Context, session: Session, client: str, action: str) -> None:
    """Let it go on. Raises AwsError: AccessDeniedException, INSUFFICIENT_PERMISSIONS."""
    try:
        ctx.caller = authenticate.caller_of_session(ctx.world, session, "")
    except AwsError:
        raise denied(CREDENTIALS_CHANGED, "The identity that signed in is gone. Sign in again.") from None
    resource = f"arn:aws:signin:{ctx.region}:{session.account}:oauth2/public-client/{_RESOURCES[client]}"
    decision = consult(ctx, ctx.caller, action, resource, {})
    if decision.verdict != "allow":
        sentence = f"User: {ctx.caller.arn} is not authorized to perform: {action} on resource: {resource}"
        raise denied(INSUFFICIENT_PERMISSIONS, sentence)
