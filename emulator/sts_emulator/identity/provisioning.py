"""Permission sets in accounts: the reserved role that one becomes, and what was asked for and how it ended.

The work is done at once, but who asks is told IN_PROGRESS, and how it ended when asking next: clients wait as on AWS.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from typing import Any, TypedDict

from sts_emulator.accounts import account_access, directory, documents, managed_policies, resources
from sts_emulator.accounts.directory import Assignment, Instance, PermissionSet, Provisioned
from sts_emulator.core import clock, names
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.identity.permission import present
from sts_emulator.vending.authorize import consult, denial
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result

LONGEST_SESSION = 43_200  # the reserved roles' MaxSessionDuration (docs/aws/identity-center.md, "Reserved roles")
INLINE = "AwsSSOInlinePolicy"
NO_SUFFIX_REGION = "us-east-1"  # whose name does not stand in the path of the roles
CENTURY = 100 * 365 * 86_400
NOT_ASSIGNED = "Received a 404 status error: Assignment not found."
CREATION, DELETION, PROVISION = "creation", "deletion", "provision"


class Request(TypedDict):
    """Something that was asked for, and how it ended; `shown` is the rest of it, as the wire has it."""

    id: str
    status: str  # SUCCEEDED, FAILED
    created: int
    reason: str
    shown: dict[str, Any]


REQUEST: Kind[Request] = Kind("identity-request")  # key: `INSTANCE/what/id`


class CannotProvision(Exception):  # noqa: N818  # no error of the call: it ends FAILED with this reason
    """Why a permission set cannot stand in an account."""


# -- requests -----------------------------------------------------------------------------------------------------


def request(ctx: Context, instance: Instance, what: str, shown: Mapping[str, object], reason: str) -> Result:
    """Keep how a request ended (no reason: well), and answer as AWS does while it has not ended yet."""
    identifier = str(uuid.uuid4())
    made: Request = {
        "id": identifier,
        "status": "FAILED" if reason else "SUCCEEDED",
        "created": int(ctx.world.now()),
        "reason": reason,
        "shown": dict(shown),
    }
    ctx.world.add(REQUEST, f"{instance['id']}/{what}/{identifier}", made)
    return {**status({**made, "reason": ""}), "Status": "IN_PROGRESS"}


def status(made: Request) -> Result:
    stamps = {"CreatedDate": made["created"], **present({"FailureReason": made["reason"]})}
    return {"Status": made["status"], "RequestId": made["id"], **made["shown"], **stamps}


def brief(made: Request) -> Result:
    """A request as lists tell it."""
    return {"Status": made["status"], "RequestId": made["id"], "CreatedDate": made["created"]}


# -- permission sets in accounts ----------------------------------------------------------------------------------


def is_latest(permission_set: PermissionSet, there: Provisioned) -> bool:
    """Whether an account has the permission set as it is now."""
    return there["state"] == _state(permission_set)


def provision(ctx: Context, instance: Instance, permission_set: PermissionSet, account: str) -> None:
    """Bring the permission set as it is now into an account: its role, and the provider that the role trusts.

    Raises:
        CannotProvision: a policy that is not there; nothing is changed then.
    """
    world = ctx.world
    there = directory.provisioned(world, permission_set["arn"], account)
    own = [_customer_policy(world, account, reference) for reference in permission_set["customer_managed"]]
    boundary = _boundary(world, permission_set, account)
    _provide(ctx, instance, account)
    if there is None:
        name = f"AWSReservedSSO_{permission_set['name']}_{os.urandom(8).hex()}"
        role = _new_role(world, instance, account, name)
    else:
        name = there["role"]
        known = world.get(documents.ROLE, resources.key_of(account, name))
        role = known or _new_role(world, instance, account, name)
    change = documents.changed(
        description=permission_set["description"],
        attached=[*permission_set["managed"], *own],
        inline={INLINE: permission_set["inline"]} if permission_set["inline"] else {},
        boundary=boundary or None,
    )
    world.put(documents.ROLE, resources.key_of(account, name), change(role), uid=role["id"])
    body: Provisioned = {
        "account": account,
        "permission_set": permission_set["arn"],
        "role": name,
        "state": _state(permission_set),
        "duration": permission_set["duration"],
        "relay_state": permission_set["relay_state"],
    }
    world.put(directory.PROVISIONED, f"{permission_set['arn']}/{account}", body)


def unassign(world: World, assignment: Assignment) -> None:
    """Remove an assignment, and with an account's last one the role. Running sessions go on, as on AWS."""
    world.take(directory.ASSIGNMENT, assignment_key(assignment))
    permission_set, account = assignment["permission_set"], assignment["account"]
    if directory.assignments(world, permission_set, account):
        return
    there = world.take(directory.PROVISIONED, f"{permission_set}/{account}")
    if there is not None:  # another role will have another suffix
        world.take(documents.ROLE, resources.key_of(account, there["role"]))


def unassign_principal(world: World, store: str, principal: str) -> None:
    """Remove every assignment of a user or group that is deleted."""
    instance = directory.instance_of_store(world, store)
    prefix = f"arn:aws:sso:::permissionSet/{instance['id']}/" if instance else "-"
    for assignment in world.page(directory.ASSIGNMENT, prefix):
        if assignment["principal"] == principal:
            unassign(world, assignment)
    account_access.forget_principal(world, principal)
    for application in world.page(directory.APPLICATION):
        kept = [assigned for assigned in application["assignments"] if assigned[1] != principal]
        if kept != application["assignments"]:
            world.update(directory.APPLICATION, application["arn"], documents.changed(assignments=kept))


