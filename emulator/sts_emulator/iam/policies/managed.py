"""Customer managed policies with their versions, and AWS's own as far as the catalogue knows them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, Unpack

from sts_emulator.accounts import managed_policies
from sts_emulator.accounts.documents import Policy, changed
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import GROUP, POLICY, ROLE, USER, AnyNoun, born, claim, listing
from sts_emulator.iam.paging import Paging, page, part
from sts_emulator.iam.permits import permit, permit_new, reach, resource_keys
from sts_emulator.iam.policies.policy_documents import check, quoted
from sts_emulator.policy.arns import parse_arn
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

VERSIONS = 5
HOLDERS: Final[tuple[AnyNoun, ...]] = (USER, GROUP, ROLE)

tag_policy, untag_policy, list_policy_tags = tags.operations(POLICY)


@operation("iam", "CreatePolicy")
def create_policy(
    ctx: Context,
    *,
    PolicyName: str,
    PolicyDocument: str,
    Path: str = "/",
    Description: str = "",
    Tags: tags.Pairs | None = None,
) -> Result:
    """Create a managed policy; the result echoes no description (docs/aws/iam.md, "Members of results")."""
    labels = tags.checked(POLICY, Tags)
    arn = POLICY.arn(ctx.identity.account, Path, PolicyName)
    permit_new(ctx, POLICY, arn, labels, named=POLICY.spoken.format(PolicyName))
    check("identity", PolicyDocument)
    claim(ctx, POLICY, PolicyName)
    named = born(ctx, POLICY, Path, PolicyName)
    policy: Any = {
        **named,
        "updated": named["created"],
        "description": Description,
        "tags": labels,
        "default": "v1",
        "versions": {"v1": {"text": PolicyDocument, "created": int(ctx.world.now())}},
    }
    ctx.world.add(POLICY.kind, POLICY.key(policy), policy, uid=policy["arn"])
    return {"Policy": {**shown(ctx.world, ctx.identity.account, policy), **tags.echoed(labels)}}


@operation("iam", "GetPolicy")
def get_policy(ctx: Context, *, PolicyArn: str) -> Result:
    """One policy; always with a list of tags (docs/aws/iam.md, "Members of results")."""
    policy = _reach(ctx, PolicyArn)
    return {"Policy": {**shown_alone(ctx.world, ctx.identity.account, policy), "Tags": tags.shown(policy["tags"])}}


@operation("iam", "ListPolicies")
def list_policies(
    ctx: Context,
    *,
    Scope: str = "All",
    OnlyAttached: bool = False,
    PathPrefix: str = "/",
    PolicyUsageFilter: str | None = None,
    **paging: Unpack[Paging],
) -> Result:
    """The account's and AWS's policies; the usage filter counts only with `OnlyAttached` (recorded 2026-09)."""
    permit(ctx, "ListPolicies", "*", named=f"policy path {PathPrefix}")
    account = ctx.identity.account
    listed: list[Policy] = [*listing(ctx.world, POLICY, account)] if Scope != "AWS" else []
    listed += managed_policies.everything() if Scope != "Local" else []
    if OnlyAttached:
        attached, bounding = usage(ctx.world, account)
        counts = {"PermissionsPolicy": (attached,), "PermissionsBoundary": (bounding,)}
        wanted = counts.get(PolicyUsageFilter or "", (attached, bounding))
        listed = [policy for policy in listed if any(count[policy["arn"]] for count in wanted)]
    listed = [policy for policy in listed if policy["path"].startswith(PathPrefix)]
    return page(ctx, "Policies", listed, paging, lambda policy: shown(ctx.world, account, policy))


@operation("iam", "DeletePolicy")
def delete_policy(ctx: Context, *, PolicyArn: str) -> Result:
    """Delete a policy that nothing uses and that has no version but its default."""
    policy = _reach_own(ctx, PolicyArn, "delete policies")
    attached, bounding = usage(ctx.world, policy["account"])
    if attached[PolicyArn] or bounding[PolicyArn]:
        raise AwsError("DeleteConflict", "Cannot delete a policy attached to entities.")
    if len(policy["versions"]) > 1:
        raise AwsError(
            "DeleteConflict",
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy.",
        )
    ctx.world.take(POLICY.kind, POLICY.key(policy))
    return {}


@operation("iam", "CreatePolicyVersion")
def create_policy_version(ctx: Context, *, PolicyArn: str, PolicyDocument: str, SetAsDefault: bool = False) -> Result:
    """Add a version; numbers are never used twice."""
    policy = _reach_own(ctx, PolicyArn, "update policies")
    check("identity", PolicyDocument)
    if len(policy["versions"]) >= VERSIONS:
        raise AwsError(
            "LimitExceeded",
            f"A managed policy can have up to {VERSIONS} versions. Before you create a new version, you must delete an "
            "existing version.",
        )
    last = policy.get("last", max(int(name[1:]) for name in policy["versions"]))
    name, now = f"v{last + 1}", int(ctx.world.now())
    versions = {**policy["versions"], name: {"text": PolicyDocument, "created": now}}
    default = name if SetAsDefault else policy["default"]
    new = ctx.world.update(
        POLICY.kind, POLICY.key(policy), changed(versions=versions, default=default, last=last + 1, updated=now)
    )
    return {"PolicyVersion": _version(new, name)}


@operation("iam", "GetPolicyVersion")
def get_policy_version(ctx: Context, *, PolicyArn: str, VersionId: str) -> Result:
    """One version with its document."""
    policy = _reach_version(ctx, PolicyArn, VersionId)
    return {"PolicyVersion": version_with_document(policy, VersionId)}


@operation("iam", "ListPolicyVersions")
def list_policy_versions(ctx: Context, *, PolicyArn: str, **paging: Unpack[Paging]) -> Result:
    """The versions, newest first, without their documents."""
    policy = _reach(ctx, PolicyArn)
    return page(ctx, "Versions", newest_first(policy), paging, lambda name: _version(policy, name))


@operation("iam", "SetDefaultPolicyVersion")
def set_default_policy_version(ctx: Context, *, PolicyArn: str, VersionId: str) -> Result:
    """Say which version counts."""
    policy = _reach_own_version(ctx, PolicyArn, VersionId, "update policies")
    now = int(ctx.world.now())
    ctx.world.update(POLICY.kind, POLICY.key(policy), changed(default=VersionId, updated=now))
    return {}


@operation("iam", "DeletePolicyVersion")
def delete_policy_version(ctx: Context, *, PolicyArn: str, VersionId: str) -> Result:
    """Delete a version other than the default."""
    policy = _reach_own_version(ctx, PolicyArn, VersionId, "delete policy versions for policies")
    if VersionId == policy["default"]:
        raise AwsError("DeleteConflict", "Cannot delete the default version of a policy.")
    versions = {name: version for name, version in policy["versions"].items() if name != VersionId}
    last = policy.get("last", max(int(name[1:]) for name in policy["versions"]))
    ctx.world.update(POLICY.kind, POLICY.key(policy), changed(versions=versions, last=last))
    return {}


@operation("iam", "ListEntitiesForPolicy")
def list_entities_for_policy(
    ctx: Context,
    *,
    PolicyArn: str,
    EntityFilter: str | None = None,
    PathPrefix: str = "/",
    PolicyUsageFilter: str | None = None,
    **paging: Unpack[Paging],
) -> Result:
    """Who has a policy attached, or as a boundary."""
    try:
        _reach(ctx, PolicyArn)
    except AwsError as error:
        if error.code == "NoSuchEntity":  # of all that read a policy, this one has words of its own (recorded 2026-09)
            error = AwsError(error.code, f"Policy {PolicyArn} does not exist or is not attachable.", status=404)
        raise error from None
    account = ctx.identity.account
    holders = [
        (noun, holder)
        for noun in HOLDERS
        if EntityFilter in (None, noun.wire)
        for holder in listing(ctx.world, noun, account, PathPrefix)
        if _uses(holder, PolicyArn, PolicyUsageFilter)
    ]
    shown, rest = part(ctx, "Entities", holders, paging)
    listed = {
        f"Policy{noun.wire}s": [
            {noun.member: holder["name"], f"{noun.wire}Id": holder["id"]} for kind, holder in shown if kind is noun
        ]
        for noun in HOLDERS
    }
    return {**listed, **rest}


def shown(world: World, account: str, policy: Policy) -> Result:
    """A policy as every result shows it; the counts are those of the asking account."""
    attached, bounding = usage(world, account)
    return {
        **POLICY.shown(policy),
        "DefaultVersionId": policy["default"],
        "AttachmentCount": attached[policy["arn"]],
        "PermissionsBoundaryUsageCount": bounding[policy["arn"]],
        "IsAttachable": True,
        "UpdateDate": policy["updated"],
    }


def shown_alone(world: World, account: str, policy: Policy) -> Result:
    """The same with its description, which lists and creations leave out."""
    told = {"Description": policy["description"]} if policy["description"] else {}
    return {**shown(world, account, policy), **told}


def usage(world: World, account: str) -> tuple[Counter[str], Counter[str]]:
    """How often each policy is attached, and how often it bounds, in an account."""
    return world.memo(("policy-usage", account), lambda: _count(world, account))


def newest_first(policy: Policy) -> list[str]:
    """The names of a policy's versions."""
    return sorted(policy["versions"], key=lambda name: int(name[1:]), reverse=True)


