"""The account access manager: its application at an instance of Identity Center, and that application's tags.

Sources: docs/aws/identity-center.md, "Account access manager", and the model. Its sentences are ours.
"""

from __future__ import annotations

import os
import secrets
import string
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sts_emulator.accounts import account_access, directory, documents, organizations, resources
from sts_emulator.accounts.account_access import AccessApplication
from sts_emulator.accounts.directory import Instance
from sts_emulator.control_plane.listing import Listing
from sts_emulator.control_plane.reach import required, resource_tag_keys
from sts_emulator.control_plane.tagging import QUOTA, Tagging, without
from sts_emulator.core.errors import AwsError
from sts_emulator.identity import applications
from sts_emulator.identity.instances import ORGANIZATION
from sts_emulator.identity.permission import foreign, invalid, permit
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.authorize import access_denied, authorize
from sts_emulator.vending.context import Context, Keys
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire import dispatch
from sts_emulator.wire.dispatch import Result, operation

TAGGING: Final = Tagging(invalid, lambda: invalid(f"A resource can have {QUOTA} tags at most."))
page = Listing(100, lambda: invalid("The nextToken is not one of this list."), "nextToken").page

SCOPES: Final = ("account_access:read_only", "account_access:assume")
_PROVIDER: Final = "arn:aws:sso::aws:applicationProvider/account-access"  # AWS's name of it is not recorded
_IN_IDENTITY_CENTER: Final = (
    *("DescribeInstance", "CreateApplication", "PutApplicationAccessScope"),
    *("PutApplicationAssignmentConfiguration", "PutApplicationAuthenticationMethod", "PutApplicationGrant"),
)
"""What the caller is asked for besides (IAM User Guide, "Security in account access manager")."""

_LINKED_ROLE: Final = "AWSServiceRoleForAccountAccessManager"
_LONGEST_KEY, _LONGEST_VALUE = 128, 256  # of every service's tags; this model sets no bounds
_TENANT: Final = string.ascii_lowercase + string.digits


@operation("account-access", "CreateApplication")
def create_application(ctx: Context, *, identitySource: JsonObject, tags: Mapping[str, str] | None = None) -> Result:
    """The application of an organization's instance; once more with the same tags is the same one."""
    given = _checked(tags)
    permit(ctx, keys=tag_keys(given))
    if given:
        authorize(ctx, "account-access:TagResource", "*", tag_keys(given))
    instance = _connected(ctx, chosen(identitySource, "identitySource")["instanceArn"])
    known = account_access.of_instance(ctx.world, instance)
    if known is not None:
        if known["tags"] != given:
            raise AwsError("AlreadyCreatedException", "The instance of IAM Identity Center has an application already.")
        return {"applicationArn": known["arn"]}
    _ensure_linked_role(ctx)
    made = _new(ctx, instance, given)
    ctx.world.add(account_access.ACCESS_APPLICATION, made["arn"], made, uid=made["tenant"])
    return {"applicationArn": made["arn"]}


@operation("account-access", "GetApplication")
def get_application(ctx: Context, *, applicationArn: str) -> Result:
    """One application, which is active at once."""
    application = reach(ctx, applicationArn)
    instance = {
        "instanceArn": f"arn:aws:sso:::instance/{application['instance']}",
        "applicationArn": application["application"],
    }
    return {
        "identitySource": {"identityCenter": instance},
        "status": "ACTIVE",
        "tags": application["tags"],
        **_stamps(application),
    }


@operation("account-access", "ListApplications")
def list_applications(ctx: Context, *, maxResults: int | None = None, nextToken: str = "") -> Result:
    """The account's applications in the Region, or those that it administers."""
    permit(ctx)
    home = (_owner(ctx), ctx.region)
    told = [
        {"applicationArn": known["arn"], **_stamps(known)}
        for known in ctx.world.page(account_access.ACCESS_APPLICATION)
        if (known["account"], known["region"]) == home
    ]
    return page(ctx, "applications", told, nextToken, maxResults)


@operation("account-access", "DeleteApplication")
def delete_application(ctx: Context, *, applicationArn: str) -> Result:
    """Remove an application with its entitlements; one that is not there is no error."""
    application = find(ctx, applicationArn)
    if application is not None:
        authorize(ctx, "sso:DeleteApplication", application["application"])
        account_access.forget(ctx.world, application)
    return {}


# -- tags ---------------------------------------------------------------------------------------------------------


@operation("account-access", "TagResource")
def tag_resource(ctx: Context, *, resourceArn: str, tags: Mapping[str, str]) -> Result:
    """Add tags, or change their values."""
    new = _checked(tags)
    application = reach(ctx, resourceArn, tag_keys(new))
    _change_tags(ctx, application, TAGGING.merged(application["tags"], new))
    return {}


@operation("account-access", "UntagResource")
def untag_resource(ctx: Context, *, resourceArn: str, tagKeys: Iterable[str]) -> Result:
    """Remove tags; keys that are not there are ignored."""
    gone = set(tagKeys)
    application = reach(ctx, resourceArn, {"aws:tagkeys": tuple(sorted(gone))} if gone else {})
    _change_tags(ctx, application, without(application["tags"], gone))
    return {}


