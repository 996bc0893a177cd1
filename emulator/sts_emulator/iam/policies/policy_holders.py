"""What users, groups and roles have in common: inline policies, attached policies and, but for groups, a boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

from sts_emulator.accounts import managed_policies
from sts_emulator.accounts.documents import changed
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError
from sts_emulator.iam.nouns import GROUP, POLICY, ROLE, USER, AnyNoun, over_quota
from sts_emulator.iam.paging import Paging, page
from sts_emulator.iam.permits import reach
from sts_emulator.iam.policies.policy_documents import check, quoted
from sts_emulator.iam.principals.protected_roles import check_modifiable
from sts_emulator.policy.arns import parse_arn
from sts_emulator.vending.context import Context, Keys
from sts_emulator.wire.dispatch import Result, operation

ATTACHED_QUOTA = 10
INLINE_QUOTA = {"user": 2048, "group": 5120, "role": 10240}  # characters of all inline policies, white space aside

Carried = Callable[..., Result]


def _each(name: str, *nouns: AnyNoun) -> Callable[[Carried], Carried]:
    """Register an operation of users, groups and roles, or of these nouns: the function is told whose it is."""

    def register(function: Carried) -> Carried:
        for noun in nouns or (USER, GROUP, ROLE):
            _register(name.format(noun.wire), function, noun)
        return function

    return register


def _register(name: str, function: Carried, noun: AnyNoun) -> None:
    @operation("iam", name)
    @wraps(function)  # whose parameters are held against the model
    def carried_out(ctx: Context, **asked: Any) -> Result:
        return function(ctx, noun, **asked)


def _held(ctx: Context, noun: AnyNoun, named: Mapping[str, str], keys: Keys | None = None) -> Stored:
    """Whom the operation is about, once the caller may do it. Raises AwsError."""
    return reach(ctx, noun, named[noun.member], keys)


def _modifiable(ctx: Context, noun: AnyNoun, named: Mapping[str, str], keys: Keys | None = None) -> Stored:
    """Likewise, where it is to be changed."""
    holder = _held(ctx, noun, named, keys)
    check_modifiable(holder)
    return holder


# -- inline policies ----------------------------------------------------------------------------------------------


@_each("Put{}Policy")
def _put(ctx: Context, noun: AnyNoun, *, PolicyName: str, PolicyDocument: str, **named: str) -> Result:
    """Embed a policy, or replace the one of that name, whatever its case of letters."""
    holder = _modifiable(ctx, noun, named)
    check("inline", PolicyDocument)
    ctx.world.update(noun.kind, noun.key(holder), lambda body: _with_inline(noun, body, PolicyName, PolicyDocument))
    return {}


@_each("Get{}Policy")
def _get(ctx: Context, noun: AnyNoun, *, PolicyName: str, **named: str) -> Result:
    """One embedded policy; its name is given back as asked for."""
    holder = _held(ctx, noun, named)
    text = holder["inline"][_inline_name(noun, holder, PolicyName)]
    return {noun.member: holder["name"], "PolicyName": PolicyName, "PolicyDocument": quoted(text)}


@_each("Delete{}Policy")
def _delete(ctx: Context, noun: AnyNoun, *, PolicyName: str, **named: str) -> Result:
    """Remove an embedded policy."""
    holder = _modifiable(ctx, noun, named)
    gone = _inline_name(noun, holder, PolicyName)
    ctx.world.update(
        noun.kind,
        noun.key(holder),
        lambda body: {**body, "inline": {name: text for name, text in body["inline"].items() if name != gone}},
    )
    return {}


@_each("List{}Policies")
def _list_inline(
    ctx: Context, noun: AnyNoun, *, Marker: str | None = None, MaxItems: int | None = None, **named: str
) -> Result:
    """The names of the embedded policies."""
    holder = _held(ctx, noun, named)
    return page(ctx, "PolicyNames", sorted(holder["inline"]), {"Marker": Marker, "MaxItems": MaxItems})


def _with_inline(noun: AnyNoun, body: Mapping[str, Any], name: str, text: str) -> Result:
    spelt = next((known for known in body["inline"] if known.lower() == name.lower()), name)
    inline = {**body["inline"], spelt: text}
    quota = INLINE_QUOTA[noun.segment]
    if sum(len("".join(document.split())) for document in inline.values()) > quota:
        raise AwsError("LimitExceeded", f"Maximum policy size of {quota} bytes exceeded for {noun.kind} {body['name']}")
    return {**body, "inline": inline}


def _inline_name(noun: AnyNoun, holder: Stored, name: str) -> str:
    for known in holder["inline"]:
        if known.lower() == name.lower():
            return str(known)
    raise AwsError("NoSuchEntity", f"The {noun.kind} policy with name {name} cannot be found.")


# -- attached policies --------------------------------------------------------------------------------------------


@_each("Attach{}Policy")
def _attach(ctx: Context, noun: AnyNoun, *, PolicyArn: str, **named: str) -> Result:
    """Attach a managed policy; attaching it again changes nothing."""
    holder = _modifiable(ctx, noun, named, {"iam:policyarn": (PolicyArn,)})
    check_policy_arn(PolicyArn)
    if not can_attach(ctx, PolicyArn):
        raise AwsError("NoSuchEntity", f"Policy {PolicyArn} does not exist or is not attachable.")
    ctx.world.update(noun.kind, noun.key(holder), lambda body: _with_attached(noun, body, PolicyArn))
    return {}


@_each("Detach{}Policy")
def _detach(ctx: Context, noun: AnyNoun, *, PolicyArn: str, **named: str) -> Result:
    """Detach a managed policy."""
    holder = _modifiable(ctx, noun, named, {"iam:policyarn": (PolicyArn,)})
    check_policy_arn(PolicyArn)
    if PolicyArn not in holder["attached"]:
        raise AwsError("NoSuchEntity", f"Policy {PolicyArn} was not found.")
    ctx.world.update(
        noun.kind,
        noun.key(holder),
        lambda body: {**body, "attached": [arn for arn in body["attached"] if arn != PolicyArn]},
    )
    return {}


@_each("ListAttached{}Policies")
def _list_attached(
    ctx: Context,
    noun: AnyNoun,
    *,
    PathPrefix: str = "/",
    Marker: str | None = None,
    MaxItems: int | None = None,
    **named: str,
) -> Result:
    """Name and ARN of the attached policies."""
    holder = _held(ctx, noun, named)
    under = [arn for arn in holder["attached"] if policy_path(arn).startswith(PathPrefix)]
    paging: Paging = {"Marker": Marker, "MaxItems": MaxItems}
    return page(ctx, "AttachedPolicies", under, paging, attached_policy)


def attached_policy(arn: str) -> dict[str, str]:
    """Name and ARN of an attached policy, as lists show it."""
    return {"PolicyName": arn.rsplit("/", 1)[1], "PolicyArn": arn}


def policy_path(arn: str) -> str:
    """The path of a managed policy's ARN, slashes included."""
    return "/" + arn.split(":policy/", 1)[1].rpartition("/")[0] + "/" if arn.count("/") > 1 else "/"


