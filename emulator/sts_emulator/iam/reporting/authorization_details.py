"""Everything that decides about authorization in an account, in one paged answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

from sts_emulator.accounts import managed_policies
from sts_emulator.accounts.documents import Policy, Role, User
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.iam import tags
from sts_emulator.iam.nouns import GROUP, POLICY, ROLE, USER, AnyNoun, listing
from sts_emulator.iam.paging import Paging, part
from sts_emulator.iam.permits import permit
from sts_emulator.iam.policies import managed as policies
from sts_emulator.iam.policies.policy_documents import quoted
from sts_emulator.iam.policies.policy_holders import attached_policy, shown_boundary
from sts_emulator.iam.principals import instance_profiles, roles
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

LISTS = {
    "LocalManagedPolicy": "Policies",
    "AWSManagedPolicy": "Policies",
    "User": "UserDetailList",
    "Role": "RoleDetailList",
    "Group": "GroupDetailList",
}


@operation("iam", "GetAccountAuthorizationDetails")
def get_account_authorization_details(
    ctx: Context, *, Filter: list[str] | None = None, **paging: Unpack[Paging]
) -> Result:
    """Policies, users, roles and groups in full; of AWS's own policies those that are in use."""
    permit(ctx, "GetAccountAuthorizationDetails", "*")
    kinds = [kind for kind in LISTS if not Filter or kind in Filter]
    things = [(kind, thing) for kind in kinds for thing in _things(ctx.world, ctx.identity.account, kind)]
    try:
        shown, rest = part(ctx, "+".join(kinds), things, paging)
    except AwsError:
        raise AwsError("ValidationError", "Marker and Filter do not match") from None
    lists: dict[str, list[Result]] = {name: [] for name in LISTS.values()}
    for kind, thing in shown:
        lists[LISTS[kind]].append(_detail(ctx.world, ctx.identity.account, kind, thing))
    return {**lists, **rest}


def _things(world: World, account: str, kind: str) -> list[Stored]:
    if kind == "AWSManagedPolicy":
        attached, bounding = policies.usage(world, account)
        used = map(managed_policies.find, sorted({*attached, *bounding}))
        return [policy for policy in used if policy is not None]
    nouns: Mapping[str, AnyNoun] = {"LocalManagedPolicy": POLICY, "User": USER, "Role": ROLE, "Group": GROUP}
    return listing(world, nouns[kind], account)


def _detail(world: World, account: str, kind: str, thing: Any) -> Result:
    if LISTS[kind] == "Policies":
        return _policy(world, account, thing)
    if kind == "User":
        return _user(thing)
    if kind == "Role":
        return _role(world, thing)
    return {
        **GROUP.shown(thing),
        "GroupPolicyList": _inline(thing),
        "AttachedManagedPolicies": [attached_policy(arn) for arn in thing["attached"]],
    }


def _policy(world: World, account: str, policy: Policy) -> Result:
    versions = [policies.version_with_document(policy, name) for name in policies.newest_first(policy)]
    return {**policies.shown_alone(world, account, policy), "PolicyVersionList": versions}


def _user(user: User) -> Result:
    result = {
        **USER.shown(user),
        "GroupList": sorted(user["groups"]),
        "AttachedManagedPolicies": [attached_policy(arn) for arn in user["attached"]],
        **shown_boundary(user),
        "Tags": tags.shown(user["tags"]),
    }
    return {**result, "UserPolicyList": _inline(user)} if user["inline"] else result


def _role(world: World, role: Role) -> Result:
    profiles = roles.profiles_of(world, role)
    return {
        **roles.shown(world, role),
        "InstanceProfileList": [instance_profiles.shown(world, profile) for profile in profiles],
        "RolePolicyList": _inline(role),
        "AttachedManagedPolicies": [attached_policy(arn) for arn in role["attached"]],
        **shown_boundary(role),
        "Tags": tags.shown(role["tags"]),
        "RoleLastUsed": roles.last_used(world, role),
    }


def _inline(holder: Stored) -> list[dict[str, str]]:
    return [{"PolicyName": name, "PolicyDocument": quoted(text)} for name, text in sorted(holder["inline"].items())]
