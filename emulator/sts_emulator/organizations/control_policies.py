"""Service and resource control policies: written, attached and detached by the management account.

Other types of policy say nothing about who may do what, and are not here. Texts are the model's, where it has any.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from sts_emulator.accounts import documents, organizations
from sts_emulator.core.errors import AwsError
from sts_emulator.organizations import membership as tree
from sts_emulator.organizations.membership import Org, Paging, change, constraint, invalid, kind_of, manage, page
from sts_emulator.organizations.structure import root
from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.saving.validate import Kind, validate
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

KINDS: Mapping[str, Kind] = {organizations.SERVICE_CONTROL: "scp", organizations.RESOURCE_CONTROL: "rcp"}
MOST_ATTACHED = 5  # of a type, to one place (quota)

Policy = Mapping[str, Any]


# -- reading ------------------------------------------------------------------------------------------------------


@operation("organizations", "ListPolicies")
def list_policies(ctx: Context, *, Filter: str, **paging: Unpack[Paging]) -> Result:
    """All policies of a type, AWS's own included."""
    org = manage(ctx, "ListPolicies", keys=_type(Filter))
    identifiers = sorted(identifier for identifier, policy in _all(org).items() if policy["type"] == Filter)
    return page(ctx, "Policies", identifiers, paging, lambda identifier: _summary(org, identifier))


@operation("organizations", "ListPoliciesForTarget")
def list_policies_for_target(ctx: Context, *, TargetId: str, Filter: str, **paging: Unpack[Paging]) -> Result:
    """The policies of a type that are attached to a place itself."""
    org = manage(ctx, "ListPoliciesForTarget", TargetId, keys=_type(Filter))
    identifiers = _attached(org, _target(org, TargetId), Filter)
    return page(ctx, "Policies", identifiers, paging, lambda identifier: _summary(org, identifier))


@operation("organizations", "ListTargetsForPolicy")
def list_targets_for_policy(ctx: Context, *, PolicyId: str, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListTargetsForPolicy", PolicyId)
    targets = sorted(_all(org)[_known(org, PolicyId)]["targets"])
    return page(ctx, "Targets", targets, paging, lambda place: _place(ctx, org, place))


@operation("organizations", "DescribePolicy")
def describe_policy(ctx: Context, *, PolicyId: str) -> Result:
    org = manage(ctx, "DescribePolicy", PolicyId)
    return {"Policy": _shown(org, _known(org, PolicyId))}


# -- writing ------------------------------------------------------------------------------------------------------


@operation("organizations", "CreatePolicy")
def create_policy(
    ctx: Context,
    *,
    Content: str,
    Description: str,
    Name: str,
    Type: str,
    Tags: Iterable[Mapping[str, str]] | None = None,
) -> Result:
    """A policy, attached to nothing yet."""
    org = manage(ctx, "CreatePolicy", keys=_type(Type))
    _check(Type, Content)
    _refuse_namesake(org, Name, Type)
    identifier = f"p-{os.urandom(4).hex()}"
    body = {"name": Name, "type": Type, "text": Content, "targets": [], "description": Description}
    made = _store(ctx, identifier, body, {pair["Key"]: pair["Value"] for pair in Tags or ()})
    return {"Policy": _shown(made, identifier)}


@operation("organizations", "UpdatePolicy")
def update_policy(
    ctx: Context, *, PolicyId: str, Name: str | None = None, Description: str | None = None, Content: str | None = None
) -> Result:
    """Change a policy; it holds at once wherever it is attached."""
    org = manage(ctx, "UpdatePolicy", PolicyId)
    policy = _own(org, PolicyId)
    if Content is not None:
        _check(policy["type"], Content)
    if Name is not None and Name != policy["name"]:
        _refuse_namesake(org, Name, policy["type"])
    changes = {"name": Name, "description": Description, "text": Content}
    body = {**policy, **{member: value for member, value in changes.items() if value is not None}}
    return {"Policy": _shown(_store(ctx, PolicyId, body), PolicyId)}


@operation("organizations", "DeletePolicy")
def delete_policy(ctx: Context, *, PolicyId: str) -> Result:
    """Remove a policy that is attached to nothing."""
    org = manage(ctx, "DeletePolicy", PolicyId)
    if _own(org, PolicyId)["targets"]:
        message = "The policy is attached to one or more entities. You must detach it before performing this operation."
        raise AwsError("PolicyInUseException", message)
    change(ctx, lambda body: {**body, **{m: tree.without(body.get(m, {}), PolicyId) for m in ("policies", "tags")}})
    return {}


@operation("organizations", "AttachPolicy")
def attach_policy(ctx: Context, *, PolicyId: str, TargetId: str) -> Result:
    """Let a policy hold for a place and everything below it."""
    org = manage(ctx, "AttachPolicy", PolicyId, TargetId)
    policy, place = _all(org)[_known(org, PolicyId)], _target(org, TargetId)
    _check_enabled(org, policy["type"])
    attached = _attached(org, place, policy["type"])
    if PolicyId in attached:
        message = "The selected policy is already attached to the specified target."
        raise AwsError("DuplicatePolicyAttachmentException", message)
    if len(attached) >= MOST_ATTACHED:
        message = "You have attached the maximum number of policies to the specified target."
        raise constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message)
    _store(ctx, PolicyId, {**policy, "targets": [*policy["targets"], place]})
    return {}


