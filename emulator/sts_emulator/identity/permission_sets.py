"""Permission sets: what they are called, and the policies in them. Accounts have them as last provisioned."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal

from sts_emulator.accounts import directory, managed_policies
from sts_emulator.accounts.directory import PermissionSet
from sts_emulator.accounts.documents import changed
from sts_emulator.core.errors import AwsError
from sts_emulator.identity import resource_tags
from sts_emulator.identity.instances import has_permission_sets
from sts_emulator.identity.permission import (
    absent,
    conflict,
    foreign,
    invalid,
    manage,
    page,
    present,
    reach,
    reach_to_change,
)
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.saving.validate import validate
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

SHORTEST, LONGEST = 3600, 43_200  # of SessionDuration, in seconds
MOST_POLICIES = 20  # managed ones in one permission set (quota)
LONGEST_INLINE = 32_768

Reference = Mapping[str, str]
Policies = Literal["managed", "customer_managed"]


# -- the sets -----------------------------------------------------------------------------------------------------


@operation("sso-admin", "CreatePermissionSet")
def create_permission_set(
    ctx: Context,
    *,
    Name: str,
    InstanceArn: str,
    Description: str = "",
    SessionDuration: str = "PT1H",
    RelayState: str = "",
    Tags: resource_tags.Pairs | None = None,
) -> Result:
    """A permission set without policies, in no account yet."""
    tags = resource_tags.checked(Tags)
    instance = manage(ctx, InstanceArn, keys=tag_keys(tags))
    if not has_permission_sets(instance):
        raise foreign(ctx, InstanceArn)  # an account instance has none
    if directory.permission_set_by_name(ctx.world, instance, Name):
        raise conflict(f"PermissionSet with name {Name} already exists.")
    arn = f"arn:aws:sso:::permissionSet/{instance['id']}/ps-{os.urandom(8).hex()}"
    made: PermissionSet = {
        "arn": arn,
        "instance": instance["id"],
        "name": Name,
        "description": Description,
        "created": int(ctx.world.now()),
        "duration": _duration(SessionDuration),
        "relay_state": RelayState,
        "managed": [],
        "customer_managed": [],
        "inline": "",
        "tags": tags,
    }
    ctx.world.add(directory.PERMISSION_SET, arn, made)
    return {"PermissionSet": _shown(made)}


@operation("sso-admin", "DescribePermissionSet")
def describe_permission_set(ctx: Context, *, InstanceArn: str, PermissionSetArn: str) -> Result:
    """One permission set, without its policies."""
    return {"PermissionSet": _shown(reach(ctx, InstanceArn, PermissionSetArn)[1])}


@operation("sso-admin", "ListPermissionSets")
def list_permission_sets(
    ctx: Context, *, InstanceArn: str, NextToken: str = "", MaxResults: int | None = None
) -> Result:
    sets = directory.permission_sets(ctx.world, manage(ctx, InstanceArn))
    return page(ctx, "PermissionSets", [known["arn"] for known in sets], NextToken, MaxResults)


@operation("sso-admin", "UpdatePermissionSet")
def update_permission_set(
    ctx: Context,
    *,
    InstanceArn: str,
    PermissionSetArn: str,
    Description: str | None = None,
    SessionDuration: str | None = None,
    RelayState: str = "",
) -> Result:
    """Change a permission set. A relay state that is left out is cleared, as reported of AWS.

    Source: hashicorp/terraform-provider-aws#17411.
    """
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    description = known["description"] if Description is None else Description
    duration = known["duration"] if SessionDuration is None else _duration(SessionDuration)
    _change(ctx, known, description=description, duration=duration, relay_state=RelayState)
    return {}


@operation("sso-admin", "DeletePermissionSet")
def delete_permission_set(ctx: Context, *, InstanceArn: str, PermissionSetArn: str) -> Result:
    """Delete a permission set that nobody is assigned to."""
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    if directory.assignments(ctx.world, known["arn"]):
        raise conflict("The permission set is assigned in an account; delete its assignments first.")
    ctx.world.take(directory.PERMISSION_SET, known["arn"])
    return {}


def _shown(known: PermissionSet) -> Result:
    return {
        "Name": known["name"],
        "PermissionSetArn": known["arn"],
        **present({"Description": known["description"]}),
        "CreatedDate": known["created"],
        "SessionDuration": known["duration"],
        **present({"RelayState": known["relay_state"]}),
    }


def _duration(text: str) -> str:
    """A session duration of one to twelve hours. Source: IAM Identity Center User Guide, "Set session duration"."""
    if not SHORTEST <= directory.session_seconds(text) <= LONGEST:
        raise invalid("SessionDuration must be between one and twelve hours, as in PT1H.")
    return text


def _change(ctx: Context, known: PermissionSet, **members: object) -> None:
    """Store other members; None removes one."""
    ctx.world.update(directory.PERMISSION_SET, known["arn"], changed(**members))


# -- AWS's policies -----------------------------------------------------------------------------------------------


@operation("sso-admin", "AttachManagedPolicyToPermissionSet")
def attach_managed_policy(ctx: Context, *, InstanceArn: str, PermissionSetArn: str, ManagedPolicyArn: str) -> Result:
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    if managed_policies.find(ManagedPolicyArn) is None:
        raise absent("Policy", ManagedPolicyArn)
    _attach(ctx, known, "managed", ManagedPolicyArn)
    return {}


@operation("sso-admin", "DetachManagedPolicyFromPermissionSet")
def detach_managed_policy(ctx: Context, *, InstanceArn: str, PermissionSetArn: str, ManagedPolicyArn: str) -> Result:
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    _detach(ctx, known, "managed", ManagedPolicyArn, ManagedPolicyArn)
    return {}


@operation("sso-admin", "ListManagedPoliciesInPermissionSet")
def list_managed_policies(
    ctx: Context, *, InstanceArn: str, PermissionSetArn: str, MaxResults: int | None = None, NextToken: str = ""
) -> Result:
    _, known = reach(ctx, InstanceArn, PermissionSetArn)
    told = [{"Name": arn.rpartition("/")[2], "Arn": arn} for arn in known["managed"]]
    return page(ctx, "AttachedManagedPolicies", told, NextToken, MaxResults)


def _attach(ctx: Context, known: PermissionSet, place: Policies, policy: str | dict[str, str]) -> None:
    if policy in known[place]:
        raise conflict("The policy is attached to the permission set already.")
    if len(known["managed"]) + len(known["customer_managed"]) >= MOST_POLICIES:
        message = f"A permission set can have {MOST_POLICIES} managed policies at most."
        raise AwsError("ServiceQuotaExceededException", message)
    _change(ctx, known, **{place: [*known[place], policy]})


def _detach(ctx: Context, known: PermissionSet, place: Policies, policy: str | dict[str, str], name: str) -> None:
    if policy not in known[place]:
        raise absent("Policy attachment", name)
    _change(ctx, known, **{place: [other for other in known[place] if other != policy]})


# -- the accounts' own policies -----------------------------------------------------------------------------------


@operation("sso-admin", "AttachCustomerManagedPolicyReferenceToPermissionSet")
def attach_customer_policy(
    ctx: Context, *, InstanceArn: str, PermissionSetArn: str, CustomerManagedPolicyReference: Reference
) -> Result:
    """Name a policy that each account must have when the permission set is provisioned there."""
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    _attach(ctx, known, "customer_managed", _reference(CustomerManagedPolicyReference))
    return {}


@operation("sso-admin", "DetachCustomerManagedPolicyReferenceFromPermissionSet")
def detach_customer_policy(
    ctx: Context, *, InstanceArn: str, PermissionSetArn: str, CustomerManagedPolicyReference: Reference
) -> Result:
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    reference = _reference(CustomerManagedPolicyReference)
    _detach(ctx, known, "customer_managed", reference, f"{reference['Path']}{reference['Name']}")
    return {}


@operation("sso-admin", "ListCustomerManagedPolicyReferencesInPermissionSet")
def list_customer_policies(
    ctx: Context, *, InstanceArn: str, PermissionSetArn: str, MaxResults: int | None = None, NextToken: str = ""
) -> Result:
    """The policies of the accounts' own that a permission set names."""
    _, known = reach(ctx, InstanceArn, PermissionSetArn)
    return page(ctx, "CustomerManagedPolicyReferences", known["customer_managed"], NextToken, MaxResults)