def version_with_document(policy: Policy, name: str) -> Result:
    """A version with its document, percent-encoded."""
    return {"Document": quoted(policy["versions"][name]["text"]), **_version(policy, name)}


def _version(policy: Policy, name: str) -> Result:
    return {
        "VersionId": name,
        "IsDefaultVersion": name == policy["default"],
        "CreateDate": policy["versions"][name]["created"],
    }


def _reach(ctx: Context, arn: str) -> Policy:
    """A policy that may also be AWS's own."""
    if parse_arn(arn) is None:
        raise AwsError("ValidationError", "Invalid ARN:  Could not be parsed!")
    known = managed_policies.find(arn)
    if known is None:
        return reach(ctx, POLICY, arn)
    permit(ctx, ctx.operation, arn, named=POLICY.spoken.format(arn))
    return known


def _reach_own(ctx: Context, arn: str, deed: str) -> Policy:
    """A policy that the caller's account may change; `deed` is what AWS says that it cannot do to others."""
    _refuse_foreign(ctx, arn, deed)
    return reach(ctx, POLICY, arn)


def _reach_own_version(ctx: Context, arn: str, version: str, deed: str) -> Policy:
    _refuse_foreign(ctx, arn, deed)
    return _reach_version(ctx, arn, version)


def _refuse_foreign(ctx: Context, arn: str, deed: str) -> None:
    """Refuse to change what is AWS's or another account's, to those who may change policies at all (recorded 2026-09).

    Raises:
        AwsError: AccessDenied.
    """
    parts = parse_arn(arn)
    if parts is not None and parts.account != ctx.identity.account:
        permit(ctx, ctx.operation, arn, named=POLICY.spoken.format(arn))
        raise AwsError("AccessDenied", f"Cannot {deed} outside your own account.", status=403)


def _reach_version(ctx: Context, arn: str, version: str) -> Policy:
    known = managed_policies.find(arn) or POLICY.find(ctx.world, ctx.identity.account, arn)
    permit(ctx, ctx.operation, arn, resource_keys(POLICY, known or {}), POLICY.spoken.format(arn))
    if known is None or version not in known["versions"]:
        raise AwsError("NoSuchEntity", f"Policy {arn} version {version} does not exist or is not attachable.")
    return known


def _count(world: World, account: str) -> tuple[Counter[str], Counter[str]]:
    attached: Counter[str] = Counter()
    bounding: Counter[str] = Counter()
    for noun in HOLDERS:
        for holder in listing(world, noun, account):
            attached.update(holder["attached"])
            bounding.update([holder["boundary"]] if holder.get("boundary") else [])
    return attached, bounding


def _uses(holder: Any, arn: str, usage_filter: str | None) -> bool:
    if usage_filter != "PermissionsBoundary" and arn in holder["attached"]:
        return True
    return usage_filter != "PermissionsPolicy" and holder.get("boundary") == arn
