"""Who has which permission set in which account, and bringing changed permission sets into accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from sts_emulator.accounts import directory, documents, organizations
from sts_emulator.accounts.directory import Assignment, Instance, PermissionSet
from sts_emulator.control_plane.reach import required
from sts_emulator.identity import provisioning, stores
from sts_emulator.identity.permission import absent, invalid, manage, owner_only, page, present, reach
from sts_emulator.identity.provisioning import CREATION, DELETION, NOT_ASSIGNED, PROVISION, CannotProvision
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, operation

_MEMBERS = {
    CREATION: "AccountAssignmentCreationStatus",
    DELETION: "AccountAssignmentDeletionStatus",
    PROVISION: "PermissionSetProvisioningStatus",
}
Filter = Mapping[str, str]


class Named(TypedDict):
    """The assignment that a call names. Of TargetType there is one."""

    TargetId: str
    TargetType: str
    PermissionSetArn: str
    PrincipalType: str
    PrincipalId: str


# -- assignments --------------------------------------------------------------------------------------------------


@operation("sso-admin", "CreateAccountAssignment")
def create_account_assignment(ctx: Context, *, InstanceArn: str, **named: Unpack[Named]) -> Result:
    """Give a permission set to a user or group in an account, where it is provisioned with that.

    Once more is no error. What cannot be ends FAILED with its reason.
    """
    wanted = _assignment(named)
    instance, permission_set = _reach(ctx, InstanceArn, wanted)
    reason = _assign(ctx, instance, permission_set, wanted)
    return {_MEMBERS[CREATION]: provisioning.request(ctx, instance, CREATION, _wire(wanted), reason)}


@operation("sso-admin", "DeleteAccountAssignment")
def delete_account_assignment(ctx: Context, *, InstanceArn: str, **named: Unpack[Named]) -> Result:
    """Take a permission set away; with the last assignment in an account its role goes."""
    wanted = _assignment(named)
    instance, _ = _reach(ctx, InstanceArn, wanted)
    if ctx.world.get(directory.ASSIGNMENT, provisioning.assignment_key(wanted)) is None:
        raise absent("Assignment", f"{wanted['principal_type']} {wanted['principal']} in {wanted['account']}")
    provisioning.unassign(ctx.world, wanted)
    return {_MEMBERS[DELETION]: provisioning.request(ctx, instance, DELETION, _wire(wanted), "")}


def _assignment(named: Named) -> Assignment:
    return {
        "account": named["TargetId"],
        "permission_set": named["PermissionSetArn"],
        "principal_type": named["PrincipalType"],
        "principal": named["PrincipalId"],
    }


def _assign(ctx: Context, instance: Instance, permission_set: PermissionSet, wanted: Assignment) -> str:
    """Store an assignment and provision its permission set; the reason why not, or nothing."""
    kind, account = wanted["principal_type"], wanted["account"]
    if stores.principal(ctx.world, instance, kind, wanted["principal"]) is None:
        return f"Received a 404 status error: {kind} not found."
    if not _is_account(ctx, account):
        return f"Received a 404 status error: Account {account} not found."
    try:
        provisioning.provision(ctx, instance, permission_set, account)
    except CannotProvision as error:
        return str(error)
    ctx.world.put(directory.ASSIGNMENT, provisioning.assignment_key(wanted), wanted)
    return ""


def _reach(ctx: Context, instance_arn: str, wanted: Assignment) -> tuple[Instance, PermissionSet]:
    place = f"arn:aws:sso:::account/{wanted['account']}"
    manage(ctx, instance_arn, place)
    instance, permission_set = reach(ctx, instance_arn, wanted["permission_set"])
    if wanted["account"] == instance["account"]:
        owner_only(ctx, instance, place)
    return instance, permission_set


def _is_account(ctx: Context, account: str) -> bool:
    """Whether the organization has the account; while a scenario is applied it stands aside, and any will do."""
    org = organizations.organization(ctx.world)
    return account in org["parents"] if org else ctx.world.get(documents.ACCOUNT, account) is not None


def _wire(assignment: Assignment) -> Result:
    return {
        "TargetId": assignment["account"],
        "TargetType": "AWS_ACCOUNT",
        "PermissionSetArn": assignment["permission_set"],
        "PrincipalType": assignment["principal_type"],
        "PrincipalId": assignment["principal"],
    }


# -- how requests ended -------------------------------------------------------------------------------------------


def _declare_statuses(what: str, listed: str) -> None:
    """Register how requests of a kind ended: one, named by a parameter that each kind calls otherwise, and all."""
    member = _MEMBERS[what]

    @operation("sso-admin", f"Describe{member}")
    def describe(ctx: Context, *, InstanceArn: str, **named: str) -> Result:
        instance, (identifier,) = manage(ctx, InstanceArn), named.values()
        made = ctx.world.get(provisioning.REQUEST, f"{instance['id']}/{what}/{identifier}")
        return {member: provisioning.status(required(made, absent("Request", identifier)))}

    @operation("sso-admin", f"List{member}")
    def list_(
        ctx: Context,
        *,
        InstanceArn: str,
        MaxResults: int | None = None,
        NextToken: str = "",
        Filter: Filter | None = None,
    ) -> Result:
        wanted = (Filter or {}).get("Status")
        made = ctx.world.page(provisioning.REQUEST, f"{manage(ctx, InstanceArn)['id']}/{what}/")
        kept = [request for request in made if wanted in (None, request["status"])]
        newest = sorted(kept, key=lambda request: (-request["created"], request["id"]))
        return page(ctx, listed, newest, NextToken, MaxResults, provisioning.brief)


_declare_statuses(CREATION, "AccountAssignmentsCreationStatus")
_declare_statuses(DELETION, "AccountAssignmentsDeletionStatus")
_declare_statuses(PROVISION, "PermissionSetsProvisioningStatus")


# -- lists --------------------------------------------------------------------------------------------------------


@operation("sso-admin", "ListAccountAssignments")
def list_account_assignments(
    ctx: Context,
    *,
    InstanceArn: str,
    AccountId: str,
    PermissionSetArn: str,
    MaxResults: int | None = None,
    NextToken: str = "",
) -> Result:
    """Who has a permission set in an account."""
    reach(ctx, InstanceArn, PermissionSetArn)
    assigned = directory.assignments(ctx.world, PermissionSetArn, AccountId)
    return page(ctx, "AccountAssignments", assigned, NextToken, MaxResults, _shown)


@operation("sso-admin", "ListAccountAssignmentsForPrincipal")
def list_account_assignments_for_principal(
    ctx: Context,
    *,
    InstanceArn: str,
    PrincipalId: str,
    PrincipalType: str,
    Filter: Filter | None = None,
    NextToken: str = "",
    MaxResults: int | None = None,
) -> Result:
    """What a user or group has, and where; of a user, what comes through groups too."""
    instance = manage(ctx, InstanceArn)
    if instance["kind"] == "account":
        raise invalid("This operation is not valid for account instances.")
    known = stores.principal(ctx.world, instance, PrincipalType, PrincipalId)
    principal: Any = required(known, absent(PrincipalType, PrincipalId))
    wanted = (Filter or {}).get("AccountId")
    if PrincipalType == directory.USER:
        reaching = directory.assignments_of(ctx.world, instance, principal)
    else:
        reaching = directory.assignments_of_group(ctx.world, instance, PrincipalId)
    kept = [assignment for assignment in reaching if wanted in (None, assignment["account"])]
    return page(ctx, "AccountAssignments", kept, NextToken, MaxResults, _shown)


@operation("sso-admin", "ListAccountsForProvisionedPermissionSet")
def list_accounts_for_permission_set(
    ctx: Context,
    *,
    InstanceArn: str,
    PermissionSetArn: str,
    ProvisioningStatus: str = "",
    MaxResults: int | None = None,
    NextToken: str = "",
) -> Result:
    """The accounts that have a permission set, perhaps only those that have it as it is now, or that have not."""
    _, permission_set = reach(ctx, InstanceArn, PermissionSetArn)
    places = ctx.world.page(directory.PROVISIONED, f"{PermissionSetArn}/")
    accounts = [there["account"] for there in places if _is_wanted(permission_set, there, ProvisioningStatus)]
    return page(ctx, "AccountIds", accounts, NextToken, MaxResults)


@operation("sso-admin", "ListPermissionSetsProvisionedToAccount")
def list_permission_sets_in_account(
    ctx: Context,
    *,
    InstanceArn: str,
    AccountId: str,
    ProvisioningStatus: str = "",
    MaxResults: int | None = None,
    NextToken: str = "",
) -> Result:
    """The permission sets that an account has, perhaps only those that it has as they are now, or has not."""
    instance = manage(ctx, InstanceArn, f"arn:aws:sso:::account/{AccountId}")
    arns = []
    for permission_set in directory.permission_sets(ctx.world, instance):
        there = directory.provisioned(ctx.world, permission_set["arn"], AccountId)
        if there is not None and _is_wanted(permission_set, there, ProvisioningStatus):
            arns.append(permission_set["arn"])
    return page(ctx, "PermissionSets", arns, NextToken, MaxResults)


def _is_wanted(permission_set: PermissionSet, there: directory.Provisioned, wanted: str) -> bool:
    latest = provisioning.is_latest(permission_set, there)
    return not wanted or latest == (wanted == "LATEST_PERMISSION_SET_PROVISIONED")


def _shown(assignment: Assignment) -> Result:
    return {
        "AccountId": assignment["account"],
        "PermissionSetArn": assignment["permission_set"],
        "PrincipalType": assignment["principal_type"],
        "PrincipalId": assignment["principal"],
    }


# -- provisioning -------------------------------------------------------------------------------------------------


@operation("sso-admin", "ProvisionPermissionSet")
def provision_permission_set(
    ctx: Context, *, InstanceArn: str, PermissionSetArn: str, TargetType: str, TargetId: str = ""
) -> Result:
    """Bring a permission set as it is now into an account, or into all that have it."""
    instance, permission_set = reach(ctx, InstanceArn, PermissionSetArn)
    if (TargetType == "AWS_ACCOUNT") != bool(TargetId):
        raise invalid("TargetId must be given for AWS_ACCOUNT, and only for that.")
    places = ctx.world.page(directory.PROVISIONED, f"{PermissionSetArn}/")
    accounts = [TargetId] if TargetId else [there["account"] for there in places]
    if instance["account"] in accounts:
        owner_only(ctx, instance, PermissionSetArn)
    reason = _provision(ctx, instance, permission_set, accounts)
    shown = {**present({"AccountId": TargetId}), "PermissionSetArn": PermissionSetArn}
    return {_MEMBERS[PROVISION]: provisioning.request(ctx, instance, PROVISION, shown, reason)}


def _provision(ctx: Context, instance: Instance, permission_set: PermissionSet, accounts: list[str]) -> str:
    """Provision in each account; the first reason why it could not be, or nothing."""
    reasons = []
    for account in accounts:
        if not directory.assignments(ctx.world, permission_set["arn"], account):
            return NOT_ASSIGNED
        try:
            provisioning.provision(ctx, instance, permission_set, account)
        except CannotProvision as error:
            reasons.append(str(error))
    return next(iter(reasons), "")