@operation("organizations", "DetachPolicy")
def detach_policy(ctx: Context, *, PolicyId: str, TargetId: str) -> Result:
    """Let a policy hold no longer for a place; one SCP must stay."""
    org = manage(ctx, "DetachPolicy", PolicyId, TargetId)
    policy, place = _all(org)[_known(org, PolicyId)], _target(org, TargetId)
    if PolicyId == organizations.RCP_FULL_ACCESS_ID:
        raise invalid("NON_DETACHABLE_POLICY", "You can't detach the RCPFullAWSAccess policy.")
    if place not in policy["targets"]:
        message = "The policy isn't attached to the specified target in the specified root."
        raise AwsError("PolicyNotAttachedException", message)
    if policy["type"] == organizations.SERVICE_CONTROL and len(_attached(org, place, policy["type"])) == 1:
        message = (
            "You cannot remove the last policy attached to the specified target. You must have at least one attached."
        )
        raise constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", message)
    _store(ctx, PolicyId, {**policy, "targets": [target for target in policy["targets"] if target != place]})
    return {}


@operation("organizations", "EnablePolicyType")
def enable_policy_type(ctx: Context, *, RootId: str, PolicyType: str) -> Result:
    """Let policies of a type be attached; with SCPs, FullAWSAccess is attached to everything.

    It is done at once; only the answer calls it pending, as AWS's does (recorded 2026-09).
    """
    org = manage(ctx, "EnablePolicyType", RootId, keys=_type(PolicyType))
    _check_root(org, RootId)
    known = organizations.enabled(org)
    if PolicyType in known:
        message = "The specified policy type is already enabled in the specified root."
        raise AwsError("PolicyTypeAlreadyEnabledException", message)
    _check_kind(PolicyType)

    def enabled(body: Org) -> Org:
        now: Org = {**body, "enabled": [*known, PolicyType]}
        if PolicyType != organizations.SERVICE_CONTROL:
            return now
        return {**now, "policies": tree.with_full_access(now, [body["root"], *body["parents"]])}

    return {"Root": root(change(ctx, enabled), pending=((PolicyType, "PENDING_ENABLE"),))}


@operation("organizations", "DisablePolicyType")
def disable_policy_type(ctx: Context, *, RootId: str, PolicyType: str) -> Result:
    """Let policies of a type hold no longer anywhere; they stay, attached to nothing."""
    org = manage(ctx, "DisablePolicyType", RootId, keys=_type(PolicyType))
    _check_root(org, RootId)
    _check_enabled(org, PolicyType)
    kept = [kind for kind in organizations.enabled(org) if kind != PolicyType]
    loose = {
        identifier: {**policy, "targets": []} if policy["type"] == PolicyType else policy
        for identifier, policy in org["policies"].items()
    }
    disabled = change(ctx, lambda body: {**body, "enabled": kept, "policies": loose})
    return {"Root": root(disabled, pending=((PolicyType, "PENDING_DISABLE"),))}


