"""Instances of Identity Center and what is set for all of one: regions, attributes for access control.

Regions are stored and listed; nothing is replicated to them. The instance of an organization comes with the scenario,
as it comes with the console on AWS: there is no operation that makes one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from sts_emulator.accounts import directory, organizations
from sts_emulator.accounts.directory import Instance
from sts_emulator.accounts.documents import changed
from sts_emulator.core.world import World
from sts_emulator.identity import resource_tags
from sts_emulator.identity.permission import (
    absent,
    conflict,
    invalid,
    is_administrator,
    manage,
    owner_only,
    page,
    permit,
    present,
)
from sts_emulator.identity.provisioning import forget_instance
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys
from sts_emulator.wire.dispatch import Result, operation

EIGHT_HOURS = 8 * 3600
ORGANIZATION, ACCOUNT = "organization", "account"
_ONE_SETTING = ("EncryptionConfiguration", "PermissionSetsEnabled", "NetworkConfiguration")


# -- instances ----------------------------------------------------------------------------------------------------


@operation("sso-admin", "ListInstances")
def list_instances(
    ctx: Context, *, MaxResults: int | None = None, NextToken: str = "", RegionScope: str = ""
) -> Result:
    """The caller's own instance, and that of its organization, which is visible to its members."""
    permit(ctx)
    seen = [instance for instance in directory.instances(ctx.world) if _is_visible(ctx, instance)]
    if RegionScope != "ALL_REGIONS":
        seen = [instance for instance in seen if ctx.region in (instance["region"], *instance.get("regions", {}))]
    return page(ctx, "Instances", seen, NextToken, MaxResults, shown)


@operation("sso-admin", "DescribeInstance")
def describe_instance(ctx: Context, *, InstanceArn: str) -> Result:
    """One instance with what is set for it."""
    instance = manage(ctx, InstanceArn)
    settings = instance.get("settings", {})
    return {
        **shown(instance),
        "EncryptionConfigurationDetails": {"KeyType": "AWS_OWNED_KMS_KEY", "EncryptionStatus": "ENABLED"}
        | settings.get("EncryptionConfiguration", {}),
        "PermissionSetsEnabled": has_permission_sets(instance),
        **present({"NetworkConfigurationDetails": settings.get("NetworkConfiguration")}),
    }


@operation("sso-admin", "CreateInstance")
def create_instance(ctx: Context, *, Name: str = "", Tags: resource_tags.Pairs | None = None, **_: str) -> Result:
    """An instance of a single account, which has applications but assigns no accounts."""
    tags = resource_tags.checked(Tags)
    permit(ctx, keys=tag_keys(tags))
    account = ctx.identity.account
    org = organizations.organization(ctx.world)
    if org is not None and org["management"] == account:
        raise invalid("An account instance cannot be created in the management account of an organization.")
    if any(instance["account"] == account for instance in directory.instances(ctx.world)):
        raise conflict("An instance of IAM Identity Center already exists in this account.")
    made = new_instance(ctx.world, account, ACCOUNT, region=ctx.region, name=Name, tags=tags)
    return {"InstanceArn": made["arn"]}


@operation("sso-admin", "UpdateInstance")
def update_instance(
    ctx: Context, *, InstanceArn: str, Name: str | None = None, **settings: Mapping[str, Any] | bool
) -> Result:
    """Rename an instance, or change one of its settings; those are stored, and shown."""
    instance = manage(ctx, InstanceArn)
    if len(settings) > 1:
        raise invalid(f"Only one of {', '.join(_ONE_SETTING)} can be updated at a time.")
    if settings.get("PermissionSetsEnabled") and instance["kind"] == ACCOUNT:
        raise invalid("Permission sets need an organization instance.")
    name = instance["name"] if Name is None else Name
    _change(ctx, instance, name=name, settings={**instance.get("settings", {}), **settings})
    return {}


@operation("sso-admin", "DeleteInstance")
def delete_instance(ctx: Context, *, InstanceArn: str) -> Result:
    """Delete an instance, with its people, permission sets and the roles that those are."""
    instance = manage(ctx, InstanceArn)
    owner_only(ctx, instance, InstanceArn)
    forget_instance(ctx.world, instance)
    return {}


def new_instance(
    world: World,
    account: str,
    kind: str,
    *,
    region: str,
    name: str = "",
    tags: Mapping[str, str] | None = None,
    start_url: str = "",
) -> Instance:
    """Store a new instance with an empty directory. Where the start URL names a directory, that is its."""
    host = start_url.removeprefix("https://").partition(".")[0]
    store = host if directory.STORE_ID.fullmatch(host) else f"d-{os.urandom(5).hex()}"
    identifier = f"ssoins-{os.urandom(8).hex()}"
    instance: Instance = {
        "id": identifier,
        "arn": f"arn:aws:sso:::instance/{identifier}",
        "account": account,
        "kind": kind,
        "name": name,
        "created": int(world.now()),
        "store": store,
        "region": region,
        "start_url": start_url or f"https://{store}.awsapps.com/start",
        "source": "directory",
        "portal_session": EIGHT_HOURS,
        "tags": dict(tags or {}),
    }
    world.add(directory.INSTANCE, identifier, instance, uid=store)
    return instance


def has_permission_sets(instance: Instance) -> bool:
    """Whether the instance assigns accounts; that of a single account does not."""
    enabled: bool = instance.get("settings", {}).get("PermissionSetsEnabled", instance["kind"] == ORGANIZATION)
    return enabled


