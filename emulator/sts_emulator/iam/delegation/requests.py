"""Temporary delegation: a partner asks, somebody of the account approves, and a token is released to the partner.

Rules: the operations' models; UG access_policies-temporary-delegation and temporary-delegation-building-integration.
Texts of refusals, and the answers to what comes in the wrong state, are not recorded.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from itertools import product
from typing import Any, Unpack

from sts_emulator.accounts import documents
from sts_emulator.accounts.documents import DELEGATION_REQUEST, DelegationRequest, changed
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam.delegation import templates
from sts_emulator.iam.delegation.notices import notify
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import permit
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.document import as_list, parse
from sts_emulator.vending import trade_in
from sts_emulator.vending.authorize import consult, denial, refused
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

UNASSIGNED, ASSIGNED, PENDING, ACCEPTED = "UNASSIGNED", "ASSIGNED", "PENDING_APPROVAL", "ACCEPTED"
FINALIZED, REJECTED, EXPIRED = trade_in.RELEASED, "REJECTED", "EXPIRED"
DAY = 86_400
LIFE = {UNASSIGNED: DAY}  # of a state, after which the request is EXPIRED; of every other one:
LONG_LIFE = 7 * DAY
ROOT_LIMIT = 4 * 3600  # the longest delegation, in seconds, that root may approve

# What whoever took a request over may do with it without a policy that says so; approving is not among it.
_OWNERS = ("Associate", "Get", "Update", "Reject", "List")
_ANYBODYS = ("Associate", "Get")


# -- the partner's side -------------------------------------------------------------------------------------------


@operation("iam", "CreateDelegationRequest")
def create_delegation_request(
    ctx: Context,
    *,
    Description: str,
    Permissions: Mapping[str, Any],
    RequestorWorkflowId: str,
    NotificationChannel: str,
    SessionDuration: int,
    OwnerAccountId: str | None = None,
    RequestMessage: str | None = None,
    RedirectUrl: str | None = None,
    OnlySendByOwner: bool = False,
) -> Result:
    """Ask for what a registered template grants. AWS takes it from onboarded partners only."""
    account = ctx.identity.account
    template = Permissions.get("PolicyTemplateArn", "")
    identifier = str(uuid.uuid4())
    asked = {
        "iam:templatearn": (template,),
        "iam:notificationchannel": (NotificationChannel,),
        "iam:delegationduration": (str(SessionDuration),),
    }
    permit(ctx, "CreateDelegationRequest", _arn(OwnerAccountId or account, identifier), asked)
    registered = ctx.world.get(documents.DELEGATION_TEMPLATE, template)
    if registered is None or registered["account"] != account:
        raise AwsError("InvalidInput", f"Policy template {template} is not registered for account {account}.")
    channel = parse_arn(NotificationChannel)
    if channel is None or channel.service != "sns" or channel.account != account:
        raise AwsError("InvalidInput", f"{NotificationChannel} is not an SNS topic of account {account}.")
    known = ((request["requestor"], request["workflow"]) for request in ctx.world.page(DELEGATION_REQUEST))
    if (account, RequestorWorkflowId) in known:
        message = f"A delegation request with workflow id {RequestorWorkflowId} already exists."
        raise AwsError("EntityAlreadyExists", message)
    parameters = [dict(parameter) for parameter in Permissions.get("Parameters", ())]
    policy = templates.render(registered["text"], templates.values(parameters))
    now = int(ctx.world.now())
    request: DelegationRequest = {
        "id": identifier,
        "requestor": account,
        "workflow": RequestorWorkflowId,
        "template": template,
        "parameters": parameters,
        "policy": policy,
        "boundaries": templates.boundaries(policy),
        "description": Description,
        "channel": NotificationChannel,
        "duration": SessionDuration,
        "only_owner": OnlySendByOwner,
        "state": UNASSIGNED,
        "created": now,
        "updated": now,
        "expires": now + LIFE[UNASSIGNED],
    }
    said = {"message": RequestMessage, "redirect": RedirectUrl, "owner_account": OwnerAccountId}
    ctx.world.add(DELEGATION_REQUEST, identifier, changed(**said)(request))
    return {"DelegationRequestId": identifier, "ConsoleDeepLink": f"{ctx.base_url}/console?delegation={identifier}"}


# -- the customer's side ------------------------------------------------------------------------------------------


@operation("iam", "AssociateDelegationRequest")
def associate_delegation_request(ctx: Context, *, DelegationRequestId: str) -> Result:
    """Take a request over: the caller becomes its owner, and the caller's account that of the owner."""
    request = _reach(ctx, "Associate", DelegationRequestId, UNASSIGNED)
    _move(ctx, request, ASSIGNED, owner=ctx.identity.arn, owner_account=ctx.identity.account)
    return {}