@operation("account-access", "ListTagsForResource")
def list_tags_for_resource(ctx: Context, *, resourceArn: str) -> Result:
    return {"tags": reach(ctx, resourceArn)["tags"]}


def _checked(tags: Mapping[str, str] | None) -> dict[str, str]:
    given = tags or {}
    if any(not 0 < len(key) <= _LONGEST_KEY or len(value) > _LONGEST_VALUE for key, value in given.items()):
        raise invalid(f"Tag keys have 1 to {_LONGEST_KEY} characters, values {_LONGEST_VALUE} at most.")
    return TAGGING.checked({"Key": key, "Value": value} for key, value in given.items())


def _change_tags(ctx: Context, application: AccessApplication, tags: dict[str, str]) -> None:
    change = documents.changed(tags=tags, updated=int(ctx.world.now()))
    ctx.world.update(account_access.ACCESS_APPLICATION, application["arn"], change)


# -- reaching one -------------------------------------------------------------------------------------------------


def find(ctx: Context, arn: str, keys: Keys | None = None) -> AccessApplication | None:
    """The application of that ARN, if there is one, once the caller may do the call to it.

    Accounts that administer it for the owner may do all but make and delete one (IAM User Guide, "Security in account
    access manager").

    Raises:
        AwsError: AccessDenied, also for another account's.
    """
    known = ctx.world.get(account_access.ACCESS_APPLICATION, arn)
    permit(ctx, arn, keys={**resource_tag_keys(known), **(keys or {})})
    named = parse_arn(arn)
    owner = _owner(ctx) if ctx.operation != "DeleteApplication" else ctx.identity.account
    if named is None or named.account != owner:
        raise foreign(ctx, arn)
    return known if known is not None and known["region"] == ctx.region else None


def _owner(ctx: Context) -> str:
    """Whose applications the caller administers: those of its own account, or of the one that delegated it."""
    org = organizations.organization(ctx.world)
    account = ctx.identity.account
    is_delegate = org is not None and organizations.is_delegate(org, account, account_access.SERVICE)
    return org["management"] if org is not None and is_delegate else account


def reach(ctx: Context, arn: str, keys: Keys | None = None) -> AccessApplication:
    """The same, which must be there. Raises AwsError: AccessDenied; ResourceNotFoundException."""
    return required(find(ctx, arn, keys), absent("application"))


def absent(what: str) -> AwsError:
    """The error for what is not there, or not in this Region."""
    return AwsError("ResourceNotFoundException", f"The {what} does not exist in this Region.")


def chosen(union: Mapping[str, Any], name: str) -> Any:
    """What the one member of a union holds. Raises AwsError: ValidationException."""
    if len(union) != 1:
        raise invalid(f"Exactly one member of {name} must be set.")
    return next(iter(union.values()))


# -- making one ---------------------------------------------------------------------------------------------------


def _connected(ctx: Context, arn: str) -> Instance:
    """The caller's instance, to which the manager may be connected. Raises AwsError."""
    instance = ctx.world.get(directory.INSTANCE, arn.rpartition("/")[2])
    for action in _IN_IDENTITY_CENTER:
        authorize(ctx, f"sso:{action}", arn, resource_tag_keys(instance))
    if instance is None or instance["arn"] != arn or instance["account"] != ctx.identity.account:
        raise foreign(ctx, arn)
    if instance["kind"] != ORGANIZATION:
        raise invalid("Account instances of IAM Identity Center are not supported.")
    if instance["region"] != ctx.region:
        raise invalid(f"The instance of IAM Identity Center is in {instance['region']}.")
    org = organizations.organization(ctx.world)
    if org is None or account_access.SERVICE not in org.get("trusted", {}):
        # It comes first in "Getting started with account access manager"; what AWS says without it is not recorded.
        raise access_denied(
            f"Trusted access for {account_access.SERVICE} is not enabled in the organization (EnableAWSServiceAccess)."
        )
    return instance


def _ensure_linked_role(ctx: Context) -> None:
    """The service makes its role with the caller's permission (same guide). Raises AwsError: AccessDenied."""
    if ctx.world.get(documents.ROLE, resources.key_of(ctx.identity.account, _LINKED_ROLE)) is None:
        create = dispatch.find("iam", "CreateServiceLinkedRole")
        assert create is not None, "IAM is always served"
        create(ctx, AWSServiceName=account_access.SERVICE)


def _new(ctx: Context, instance: Instance, tags: dict[str, str]) -> AccessApplication:
    now, account = int(ctx.world.now()), instance["account"]
    settings = {"assignment_required": False, "scopes": {scope: [] for scope in SCOPES}}
    registered = applications.add(ctx, instance, _PROVIDER, "Account access manager", **settings)
    return {
        "arn": f"arn:aws:account-access:{ctx.region}:{account}:application/{os.urandom(8).hex()}",
        "account": account,
        "region": ctx.region,
        "tenant": "aa-" + "".join(secrets.choice(_TENANT) for _ in range(9)),
        "instance": instance["id"],
        "application": registered["arn"],
        "created": now,
        "updated": now,
        "tags": tags,
    }


def _stamps(application: AccessApplication) -> Result:
    return {
        "tenantId": application["tenant"],
        "createdAt": application["created"],
        "updatedAt": application["updated"],
    }