def _reference(given: Reference) -> dict[str, str]:
    return {"Name": given["Name"], "Path": given.get("Path", "/")}


# -- the inline policy --------------------------------------------------------------------------------------------


@operation("sso-admin", "PutInlinePolicyToPermissionSet")
def put_inline_policy(ctx: Context, *, InstanceArn: str, PermissionSetArn: str, InlinePolicy: str) -> Result:
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    try:
        validate("inline", InlinePolicy, quota=LONGEST_INLINE)
    except MalformedPolicy as bad:
        raise invalid(f"Invalid inline policy: {bad.message}") from None
    _change(ctx, known, inline=InlinePolicy)
    return {}


@operation("sso-admin", "GetInlinePolicyForPermissionSet")
def get_inline_policy(ctx: Context, *, InstanceArn: str, PermissionSetArn: str) -> Result:
    """The inline policy; empty where there is none."""
    return {"InlinePolicy": reach(ctx, InstanceArn, PermissionSetArn)[1]["inline"]}


@operation("sso-admin", "DeleteInlinePolicyFromPermissionSet")
def delete_inline_policy(ctx: Context, *, InstanceArn: str, PermissionSetArn: str) -> Result:
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    if not known["inline"]:
        raise absent("Inline policy of", PermissionSetArn)
    _change(ctx, known, inline="")
    return {}


