"""Customer-managed applications: what they are, who may use them, and how they get tokens.

Grants, scopes, the actor policy and the assignments are what sign-in asks; where an application would be shown in the
portal is stored only. Applications of SAML cannot be made by API, as on AWS.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from sts_emulator.accounts import directory
from sts_emulator.accounts.directory import Application, Instance
from sts_emulator.accounts.documents import changed
from sts_emulator.control_plane.reach import required
from sts_emulator.identity import resource_tags, stores
from sts_emulator.identity.permission import absent, conflict, invalid, manage, page, permit, present, reach_by_arn
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

CUSTOM = "arn:aws:sso::aws:applicationProvider/custom"
_PROVIDERS: Mapping[str, Mapping[str, Any]] = {
    CUSTOM: {
        "FederationProtocol": "OAUTH",
        "DisplayData": {"DisplayName": "Custom OAuth 2.0 application", "Description": "An application of your own"},
    },
    "arn:aws:sso::aws:applicationProvider/custom-saml": {
        "FederationProtocol": "SAML",
        "DisplayData": {"DisplayName": "Custom SAML 2.0 application", "Description": "An application of your own"},
    },
}
_PORTAL_DEFAULT = {"Visibility": "ENABLED"}  # and no more, as Terraform's provider says of it


# -- providers ----------------------------------------------------------------------------------------------------


@operation("sso-admin", "ListApplicationProviders")
def list_application_providers(ctx: Context, *, MaxResults: int | None = None, NextToken: str = "") -> Result:
    permit(ctx)
    return page(ctx, "ApplicationProviders", list(_PROVIDERS), NextToken, MaxResults, _provider)


@operation("sso-admin", "DescribeApplicationProvider")
def describe_application_provider(ctx: Context, *, ApplicationProviderArn: str) -> Result:
    permit(ctx, ApplicationProviderArn)
    if ApplicationProviderArn not in _PROVIDERS:
        raise absent("ApplicationProvider", ApplicationProviderArn)
    return _provider(ApplicationProviderArn)


def _provider(arn: str) -> Result:
    return {"ApplicationProviderArn": arn, **_PROVIDERS[arn]}


# -- applications -------------------------------------------------------------------------------------------------


@operation("sso-admin", "CreateApplication")
def create_application(
    ctx: Context,
    *,
    InstanceArn: str,
    ApplicationProviderArn: str,
    Name: str,
    Description: str = "",
    PortalOptions: JsonObject | None = None,
    Tags: resource_tags.Pairs | None = None,
    Status: str = "ENABLED",
    ClientToken: str = "",
) -> Result:
    """An application of the caller's account; who may use it must be assigned, until that is changed."""
    tags = resource_tags.checked(Tags)
    instance = manage(ctx, InstanceArn, ApplicationProviderArn, keys=tag_keys(tags))
    if ApplicationProviderArn not in _PROVIDERS:
        raise absent("ApplicationProvider", ApplicationProviderArn)
    if ApplicationProviderArn != CUSTOM:
        raise invalid("Applications of this provider cannot be created by API.")
    again = next((known for known in _all(ctx, instance) if ClientToken and known.get("token") == ClientToken), None)
    if again is not None:
        return _made(again, instance)
    if any(known["name"] == Name for known in _all(ctx, instance)):
        raise conflict(f"Application with name {Name} already exists.")
    portal = {**_PORTAL_DEFAULT, **(PortalOptions or {})}
    said = {"description": Description, "status": Status, "portal": portal, "tags": tags, "token": ClientToken}
    made = add(ctx, instance, ApplicationProviderArn, Name, **said)
    return _made(made, instance)


@operation("sso-admin", "DescribeApplication")
def describe_application(ctx: Context, *, ApplicationArn: str) -> Result:
    instance, application = reach(ctx, ApplicationArn)
    return _shown(application, instance)


@operation("sso-admin", "ListApplications")
def list_applications(
    ctx: Context,
    *,
    InstanceArn: str,
    MaxResults: int | None = None,
    NextToken: str = "",
    Filter: Mapping[str, str] | None = None,
) -> Result:
    """The instance's applications, perhaps only those of an account or provider."""
    instance, wanted = manage(ctx, InstanceArn), Filter or {}
    kept = [
        application
        for application in _all(ctx, instance)
        if wanted.get("ApplicationAccount", application["account"]) == application["account"]
        and wanted.get("ApplicationProvider", application["provider"]) == application["provider"]
    ]
    # a page has fifty at most: the model
    limit = min(MaxResults or 50, 50)
    return page(ctx, "Applications", kept, NextToken, limit, lambda application: _shown(application, instance))


@operation("sso-admin", "UpdateApplication")
def update_application(
    ctx: Context,
    *,
    ApplicationArn: str,
    Name: str | None = None,
    Description: str | None = None,
    Status: str | None = None,
    PortalOptions: JsonObject | None = None,
) -> Result:
    """Change what the request has; what it leaves out stays."""
    instance, application = reach(ctx, ApplicationArn)
    others = [known["name"] for known in _all(ctx, instance) if known["arn"] != ApplicationArn]
    if Name in others:
        raise conflict(f"Application with name {Name} already exists.")
    members = {"name": Name, "description": Description, "status": Status}
    given = {member: value for member, value in members.items() if value is not None}
    change(ctx, application, **given, portal={**application["portal"], **(PortalOptions or {})})
    return {}


@operation("sso-admin", "DeleteApplication")
def delete_application(ctx: Context, *, ApplicationArn: str) -> Result:
    """Remove an application with all that is set for it."""
    _, application = reach(ctx, ApplicationArn)
    ctx.world.take(directory.APPLICATION, application["arn"])
    return {}


