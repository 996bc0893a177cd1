"""The organization as its management account sees it: the root, units, accounts, and who stands below whom.

It is there because decisions depend on it; accounts come into it by a scenario. Texts of refusals are not recorded.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, Unpack

from sts_emulator.accounts import documents, organizations
from sts_emulator.core.errors import AwsError
from sts_emulator.organizations import membership as tree
from sts_emulator.organizations.membership import Org, Paging, change, children, kind_of, manage, page
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

ACCOUNT, UNIT = "ACCOUNT", "ORGANIZATIONAL_UNIT"
DEEPEST = 5  # units below one another (quota)


@operation("organizations", "DescribeOrganization")
def describe_organization(ctx: Context) -> Result:
    """What every member may know of its organization."""
    org = tree.member(ctx, "DescribeOrganization")
    arn = f"arn:aws:organizations::{org['management']}"
    return {
        "Organization": {
            "Id": org["id"],
            "Arn": f"{arn}:organization/{org['id']}",
            "FeatureSet": "ALL",
            "MasterAccountArn": organizations.place_arn(org, org["management"]),
            "MasterAccountId": org["management"],
            "MasterAccountEmail": _email(org["management"]),
            "AvailablePolicyTypes": [{"Type": organizations.SERVICE_CONTROL, "Status": "ENABLED"}],
        }
    }


@operation("organizations", "ListRoots")
def list_roots(ctx: Context, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListRoots")
    return page(ctx, "Roots", [org], paging, root)


def root(org: Org, *, pending: tuple[tuple[str, str], ...] = ()) -> Result:
    """The root as results show it; `pending` are types of policies and states in place of theirs."""
    states = {**dict.fromkeys(organizations.enabled(org), "ENABLED"), **dict(pending)}
    return {
        "Id": org["root"],
        "Arn": organizations.place_arn(org, org["root"]),
        "Name": "Root",
        "PolicyTypes": [{"Type": kind, "Status": state} for kind, state in sorted(states.items())],
    }


# -- accounts -----------------------------------------------------------------------------------------------------


@operation("organizations", "ListAccounts")
def list_accounts(ctx: Context, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListAccounts")
    accounts = sorted(place for place in org["parents"] if kind_of(org, place) == ACCOUNT)
    return page(ctx, "Accounts", accounts, paging, lambda account: shown_account(ctx, org, account))


@operation("organizations", "ListAccountsForParent")
def list_accounts_for_parent(ctx: Context, *, ParentId: str, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListAccountsForParent", ParentId)
    accounts = children(org, ParentId, ACCOUNT)
    return page(ctx, "Accounts", accounts, paging, lambda account: shown_account(ctx, org, account))


@operation("organizations", "DescribeAccount")
def describe_account(ctx: Context, *, AccountId: str) -> Result:
    org = manage(ctx, "DescribeAccount", AccountId)
    return {"Account": shown_account(ctx, org, known_account(org, AccountId))}


@operation("organizations", "MoveAccount")
def move_account(ctx: Context, *, AccountId: str, SourceParentId: str, DestinationParentId: str) -> Result:
    """Put an account below another place; the policies there are its own from now on."""
    org = manage(ctx, "MoveAccount", AccountId, SourceParentId, DestinationParentId)
    known_account(org, AccountId)
    if org["parents"][AccountId] != SourceParentId:
        message = "We can't find a root or OU with the SourceParentId that you specified."
        raise AwsError("SourceParentNotFoundException", message)
    if kind_of(org, DestinationParentId) not in ("ROOT", UNIT):
        message = "We can't find the root or OU with the DestinationParentId that you specified."
        raise AwsError("DestinationParentNotFoundException", message)
    if SourceParentId == DestinationParentId:
        raise AwsError("DuplicateAccountException", "That account is already present in the specified destination.")
    change(ctx, lambda body: {**body, "parents": {**body["parents"], AccountId: DestinationParentId}})
    return {}


def known_account(org: Org, account: str) -> str:
    if kind_of(org, account) != ACCOUNT:
        raise AwsError("AccountNotFoundException", "We can't find an Amazon Web Services account with that AccountId.")
    return account


def shown_account(ctx: Context, org: Org, account: str) -> Result:
    stored = ctx.world.get(documents.ACCOUNT, account)
    known: Mapping[str, Any] = stored or {}
    shown = {
        "Id": account,
        "Arn": organizations.place_arn(org, account),
        "Email": _email(account),
        "Name": known.get("name") or account,
        "Status": "ACTIVE",
        "State": "ACTIVE",
        "Paths": [organizations.path(org, account)],
        "JoinedMethod": "INVITED" if account == org["management"] else "CREATED",
    }
    if "created" in known:
        shown["JoinedTimestamp"] = known["created"]
    return shown


def _email(account: str) -> str:
    """Every account has an address on AWS; here it belongs to nobody."""
    return f"{account}@example.com"


# -- units --------------------------------------------------------------------------------------------------------


@operation("organizations", "ListOrganizationalUnitsForParent")
def list_organizational_units_for_parent(ctx: Context, *, ParentId: str, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListOrganizationalUnitsForParent", ParentId)
    units = children(org, ParentId, UNIT)
    return page(ctx, "OrganizationalUnits", units, paging, lambda unit: _unit(org, unit))


@operation("organizations", "DescribeOrganizationalUnit")
def describe_organizational_unit(ctx: Context, *, OrganizationalUnitId: str) -> Result:
    org = manage(ctx, "DescribeOrganizationalUnit", OrganizationalUnitId)
    return {"OrganizationalUnit": _unit(org, _known_unit(org, OrganizationalUnitId))}


@operation("organizations", "CreateOrganizationalUnit")
def create_organizational_unit(
    ctx: Context, *, ParentId: str, Name: str, Tags: Iterable[Mapping[str, str]] | None = None
) -> Result:
    """A unit below a place; FullAWSAccess is attached to it, as to everything, where SCPs are enabled."""
    org = manage(ctx, "CreateOrganizationalUnit", ParentId)
    _refuse_namesake(org, children(org, ParentId, UNIT), Name)
    if organizations.path(org, ParentId).count("/ou-") >= DEEPEST:
        raise tree.constraint("OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the depth of the tree of units.")
    unit = f"ou-{org['root'][2:]}-{os.urandom(4).hex()}"
    tags = {pair["Key"]: pair["Value"] for pair in Tags or ()}
    made = change(
        ctx,
        lambda body: {
            **body,
            "parents": {**body["parents"], unit: ParentId},
            "names": {**body.get("names", {}), unit: Name},
            "tags": {**body.get("tags", {}), **({unit: tags} if tags else {})},
            "policies": tree.with_full_access(body, [unit]),
        },
    )
    return {"OrganizationalUnit": _unit(made, unit)}


@operation("organizations", "UpdateOrganizationalUnit")
def update_organizational_unit(ctx: Context, *, OrganizationalUnitId: str, Name: str | None = None) -> Result:
    """Give a unit another name; its id stays."""
    org = manage(ctx, "UpdateOrganizationalUnit", OrganizationalUnitId)
    unit = _known_unit(org, OrganizationalUnitId)
    if Name is not None:
        siblings = [sibling for sibling in children(org, org["parents"][unit], UNIT) if sibling != unit]
        _refuse_namesake(org, siblings, Name)
        org = change(ctx, lambda body: {**body, "names": {**body.get("names", {}), unit: Name}})
    return {"OrganizationalUnit": _unit(org, unit)}


@operation("organizations", "DeleteOrganizationalUnit")
def delete_organizational_unit(ctx: Context, *, OrganizationalUnitId: str) -> Result:
    """Remove an empty unit."""
    org = manage(ctx, "DeleteOrganizationalUnit", OrganizationalUnitId)
    unit = _known_unit(org, OrganizationalUnitId)
    if unit in org["parents"].values():
        raise AwsError("OrganizationalUnitNotEmptyException", "The specified OU is not empty.")
    change(ctx, lambda body: _without(body, unit))
    return {}


def _without(body: Org, unit: str) -> Org:
    return {
        **body,
        "parents": tree.without(body["parents"], unit),
        "names": tree.without(body.get("names", {}), unit),
        "tags": tree.without(body.get("tags", {}), unit),
        "policies": tree.detached(body, unit),
    }


def _refuse_namesake(org: Org, siblings: Iterable[str], name: str) -> None:
    if name in {_unit_name(org, sibling) for sibling in siblings}:
        raise AwsError("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")


def _known_unit(org: Org, unit: str) -> str:
    if kind_of(org, unit) != UNIT:
        raise AwsError("OrganizationalUnitNotFoundException", "We can't find an OU with that OrganizationalUnitId.")
    return unit


def _unit_name(org: Org, unit: str) -> str:
    return str(org.get("names", {}).get(unit, unit))


def _unit(org: Org, unit: str) -> Result:
    name = _unit_name(org, unit)
    return {"Id": unit, "Arn": organizations.place_arn(org, unit), "Name": name, "Path": organizations.path(org, unit)}


# -- up and down --------------------------------------------------------------------------------------------------


@operation("organizations", "ListChildren")
def list_children(ctx: Context, *, ParentId: str, ChildType: str, **paging: Unpack[Paging]) -> Result:
    org = manage(ctx, "ListChildren", ParentId)
    places = children(org, ParentId, ChildType)
    return page(ctx, "Children", places, paging, lambda child: {"Id": child, "Type": ChildType})


@operation("organizations", "ListParents")
def list_parents(ctx: Context, *, ChildId: str, **paging: Unpack[Paging]) -> Result:
    """The one place right above a unit or an account."""
    org = manage(ctx, "ListParents", ChildId)
    if kind_of(org, ChildId) not in (UNIT, ACCOUNT):
        raise AwsError("ChildNotFoundException", "We can't find an OU or account with that ChildId.")
    parent = org["parents"][ChildId]
    return page(ctx, "Parents", [parent], paging, lambda place: {"Id": place, "Type": kind_of(org, place)})


# -- tags ---------------------------------------------------------------------------------------------------------


@operation("organizations", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, ResourceId: str, NextToken: str | None = None) -> Result:
    org = manage(ctx, "ListTagsForResource", ResourceId)
    tags = org.get("tags", {}).get(_taggable(org, ResourceId), {})
    return page(ctx, "Tags", sorted(tags), {"NextToken": NextToken}, lambda key: {"Key": key, "Value": tags[key]})


@operation("organizations", "TagResource")
def tag_resource(ctx: Context, *, ResourceId: str, Tags: Iterable[Mapping[str, str]]) -> Result:
    org = manage(ctx, "TagResource", ResourceId)
    _set_tags(ctx, _taggable(org, ResourceId), {pair["Key"]: pair["Value"] for pair in Tags}, set())
    return {}


@operation("organizations", "UntagResource")
def untag_resource(ctx: Context, *, ResourceId: str, TagKeys: Iterable[str]) -> Result:
    org = manage(ctx, "UntagResource", ResourceId)
    _set_tags(ctx, _taggable(org, ResourceId), {}, set(TagKeys))
    return {}


def _taggable(org: Org, identifier: str) -> str:
    if not kind_of(org, identifier) and identifier not in org["policies"]:
        raise AwsError("TargetNotFoundException", "We can't find what has that ResourceId.")
    return identifier


def _set_tags(ctx: Context, identifier: str, added: Mapping[str, str], removed: set[str]) -> None:
    def changed(body: dict[str, Any]) -> Result:
        tags = body.get("tags", {})
        kept = {key: value for key, value in tags.get(identifier, {}).items() if key not in removed}
        return {**body, "tags": {**tags, identifier: {**kept, **added}}}

    change(ctx, changed)