@operation("iam", "UpdateDelegationRequest")
def update_delegation_request(ctx: Context, *, DelegationRequestId: str, Notes: str | None = None) -> Result:
    """Forward a request to somebody who may approve it."""
    request = _reach(ctx, "Update", DelegationRequestId, ASSIGNED, PENDING)
    _move(ctx, request, PENDING, notes=Notes or request.get("notes"))
    return {}


@operation("iam", "AcceptDelegationRequest")
def accept_delegation_request(ctx: Context, *, DelegationRequestId: str) -> Result:
    """Approve a request: the credentials will be the caller's own, narrowed to what was asked for."""
    request = _reach(ctx, "Accept", DelegationRequestId, ASSIGNED, PENDING)
    if ctx.identity.principal.type == "root" and request["duration"] > ROOT_LIMIT:
        raise AwsError("InvalidInput", f"The root user cannot approve a delegation of more than {ROOT_LIMIT} seconds.")
    _move(ctx, request, ACCEPTED, approver=trade_in.approver(ctx.identity))
    return {}


@operation("iam", "RejectDelegationRequest")
def reject_delegation_request(ctx: Context, *, DelegationRequestId: str, Notes: str | None = None) -> Result:
    """Refuse a request, also one that was approved but not released."""
    request = _reach(ctx, "Reject", DelegationRequestId, ASSIGNED, PENDING, ACCEPTED)
    _move(ctx, request, REJECTED, rejection=Notes)
    return {}


@operation("iam", "SendDelegationToken")
def send_delegation_token(ctx: Context, *, DelegationRequestId: str) -> Result:
    """Release the token to the partner; the delegation begins now, and cannot be taken back."""
    request = _reach(ctx, "SendDelegationToken", DelegationRequestId, ACCEPTED)
    now = int(ctx.world.now())
    moved = _move(ctx, request, FINALIZED, released=now)
    notify(ctx.world, moved, trade_in.issue(ctx.world, moved["id"]))
    return {}


# -- looking at them ----------------------------------------------------------------------------------------------


@operation("iam", "GetDelegationRequest")
def get_delegation_request(
    ctx: Context, *, DelegationRequestId: str, DelegationPermissionCheck: bool = False
) -> Result:
    """One request, and perhaps whether the caller could approve it with effect."""
    request = _reach(ctx, "Get", DelegationRequestId)
    result: dict[str, Any] = {"DelegationRequest": _shown(ctx.world, request)}
    if DelegationPermissionCheck:
        result["PermissionCheckStatus"] = "COMPLETE"
        result["PermissionCheckResult"] = _covers(ctx, request["policy"])
    return result


@operation("iam", "GetHumanReadableSummary")
def get_human_readable_summary(ctx: Context, *, EntityArn: str, Locale: str = "en") -> Result:
    """A language model writes these on AWS; here there is none for any request."""
    parts = parse_arn(EntityArn)
    if parts is None or parts.service != "iam" or not parts.resource.startswith("delegation-request/"):
        raise AwsError("InvalidInput", f"{EntityArn} is not a delegation request.")
    _reach(ctx, "Get", parts.resource.partition("/")[2])
    return {"SummaryState": "NOT_AVAILABLE", "Locale": Locale}


@operation("iam", "ListDelegationRequests")
def list_delegation_requests(ctx: Context, *, OwnerId: str | None = None, **paging: Unpack[Paging]) -> Result:
    """The account's requests that somebody has taken over, or those of one owner."""
    caller = ctx.identity
    if OwnerId != caller.arn:
        permit(ctx, "ListDelegationRequests", "*", {"iam:delegationrequestowner": (OwnerId,)} if OwnerId else {})
    requests = [
        request
        for request in ctx.world.page(DELEGATION_REQUEST)
        if request.get("owner_account") == caller.account
        and request.get("owner")
        and OwnerId in (None, request["owner"])
    ]
    listed = page(ctx, "DelegationRequests", requests, paging, lambda request: _shown(ctx.world, request))
    return {("isTruncated" if name == "IsTruncated" else name): value for name, value in listed.items()}  # the model's