def assignment_key(assignment: Assignment) -> str:
    """The key of an assignment in its world."""
    return "/".join(
        (assignment["permission_set"], assignment["account"], assignment["principal_type"], assignment["principal"])
    )


def forget_instance(world: World, instance: Instance) -> None:
    for permission_set in directory.permission_sets(world, instance):
        for assignment in directory.assignments(world, permission_set["arn"]):
            unassign(world, assignment)
        world.take(directory.PERMISSION_SET, permission_set["arn"])
    kinds: tuple[Kind[Any], ...] = (directory.USERS, directory.GROUPS, directory.MEMBERSHIP)
    for kind in kinds:
        for key, _ in world.page_keys(kind, f"{instance['store']}/"):
            world.take(kind, key)
    _forget_applications(world, instance)
    for key, token in world.page_keys(directory.SCIM_TOKEN):
        if token["store"] == instance["store"]:
            world.take(directory.SCIM_TOKEN, key)
    world.take(directory.INSTANCE, instance["id"])


def _forget_applications(world: World, instance: Instance) -> None:
    managed = account_access.of_instance(world, instance)
    if managed is not None:
        account_access.forget(world, managed)
    kinds: tuple[Kind[Any], ...] = (directory.APPLICATION, directory.TRUSTED_ISSUER)
    for owned in kinds:
        for key, thing in world.page_keys(owned):
            if thing["instance"] == instance["id"]:
                world.take(owned, key)


# -- parts of a role ----------------------------------------------------------------------------------------------


def _state(permission_set: PermissionSet) -> str:
    """A digest of what provisioning brings into accounts; tags stay at home."""
    brought = {name: value for name, value in permission_set.items() if name != "tags"}
    return hashlib.sha256(json.dumps(brought, sort_keys=True).encode()).hexdigest()[:16]


def _customer_policy(world: World, account: str, reference: Mapping[str, str]) -> str:
    """The ARN of the account's own policy that a reference names; the account must have it.

    Source: IAM Identity Center User Guide, "Customer managed policies"; the sentence is ours, AWS's is not recorded.
    """
    arn = names.iam_arn(account, "policy", reference.get("Path", "/"), reference["Name"])
    if world.find(documents.POLICY, arn) is None:
        raise CannotProvision(f"Received a 404 status error: Not supported policy {arn}.")
    return arn


def _boundary(world: World, permission_set: PermissionSet, account: str) -> str:
    boundary = permission_set.get("boundary", {})
    if "CustomerManagedPolicyReference" in boundary:
        return _customer_policy(world, account, boundary["CustomerManagedPolicyReference"])
    arn: str = boundary.get("ManagedPolicyArn", "")
    if arn and managed_policies.find(arn) is None:
        raise CannotProvision(f"Received a 404 status error: Not supported policy {arn}.")
    return arn


def _new_role(world: World, instance: Instance, account: str, name: str) -> documents.Role:
    home = "" if instance["region"] == NO_SUFFIX_REGION else f"{instance['region']}/"
    path = f"{directory.RESERVED_PATH}{home}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": directory.provider_arn(instance, account)},
                "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
                "Condition": {"StringEquals": {"SAML:aud": directory.SIGN_IN_AUDIENCE}},
            }
        ],
    }
    return {
        "account": account,
        "name": name,
        "path": path,
        "id": names.unique_id("AROA", account),
        "arn": names.iam_arn(account, "role", path, name),
        "created": int(world.now()),
        "trust": json.dumps(trust),
        "description": "",
        "max_duration": LONGEST_SESSION,
        "tags": {},
        "inline": {},
        "attached": [],
    }


def _provide(ctx: Context, instance: Instance, account: str) -> None:
    """Make sure that the account has the SAML provider that its reserved roles trust.

    In the management account it is not Identity Center's service-linked role that makes it, but the caller.

    Raises:
        CannotProvision: the caller may not.
    """
    world, arn = ctx.world, directory.provider_arn(instance, account)
    known = world.find(documents.SAML_PROVIDER, arn)
    if account == instance["account"] and account == ctx.identity.account:
        for action in ("iam:GetSAMLProvider", *(() if known else ("iam:CreateSAMLProvider",))):
            decision = consult(ctx, ctx.identity, action, arn, {})
            if decision.verdict != "allow":
                raise CannotProvision(denial(ctx, ctx.identity, action, arn, decision, same_account=True))
    if known is None:
        name, now = directory.provider_name(instance, account), int(world.now())
        provider: documents.SamlProvider = {
            "account": account,
            "name": name,
            "arn": arn,
            "uuid": f"SAMLSP{os.urandom(10).hex().upper()}",
            "metadata": _metadata(instance, now),
            "issuers": {},  # nobody outside can sign for it: people come through the portal only
            "valid_until": now + CENTURY,
            "created": now,
            "tags": {},
        }
        world.add(documents.SAML_PROVIDER, resources.key_of(account, name), provider, uid=arn)


def _metadata(instance: Instance, now: int) -> str:
    origin = f"https://portal.sso.{instance['region']}.amazonaws.com/saml"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="{origin}/metadata/{instance["id"]}" validUntil="{clock.iso(now + CENTURY)}">'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f'<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" '
        f'Location="{origin}/assertion/{instance["id"]}"/></md:IDPSSODescriptor></md:EntityDescriptor>'
    )