# -- the permissions boundary -------------------------------------------------------------------------------------


@operation("sso-admin", "PutPermissionsBoundaryToPermissionSet")
def put_boundary(
    ctx: Context, *, InstanceArn: str, PermissionSetArn: str, PermissionsBoundary: Mapping[str, Any]
) -> Result:
    """Set the boundary: a policy of AWS's, or one that each account must have."""
    _, known = reach_to_change(ctx, InstanceArn, PermissionSetArn)
    if len(PermissionsBoundary) != 1:
        raise invalid("A permissions boundary is either a managed policy or a customer managed policy reference.")
    boundary = dict(PermissionsBoundary)
    if "CustomerManagedPolicyReference" in boundary:
        boundary["CustomerManagedPolicyReference"] = _reference(boundary["CustomerManagedPolicyReference"])
    elif managed_policies.find(boundary["ManagedPolicyArn"]) is None:
        raise absent("Policy", boundary["ManagedPolicyArn"])
    _change(ctx, known, boundary=boundary)
    return {}


@operation("sso-admin", "GetPermissionsBoundaryForPermissionSet")
def get_boundary(ctx: Context, *, InstanceArn: str, PermissionSetArn: str) -> Result:
    return {"PermissionsBoundary": _bounded(ctx, InstanceArn, PermissionSetArn)["boundary"]}


@operation("sso-admin", "DeletePermissionsBoundaryFromPermissionSet")
def delete_boundary(ctx: Context, *, InstanceArn: str, PermissionSetArn: str) -> Result:
    reach_to_change(ctx, InstanceArn, PermissionSetArn)
    _change(ctx, _bounded(ctx, InstanceArn, PermissionSetArn), boundary=None)
    return {}


def _bounded(ctx: Context, instance_arn: str, permission_set_arn: str) -> PermissionSet:
    _, known = reach(ctx, instance_arn, permission_set_arn)
    if "boundary" not in known:
        raise absent("Permissions boundary of", permission_set_arn)
    return known