def shown(instance: Instance) -> Result:
    """An instance as lists show it."""
    return {
        "InstanceArn": instance["arn"],
        "IdentityStoreId": instance["store"],
        "IdentityStoreArn": directory.store_arn(instance),
        "OwnerAccountId": instance["account"],
        **present({"Name": instance["name"]}),
        "CreatedDate": instance["created"],
        "Status": "ACTIVE",
        "PrimaryRegion": instance["region"],
        "Regions": [_region(instance, region) for region in _regions(instance)],
    }


def _is_visible(ctx: Context, instance: Instance) -> bool:
    org = organizations.organization(ctx.world)
    is_member = org is not None and ctx.identity.account in org["parents"] and instance["account"] in org["parents"]
    return is_administrator(ctx, instance) or (instance["kind"] == ORGANIZATION and is_member)


def _change(ctx: Context, instance: Instance, **members: object) -> None:
    """Store other members; None removes one."""
    ctx.world.update(directory.INSTANCE, instance["id"], changed(**members))


# -- regions ------------------------------------------------------------------------------------------------------


@operation("sso-admin", "AddRegion")
def add_region(ctx: Context, *, InstanceArn: str, RegionName: str) -> Result:
    """Add a region; it is there when next asked."""
    instance = manage(ctx, InstanceArn)
    if RegionName in _regions(instance):
        raise conflict(f"Region {RegionName} is already one of the instance.")
    _change(ctx, instance, regions={**instance.get("regions", {}), RegionName: int(ctx.world.now())})
    return {"Status": "ADDING"}


@operation("sso-admin", "RemoveRegion")
def remove_region(ctx: Context, *, InstanceArn: str, RegionName: str) -> Result:
    """Remove an added region; the primary one stays."""
    instance = manage(ctx, InstanceArn)
    if RegionName == instance["region"]:
        raise invalid("The primary Region cannot be removed.")
    _known_region(instance, RegionName)
    kept = {name: since for name, since in instance.get("regions", {}).items() if name != RegionName}
    _change(ctx, instance, regions=kept)
    return {"Status": "REMOVING"}


@operation("sso-admin", "DescribeRegion")
def describe_region(ctx: Context, *, InstanceArn: str, RegionName: str) -> Result:
    instance = manage(ctx, InstanceArn)
    return _region(instance, _known_region(instance, RegionName))


@operation("sso-admin", "ListRegions")
def list_regions(ctx: Context, *, InstanceArn: str, MaxResults: int | None = None, NextToken: str = "") -> Result:
    """All regions of an instance, the primary one first."""
    instance = manage(ctx, InstanceArn)
    return page(ctx, "Regions", _regions(instance), NextToken, MaxResults, lambda region: _region(instance, region))


def _regions(instance: Instance) -> list[str]:
    return [instance["region"], *instance.get("regions", {})]


def _known_region(instance: Instance, region: str) -> str:
    if region not in _regions(instance):
        raise absent("Region", region)
    return region


def _region(instance: Instance, region: str) -> Result:
    added = instance.get("regions", {}).get(region, instance["created"])
    return {
        "RegionName": region,
        "Status": "ACTIVE",
        "AddedDate": added,
        "IsPrimaryRegion": region == instance["region"],
    }


# -- attributes for access control --------------------------------------------------------------------------------


@operation("sso-admin", "CreateInstanceAccessControlAttributeConfiguration")
def create_attributes(
    ctx: Context, *, InstanceArn: str, InstanceAccessControlAttributeConfiguration: JsonObject
) -> Result:
    """Say which attributes of people become session tags."""
    instance = manage(ctx, InstanceArn)
    if "attributes" in instance:
        raise conflict("The instance has attributes for access control already.")
    _change(ctx, instance, attributes=_attributes(InstanceAccessControlAttributeConfiguration))
    return {}


@operation("sso-admin", "UpdateInstanceAccessControlAttributeConfiguration")
def update_attributes(
    ctx: Context, *, InstanceArn: str, InstanceAccessControlAttributeConfiguration: JsonObject
) -> Result:
    instance = _with_attributes(ctx, InstanceArn)
    _change(ctx, instance, attributes=_attributes(InstanceAccessControlAttributeConfiguration))
    return {}


@operation("sso-admin", "DescribeInstanceAccessControlAttributeConfiguration")
def describe_attributes(ctx: Context, *, InstanceArn: str) -> Result:
    attributes = _with_attributes(ctx, InstanceArn)["attributes"]
    listed: list[Result] = [{"Key": key, "Value": {"Source": sources}} for key, sources in attributes.items()]
    return {
        "Status": "ENABLED",
        "InstanceAccessControlAttributeConfiguration": {"AccessControlAttributes": listed},
    }


@operation("sso-admin", "DeleteInstanceAccessControlAttributeConfiguration")
def delete_attributes(ctx: Context, *, InstanceArn: str) -> Result:
    """From now on no attribute becomes a session tag."""
    instance = _with_attributes(ctx, InstanceArn)
    _change(ctx, instance, attributes=None)
    return {}


def _with_attributes(ctx: Context, arn: str) -> Instance:
    instance = manage(ctx, arn)
    if "attributes" not in instance:
        raise absent("Access control attribute configuration", arn)
    return instance


def _attributes(configuration: Mapping[str, Any]) -> dict[str, list[str]]:
    listed: Iterable[Mapping[str, Any]] = configuration["AccessControlAttributes"]
    attributes = {attribute["Key"]: list(attribute["Value"]["Source"]) for attribute in listed}
    if len(attributes) != len(configuration["AccessControlAttributes"]):
        raise invalid("Duplicate attribute keys found.")
    return attributes