def check_policy_arn(arn: str) -> None:
    """Refuse what is not the ARN of a policy.

    Raises:
        AwsError: ValidationError, or InvalidInput for the ARN of something else (both recorded, tests/iam/cases).
    """
    parts = parse_arn(arn)
    if parts is None:
        raise AwsError("ValidationError", f"ARN {arn} is not valid.")
    if parts.service != "iam" or not parts.resource.startswith("policy/"):
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.")


def can_attach(ctx: Context, arn: str) -> bool:
    """Whether a policy is there to be attached: the account's own, or AWS's."""
    return managed_policies.find(arn) is not None or POLICY.find(ctx.world, ctx.identity.account, arn) is not None


def _with_attached(noun: AnyNoun, body: Mapping[str, Any], arn: str) -> Result:
    if arn in body["attached"]:
        return dict(body)
    if len(body["attached"]) >= ATTACHED_QUOTA:
        raise over_quota(f"PoliciesPer{noun.wire}", ATTACHED_QUOTA)
    return {**body, "attached": [*body["attached"], arn]}


# -- permissions boundaries ---------------------------------------------------------------------------------------


def check_boundary(ctx: Context, arn: str) -> None:
    """Refuse a permissions boundary that is no policy here.

    Raises:
        AwsError: ValidationError, InvalidInput or NoSuchEntity.
    """
    parts = parse_arn(arn)
    if parts is None:
        raise AwsError("ValidationError", f"Value ({arn}) for parameter PermissionsBoundary is invalid.")
    if parts.service != "iam" or not parts.resource.startswith("policy/"):
        raise AwsError("InvalidInput", f"ARN {arn} is not valid.")
    if not can_attach(ctx, arn):
        raise AwsError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.")


def boundary_keys(arn: str | None) -> Keys:
    """The condition key for the boundary that a request asks for."""
    return {"iam:permissionsboundary": (arn,)} if arn else {}


def shown_boundary(holder: Stored) -> Result:
    """The `PermissionsBoundary` member of results, which is there only when one is set."""
    if not holder.get("boundary"):
        return {}
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": holder["boundary"]}}


@_each("Put{}PermissionsBoundary", USER, ROLE)
def _put_boundary(ctx: Context, noun: AnyNoun, *, PermissionsBoundary: str, **named: str) -> Result:
    """Set the permissions boundary."""
    keys = boundary_keys(PermissionsBoundary)
    holder = _modifiable(ctx, noun, named, keys)
    check_boundary(ctx, PermissionsBoundary)
    ctx.world.update(noun.kind, noun.key(holder), changed(boundary=PermissionsBoundary))
    return {}


@_each("Delete{}PermissionsBoundary", USER, ROLE)
def _delete_boundary(ctx: Context, noun: AnyNoun, **named: str) -> Result:
    """Remove the permissions boundary."""
    holder = _modifiable(ctx, noun, named)
    if not holder.get("boundary"):
        raise AwsError("NoSuchEntity", f"{noun.wire} {holder['name']} does not have a permissions boundary.")
    ctx.world.update(noun.kind, noun.key(holder), changed(boundary=None))
    return {}


# -- deletion -----------------------------------------------------------------------------------------------------


def check_bare(holder: Mapping[str, object]) -> None:
    """Refuse to delete what still has policies.

    Raises:
        AwsError: DeleteConflict.
    """
    if holder["attached"]:
        raise AwsError("DeleteConflict", "Cannot delete entity, must detach all policies first.")
    if holder["inline"]:
        raise AwsError("DeleteConflict", "Cannot delete entity, must delete policies first.")
