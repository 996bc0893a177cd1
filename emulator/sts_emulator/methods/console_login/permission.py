"""Whether somebody may sign in, let tools act for them, and those tools renew: questions to the policy engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.core.errors import AwsError
from sts_emulator.methods.console_login import console_policies
from sts_emulator.methods.console_login.sign_in_errors import CREDENTIALS_CHANGED, INSUFFICIENT_PERMISSIONS, denied
from sts_emulator.policy.deciding.engine import PolicySet, Principal
from sts_emulator.vending import authenticate
from sts_emulator.vending.authorize import consult, consult_unsigned
from sts_emulator.vending.context import Context, Keys
from sts_emulator.vending.session import Session

SAME_DEVICE: Final = "arn:aws:signin:::devtools/same-device"
CROSS_DEVICE: Final = "arn:aws:signin:::devtools/cross-device"
AUTHORIZE: Final = "signin:AuthorizeOAuth2Access"
CREATE: Final = "signin:CreateOAuth2Token"

# Below `oauth2/public-client/` (docs/aws/console-sign-in.md, "Actions and resources").
_RESOURCES: Final = {SAME_DEVICE: "localhost", CROSS_DEVICE: "remote"}


# The console's own name below `console/` is not published; policies of the documentation say `*`.
_CONSOLE: Final = "arn:aws:signin:::console/console"
_BY_POLICY: Final = "Your authentication information is incorrect. Please try again."
_BY_RCP: Final = "Authentication failed Invalid request"
_AFTER: Final = (
    "Authentication failed: To access this account, sign in from a different network, or contact your administrator "
    "for more information"
)
"""AWS's sentences (docs/aws/console-sign-in.md, "Console access control")."""


def resource(region: str, account: str, client: str) -> str:
    """The ARN by which policies name a client of `aws login`."""
    return f"arn:aws:signin:{region}:{account}:oauth2/public-client/{_RESOURCES[client]}"


def ask(ctx: Context, session: Session, client: str, action: str, keys: Mapping[str, str]) -> None:
    """Let it go on; `keys` are what the client asks with. Raises AwsError: AccessDeniedException."""
    try:
        ctx.caller = authenticate.caller_of_session(ctx.world, session, "")
    except AwsError:
        raise denied(CREDENTIALS_CHANGED, "The identity that signed in is gone. Sign in again.") from None
    account = session.account
    place = resource(ctx.region, account, client)
    told = {"signin:oauthclientid": (client,), "aws:resourceaccount": (account,)}
    told |= {name: (value,) for name, value in keys.items() if value}
    policy, rcps = console_policies.policy(ctx.world, account), console_policies.rcps(ctx.world, account)
    decision = consult(ctx, ctx.caller, action, place, told, trust=policy, rcps=rcps)
    if decision.verdict != "allow":
        sentence = f"User: {ctx.caller.arn} is not authorized to perform: {action} on resource: {place}"
        raise denied(INSUFFICIENT_PERMISSIONS, sentence)


def check_before(ctx: Context, account: str, principal: str) -> None:
    """Whether somebody may come to the console at all, before they prove anything. Raises AwsError: Refused 403."""
    if not console_policies.is_enforced(ctx.world, account):
        return
    keys: Keys = {"signin:principalarn": (principal,), "aws:resourceaccount": (account,)}
    policies = PolicySet(
        trust=console_policies.console_policy(ctx.world, account),
        rcps=console_policies.rcps(ctx.world, account),
        resource_account=account,
    )
    decision = consult_unsigned(ctx, Principal("anonymous", "*"), "signin:Authenticate", _CONSOLE, keys, policies)
    if decision.verdict != "allow":
        raise AwsError("Refused", _BY_RCP if decision.layer == "rcp" else _BY_POLICY, status=403)


def check_after(ctx: Context, session: Session) -> None:
    """Whether who proved it gets a console session: only a Deny forbids it. Raises AwsError: Refused 403."""
    account = session.account
    if not console_policies.is_enforced(ctx.world, account):
        return
    policy, rcps = console_policies.console_policy(ctx.world, account), console_policies.rcps(ctx.world, account)
    for action in console_policies.AFTER:
        keys: Keys = {"aws:resourceaccount": (account,)}
        decision = consult(ctx, ctx.identity, action, _CONSOLE, keys, trust=policy, rcps=rcps)
        if decision.verdict != "allow":
            raise AwsError("Refused", _AFTER, status=403)