# -- rules --------------------------------------------------------------------------------------------------------


def _all(org: Org) -> dict[str, Policy]:
    """The policies by id, with AWS's own, of which that of RCPs is attached everywhere once they are enabled."""
    known: dict[str, Policy] = {**organizations.aws_policies(), **org["policies"]}
    if organizations.RESOURCE_CONTROL in organizations.enabled(org):
        everywhere = [org["root"], *org["parents"]]
        known[organizations.RCP_FULL_ACCESS_ID] = {**known[organizations.RCP_FULL_ACCESS_ID], "targets": everywhere}
    return known


def _attached(org: Org, place: str, kind: str) -> list[str]:
    policies = _all(org).items()
    return sorted(
        identifier for identifier, policy in policies if policy["type"] == kind and place in policy["targets"]
    )


def _known(org: Org, identifier: str) -> str:
    if identifier not in _all(org):
        raise AwsError("PolicyNotFoundException", "We can't find a policy with the PolicyId that you specified.")
    return identifier


def _own(org: Org, identifier: str) -> Policy:
    """A policy that may be changed."""
    if _known(org, identifier) in organizations.aws_policies():
        raise invalid("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
    return org["policies"][identifier]


def _target(org: Org, place: str) -> str:
    if not kind_of(org, place):
        message = "We can't find a root, OU, account, or policy with the TargetId that you specified."
        raise AwsError("TargetNotFoundException", message)
    return place


def _check_root(org: Org, identifier: str) -> None:
    if identifier != org["root"]:
        raise AwsError("RootNotFoundException", "We can't find a root with the RootId that you specified.")


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        message = f"sts-emulator does not have policies of type {kind}."
        raise AwsError("PolicyTypeNotAvailableForOrganizationException", message)


def _check_enabled(org: Org, kind: str) -> None:
    if kind not in organizations.enabled(org):
        message = "The specified policy type isn't currently enabled in this root."
        raise AwsError("PolicyTypeNotEnabledException", message)


def _check(kind: str, text: str) -> None:
    _check_kind(kind)
    try:
        validate(KINDS[kind], text)
    except MalformedPolicy as bad:
        if bad.code == "ConstraintViolationException":
            raise constraint("POLICY_CONTENT_LIMIT_EXCEEDED", bad.message) from None
        raise AwsError(bad.code, bad.message, status=bad.status) from None


def _refuse_namesake(org: Org, name: str, kind: str) -> None:
    if any(policy["name"] == name and policy["type"] == kind for policy in _all(org).values()):
        raise AwsError("DuplicatePolicyException", "A policy with the same name already exists.")


def _store(ctx: Context, identifier: str, policy: Policy, tags: Mapping[str, str] | None = None) -> Org:
    def stored(body: dict[str, Any]) -> Result:
        known = body.get("tags", {})
        return {
            **body,
            "policies": {**body["policies"], identifier: dict(policy)},
            "tags": {**known, identifier: dict(tags)} if tags else known,
        }

    return change(ctx, stored)


def _type(kind: str) -> dict[str, tuple[str, ...]]:
    return {"organizations:policytype": (kind,)}


# -- what results show --------------------------------------------------------------------------------------------


def _summary(org: Org, identifier: str) -> Result:
    policy = _all(org)[identifier]
    return {
        "Id": identifier,
        "Arn": organizations.policy_arn(org, identifier, policy["type"]),
        "Name": policy["name"],
        "Description": policy.get("description", ""),
        "Type": policy["type"],
        "AwsManaged": identifier in organizations.aws_policies(),
    }


def _shown(org: Org, identifier: str) -> Result:
    return {"PolicySummary": _summary(org, identifier), "Content": _all(org)[identifier]["text"]}


def _place(ctx: Context, org: Org, place: str) -> Result:
    kind = kind_of(org, place)
    account = ctx.world.get(documents.ACCOUNT, place)
    name = {"ROOT": "Root", "ACCOUNT": account["name"] if account and account["name"] else place}.get(
        kind, org.get("names", {}).get(place, place)
    )
    return {"TargetId": place, "Arn": organizations.place_arn(org, place), "Name": name, "Type": kind}