def _shown(world: World, request: DelegationRequest) -> Result:
    account = world.get(documents.ACCOUNT, request["requestor"])
    shown: Result = {
        "DelegationRequestId": request["id"],
        "OwnerAccountId": request.get("owner_account"),
        "Description": request["description"],
        "RequestMessage": request.get("message"),
        "Permissions": {"PolicyTemplateArn": request["template"], "Parameters": request["parameters"]},
        "PermissionPolicy": request["policy"],
        "RolePermissionRestrictionArns": request["boundaries"],
        "OwnerId": request.get("owner"),
        "ApproverId": request["approver"]["arn"] if "approver" in request else None,
        "State": _state(world, request),
        "ExpirationTime": request["expires"],
        "RequestorId": request["requestor"],
        "RequestorName": account["name"][:30] or None if account else None,
        "CreateDate": request["created"],
        "SessionDuration": request["duration"],
        "RedirectUrl": request.get("redirect"),
        "Notes": request.get("notes"),
        "RejectionReason": request.get("rejection"),
        "OnlySendByOwner": request["only_owner"],
        "UpdatedTime": request["updated"],
    }
    return {name: value for name, value in shown.items() if value is not None}


def _covers(ctx: Context, policy: str) -> str:
    """Whether the caller may do all that a policy allows: approximate, as on AWS, each pattern asked for as it is."""
    doubtful = False
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
            doubtful = doubtful or statement["Effect"] == "Allow"
            continue
        for action, resource in product(as_list(statement["Action"]), as_list(statement["Resource"])):
            if not consult(ctx, ctx.identity, action, resource, {}).allowed:
                if not _is_conditional(ctx):
                    return "DENIED"
                doubtful = True
    return "UNSURE" if doubtful else "ALLOWED"


def _is_conditional(ctx: Context) -> bool:
    """Whether the caller's permissions depend on more than an action and a resource."""
    return any(statement.conditions for document in ctx.identity.identity for statement in document.statements)


# -- rules --------------------------------------------------------------------------------------------------------


def _arn(account: str, identifier: str) -> str:
    return names.iam_arn(account, "delegation-request", "/", identifier)


def _reach(ctx: Context, action: str, identifier: str, *states: str) -> DelegationRequest:
    """The request, once the caller may do `action` to it and it is in one of the states (none: any).

    Raises:
        AwsError: AccessDenied; NoSuchEntity; InvalidInput for another state.
    """
    request = ctx.world.get(DELEGATION_REQUEST, identifier)
    name = action if action.startswith("Send") else f"{action}DelegationRequest"
    if request is None:
        permit(ctx, name, _arn(ctx.identity.account, identifier))
        raise AwsError("NoSuchEntity", f"Delegation request {identifier} does not exist.")
    _permit(ctx, action, name, request)
    state = _state(ctx.world, request)
    if states and state not in states:
        raise AwsError("InvalidInput", f"Delegation request {identifier} is {state}, not {' or '.join(states)}.")
    return request


def _permit(ctx: Context, action: str, name: str, request: DelegationRequest) -> None:
    account, owner = request.get("owner_account") or ctx.identity.account, request.get("owner", "")
    arn = _arn(account, request["id"])
    keys = {"iam:delegationrequestowner": (owner,)} if owner else {}
    trust = parse(_default_permissions(request))
    decision = consult(ctx, ctx.identity, f"iam:{name}", arn, keys, trust=trust, resource_account=account)
    same_account = account == ctx.identity.account
    not_the_owner = action == "SendDelegationToken" and request["only_owner"] and ctx.identity.arn != owner
    if not decision.allowed or not_the_owner:
        raise refused(ctx, denial(ctx, ctx.identity, f"iam:{name}", arn, decision, same_account=same_account))


def _default_permissions(request: DelegationRequest) -> str:
    """Who may do what to a request without a policy of their own, as if the request had one itself."""
    owner, account = request.get("owner"), request.get("owner_account")
    statement: dict[str, Any] = {"Effect": "Allow", "Resource": "*"}
    if owner:
        actions = [*(f"iam:{action}DelegationRequest" for action in _OWNERS), "iam:SendDelegationToken"]
        statement |= {"Principal": {"AWS": owner}, "Action": actions}
    else:
        statement |= {"Principal": {"AWS": "*"}, "Action": [f"iam:{action}DelegationRequest" for action in _ANYBODYS]}
        if account:
            statement["Condition"] = {"StringEquals": {"aws:PrincipalAccount": account}}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _state(world: World, request: DelegationRequest) -> str:
    return EXPIRED if request["expires"] <= world.now() else str(request["state"])


def _move(ctx: Context, request: DelegationRequest, state: str, **members: object) -> DelegationRequest:
    """Bring a request to another state, and tell its partner."""
    now = int(ctx.world.now())
    moved = ctx.world.update(
        DELEGATION_REQUEST,
        request["id"],
        changed(**members, state=state, updated=now, expires=now + LIFE.get(state, LONG_LIFE)),
    )
    notify(ctx.world, moved)
    return moved