def reach(ctx: Context, arn: str) -> tuple[Instance, Application]:
    """The instance and application, once the caller may do the call to it. Raises AwsError: see `reach_by_arn`."""
    return reach_by_arn(ctx, directory.APPLICATION, arn, "Application")


def add(ctx: Context, instance: Instance, provider: str, name: str, **members: object) -> Application:
    """Store a new application of the caller's account; of what is not said, a default."""
    account = ctx.identity.account
    made: Any = {
        "arn": f"arn:aws:sso::{account}:application/{instance['id']}/apl-{os.urandom(8).hex()}",
        "account": account,
        "instance": instance["id"],
        "provider": provider,
        "name": name,
        "description": "",
        "status": "ENABLED",
        "portal": _PORTAL_DEFAULT,
        "created": int(ctx.world.now()),
        "assignment_required": True,
        "assignments": [],
        "scopes": {},
        "grants": {},
        "tags": {},
        **members,
    }
    ctx.world.add(directory.APPLICATION, made["arn"], made)
    application: Application = made
    return application


def change(ctx: Context, application: Application, **members: object) -> None:
    """Store other members of an application; None removes one."""
    ctx.world.update(directory.APPLICATION, application["arn"], changed(**members))


def _all(ctx: Context, instance: Instance) -> Iterable[Application]:
    return [known for known in ctx.world.page(directory.APPLICATION) if known["instance"] == instance["id"]]


def _made(application: Application, instance: Instance) -> Result:
    arns = {"ApplicationArn": application["arn"], "InstanceArn": instance["arn"]}
    return {**arns, "IdentityStoreArn": directory.store_arn(instance)}


def _shown(application: Application, instance: Instance) -> Result:
    return {
        **_made(application, instance),
        "ApplicationProviderArn": application["provider"],
        "Name": application["name"],
        "ApplicationAccount": application["account"],
        "Status": application["status"],
        "PortalOptions": application["portal"],
        **present({"Description": application["description"]}),
        "CreatedDate": application["created"],
        "CreatedFrom": instance["region"],
    }


# -- assignments --------------------------------------------------------------------------------------------------


@operation("sso-admin", "CreateApplicationAssignment")
def create_application_assignment(ctx: Context, *, ApplicationArn: str, PrincipalId: str, PrincipalType: str) -> Result:
    """Let a user or group use an application; once more changes nothing."""
    instance, application = reach(ctx, ApplicationArn)
    _known_principal(ctx, instance, PrincipalType, PrincipalId)
    pair = [PrincipalType, PrincipalId]
    if pair not in application["assignments"]:
        change(ctx, application, assignments=[*application["assignments"], pair])
    return {}


@operation("sso-admin", "DeleteApplicationAssignment")
def delete_application_assignment(ctx: Context, *, ApplicationArn: str, PrincipalId: str, PrincipalType: str) -> Result:
    """Let a user or group use an application no more."""
    _, application = reach(ctx, ApplicationArn)
    pair = _known_assignment(application, PrincipalType, PrincipalId)
    change(ctx, application, assignments=[other for other in application["assignments"] if other != pair])
    return {}


@operation("sso-admin", "DescribeApplicationAssignment")
def describe_application_assignment(
    ctx: Context, *, ApplicationArn: str, PrincipalId: str, PrincipalType: str
) -> Result:
    _, application = reach(ctx, ApplicationArn)
    return _shown_assignment(application, _known_assignment(application, PrincipalType, PrincipalId))


@operation("sso-admin", "ListApplicationAssignments")
def list_application_assignments(
    ctx: Context, *, ApplicationArn: str, MaxResults: int | None = None, NextToken: str = ""
) -> Result:
    _, application = reach(ctx, ApplicationArn)
    listed = [_shown_assignment(application, pair) for pair in application["assignments"]]
    return page(ctx, "ApplicationAssignments", listed, NextToken, MaxResults)


@operation("sso-admin", "ListApplicationAssignmentsForPrincipal")
def list_application_assignments_for_principal(
    ctx: Context,
    *,
    InstanceArn: str,
    PrincipalId: str,
    PrincipalType: str,
    Filter: Mapping[str, str] | None = None,
    NextToken: str = "",
    MaxResults: int | None = None,
) -> Result:
    """To what a user or group is assigned; of a user, what comes through groups too."""
    instance = manage(ctx, InstanceArn)
    person = _known_principal(ctx, instance, PrincipalType, PrincipalId)
    reaching = [[PrincipalType, PrincipalId]]
    if PrincipalType == directory.USER:
        memberships = directory.memberships(ctx.world, instance["store"], person["id"])
        reaching += [[directory.GROUP, membership["group"]] for membership in memberships]
    wanted = (Filter or {}).get("ApplicationArn")
    listed = [
        _shown_assignment(application, pair)
        for application in _all(ctx, instance)
        for pair in application["assignments"]
        if pair in reaching and wanted in (None, application["arn"])
    ]
    return page(ctx, "ApplicationAssignments", listed, NextToken, MaxResults)


def _known_principal(ctx: Context, instance: Instance, kind: str, identifier: str) -> Any:
    return required(stores.principal(ctx.world, instance, kind, identifier), absent(kind, identifier))


def _known_assignment(application: Application, kind: str, identifier: str) -> list[str]:
    if [kind, identifier] not in application["assignments"]:
        raise absent("Application assignment of", f"{kind} {identifier}")
    return [kind, identifier]


def _shown_assignment(application: Application, pair: list[str]) -> Result:
    return {"ApplicationArn": application["arn"], "PrincipalType": pair[0], "PrincipalId": pair[1]}
