"""EC2's control plane as far as identity goes: instances, their profiles and their metadata options."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sts_emulator.accounts import documents, instance_profiles
from sts_emulator.accounts.compute import Instance
from sts_emulator.control_plane.reach import own, resource_tag_keys
from sts_emulator.core.errors import AwsError
from sts_emulator.methods.instance_profile import instances, metadata_defaults
from sts_emulator.methods.instance_profile.instance_credentials import SERVICE
from sts_emulator.methods.instance_profile.instances import KIND, OPTION_NAMES, arn_of, place_of
from sts_emulator.methods.instance_profile.metadata_defaults import dry_run
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.vending.tags import tag_keys, tag_map
from sts_emulator.wire.dispatch import Result, Wire, operation

_STATES = {"running": 16, "terminated": 48}
_MOST_TAGS = 50  # of a resource
_MOST = 100  # instances of one RunInstances, as far as an emulator needs


# -- instances -----------------------------------------------------------------------------------------------------


@operation("ec2", "RunInstances")
def run_instances(
    ctx: Context,
    *,
    MinCount: int,
    MaxCount: int,
    ImageId: str = instances.DEFAULT_IMAGE,
    InstanceType: str = instances.DEFAULT_TYPE,
    IamInstanceProfile: Mapping[str, str] | None = None,
    MetadataOptions: Mapping[str, Any] | None = None,
    UserData: str = "",
    KeyName: str = "",
    Placement: Mapping[str, str] | None = None,
    TagSpecifications: Sequence[Mapping[str, Any]] = (),
    InstanceMarketOptions: Mapping[str, Any] | None = None,
    DryRun: bool = False,
    **_: Any,
) -> Result:
    """Start instances that are nothing but an identity: whoever has a listener of theirs is on them."""
    account = ctx.identity.account
    options, profile = metadata_defaults.of_launch(ctx, _read(MetadataOptions or {})), None
    if not 1 <= MinCount <= MaxCount <= _MOST:
        message = f"Value ({MaxCount}) for parameter MaxCount is invalid."
        raise AwsError("InvalidParameterValue", message)
    wanted = [given["Tags"] for given in TagSpecifications if given.get("ResourceType") == "instance"]
    tags = tag_map([pair for pairs in wanted for pair in pairs])
    if IamInstanceProfile:
        profile = instance_profiles.find_profile(ctx.world, account, IamInstanceProfile)
    keys = {**tag_keys(tags), "ec2:instancetype": (InstanceType,), **_option_keys({**instances.OPTIONS, **options})}
    if profile:
        keys["ec2:instanceprofile"] = (profile["arn"],)
    authorize(ctx, "ec2:RunInstances", f"arn:aws:ec2:{ctx.region}:{account}:instance/*", keys)
    _permit_pass(ctx, profile)
    dry_run(DryRun)
    started = []
    for _number in range(MaxCount):
        identifier = f"i-0{os.urandom(8).hex()}"
        instance = instances.make(
            ctx.world,
            account,
            ctx.region,
            identifier,
            image=ImageId,
            type=InstanceType,
            zone=(Placement or {}).get("AvailabilityZone") or f"{ctx.region}a",
            market="spot" if (InstanceMarketOptions or {}).get("MarketType") == "spot" else "on-demand",
            options=options,
            user_data=UserData,
            key_name=KeyName,
            tags=tags,
            association=instances.association(ctx.world, profile, identifier) if profile else None,
        )
        ctx.world.add(KIND, identifier, instance)
        started.append(instance)
    return {**_reservation(started[0]), "Instances": [_shown(instance) for instance in started]}


@operation("ec2", "DescribeInstances")
def describe_instances(
    ctx: Context,
    *,
    InstanceIds: Sequence[str] = (),
    Filters: Sequence[JsonObject] = (),
    DryRun: bool = False,
    **_: object,
) -> Result:
    """The account's instances in the region, each in a reservation of its own."""
    authorize(ctx, "ec2:DescribeInstances", "*")
    dry_run(DryRun)
    instances = [_find(ctx, identifier) for identifier in InstanceIds] if InstanceIds else _mine(ctx)
    instances = [instance for instance in instances if _matches(instance, Filters, _INSTANCE_FILTERS)]
    return {"Reservations": [{**_reservation(instance), "Instances": [_shown(instance)]} for instance in instances]}


@operation("ec2", "TerminateInstances")
def terminate_instances(ctx: Context, *, InstanceIds: Sequence[str], DryRun: bool = False, **_: object) -> Result:
    """End instances; their metadata service no longer answers."""
    instances = [_permitted(ctx, "ec2:TerminateInstances", identifier) for identifier in InstanceIds]
    dry_run(DryRun)
    for instance in instances:
        ctx.world.update(KIND, instance["id"], lambda body: {**body, "state": "terminated", "association": None})
    return {
        "TerminatingInstances": [
            {
                "InstanceId": instance["id"],
                "PreviousState": _state(instance["state"]),
                "CurrentState": _state("terminated"),
            }
            for instance in instances
        ]
    }


@operation("ec2", "ModifyInstanceMetadataOptions")
def modify_instance_metadata_options(
    ctx: Context, *, InstanceId: str, DryRun: bool = False, **options: object
) -> Result:
    """Change how an instance's metadata service answers, from the next request on."""
    changed = _read(options)
    metadata_defaults.check_change(ctx, changed)
    _permitted(ctx, "ec2:ModifyInstanceMetadataOptions", InstanceId, {"ec2:attribute": tuple(options)})
    dry_run(DryRun)
    metadata_defaults.check_hops(changed.get("hop_limit", 1))
    after = ctx.world.update(KIND, InstanceId, lambda body: _with_options(body, changed))
    return {"InstanceId": InstanceId, "InstanceMetadataOptions": {**_options(after), "State": "pending"}}


def _with_options(instance: Instance, changed: JsonObject) -> Instance:
    options: Any = {**instance["options"], **changed}  # as _read names them
    return {**instance, "options": options}


# -- tags ----------------------------------------------------------------------------------------------------------


@operation("ec2", "CreateTags")
def create_tags(
    ctx: Context, *, Resources: Sequence[str], Tags: Sequence[Mapping[str, str]], DryRun: bool = False
) -> None:
    """Add tags to instances, or change their values; of EC2's resources there are no others here."""
    added = {pair["Key"]: pair.get("Value", "") for pair in Tags}
    if any(key.lower().startswith("aws:") for key in added):
        message = "Tag keys starting with 'aws:' are reserved for internal use"
        raise AwsError("InvalidParameterValue", message)
    tagged = [_permitted(ctx, "ec2:CreateTags", identifier, tag_keys(added)) for identifier in Resources]
    dry_run(DryRun)
    for instance in tagged:
        tags = {**instance["tags"], **added}
        if len(tags) > _MOST_TAGS:
            message = f"The maximum number of Tags for a resource has been reached ({_MOST_TAGS})."
            raise AwsError("TagLimitExceeded", message)
        _set_tags(ctx, instance, tags)


@operation("ec2", "DeleteTags")
def delete_tags(
    ctx: Context, *, Resources: Sequence[str], Tags: Sequence[Mapping[str, str]] = (), DryRun: bool = False
) -> None:
    """Remove tags: those of a key, those of a key and a value, or, where none are named, all."""
    asked = {"aws:tagkeys": tuple(pair["Key"] for pair in Tags)} if Tags else {}
    tagged = [_permitted(ctx, "ec2:DeleteTags", identifier, asked) for identifier in Resources]
    dry_run(DryRun)
    for instance in tagged:
        gone = {pair["Key"]: pair.get("Value") for pair in Tags} or dict.fromkeys(instance["tags"])
        kept = {
            key: value for key, value in instance["tags"].items() if key not in gone or gone[key] not in (None, value)
        }
        _set_tags(ctx, instance, kept)


def _set_tags(ctx: Context, instance: Instance, tags: Mapping[str, str]) -> None:
    ctx.world.update(KIND, instance["id"], lambda body: {**body, "tags": dict(tags)})


# -- associations with instance profiles ----------------------------------------------------------------------------


@operation("ec2", "AssociateIamInstanceProfile")
def associate_iam_instance_profile(ctx: Context, *, IamInstanceProfile: Mapping[str, str], InstanceId: str) -> Result:
    """Give an instance that has none an instance profile; the caller must be allowed to pass its role."""
    instance = _find(ctx, InstanceId)
    profile = instance_profiles.find_profile(ctx.world, instance["account"], IamInstanceProfile)
    _permitted(ctx, "ec2:AssociateIamInstanceProfile", InstanceId, {"ec2:newinstanceprofile": (profile["arn"],)})
    _permit_pass(ctx, profile)
    if instance["state"] != "running":
        raise AwsError("IncorrectInstanceState", f"The instance '{InstanceId}' is not in a valid state.")
    if instance["association"]:
        raise AwsError("IncorrectState", f"There is an existing association for instance {InstanceId}")
    return _set_profile(ctx, instance, profile)


@operation("ec2", "ReplaceIamInstanceProfileAssociation")
def replace_iam_instance_profile_association(
    ctx: Context, *, IamInstanceProfile: Mapping[str, str], AssociationId: str
) -> Result:
    """Give an instance another instance profile; its credentials are the new role's at once."""
    instance = _associated(ctx, AssociationId)
    profile = instance_profiles.find_profile(ctx.world, instance["account"], IamInstanceProfile)
    keys = {"ec2:newinstanceprofile": (profile["arn"],)}
    _permitted(ctx, "ec2:ReplaceIamInstanceProfileAssociation", instance["id"], keys)
    _permit_pass(ctx, profile)
    return _set_profile(ctx, instance, profile)


@operation("ec2", "DisassociateIamInstanceProfile")
def disassociate_iam_instance_profile(ctx: Context, *, AssociationId: str) -> Result:
    """Take an instance's profile away; credentials that it has already live on until they expire."""
    instance = _associated(ctx, AssociationId)
    _permitted(ctx, "ec2:DisassociateIamInstanceProfile", instance["id"])
    gone = _association(instance)
    ctx.world.update(KIND, instance["id"], lambda body: {**body, "association": None})
    return {"IamInstanceProfileAssociation": {**gone, "State": "disassociating"}}


@operation("ec2", "DescribeIamInstanceProfileAssociations")
def describe_iam_instance_profile_associations(
    ctx: Context, *, AssociationIds: Sequence[str] = (), Filters: Sequence[JsonObject] = (), **_: object
) -> Result:
    """Which instances of the account have which instance profile."""
    authorize(ctx, "ec2:DescribeIamInstanceProfileAssociations", "*")
    instances = [instance for instance in _mine(ctx) if instance["association"]]
    if AssociationIds:
        instances = [_associated(ctx, identifier) for identifier in AssociationIds]
    instances = [instance for instance in instances if _matches(instance, Filters, _ASSOCIATION_FILTERS)]
    return {"IamInstanceProfileAssociations": [_association(instance) for instance in instances]}


def _set_profile(ctx: Context, instance: Instance, profile: documents.InstanceProfile) -> Result:
    made = instances.association(ctx.world, profile, instance["id"])
    after = ctx.world.update(KIND, instance["id"], lambda body: {**body, "association": made})
    return {"IamInstanceProfileAssociation": {**_association(after), "State": "associating"}}


def _associated(ctx: Context, identifier: str) -> Instance:
    for instance in _mine(ctx):
        if instance["association"] and instance["association"]["id"] == identifier:
            return instance
    message = f"An invalid association-id of '{identifier}' was given"
    raise AwsError("InvalidAssociationID.NotFound", message)


def _association(instance: Instance) -> Result:
    made = instance["association"]
    assert made is not None, "the caller looked"
    return {
        "AssociationId": made["id"],
        "InstanceId": instance["id"],
        "IamInstanceProfile": {"Arn": made["profile"], "Id": made["profile_id"]},
        "State": "associated",
        "Timestamp": made["since"],
    }


# -- who may, and what is shown --------------------------------------------------------------------------------------


def _find(ctx: Context, identifier: str) -> Instance:
    if not instances.INSTANCE_ID.fullmatch(identifier):
        raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{identifier}"')
    instance = own(ctx, ctx.world.get(KIND, identifier))
    if instance is None:
        raise AwsError("InvalidInstanceID.NotFound", f"The instance ID '{identifier}' does not exist")
    return instance


def _mine(ctx: Context) -> list[Instance]:
    return [instance for instance in ctx.world.page(KIND) if own(ctx, instance)]


def _permitted(
    ctx: Context, action: str, identifier: str, keys: Mapping[str, tuple[str, ...]] | None = None
) -> Instance:
    instance = _find(ctx, identifier)
    about = {**resource_tag_keys(instance, "ec2"), **_option_keys(instance["options"])}
    about["ec2:instancetype"] = (instance["type"],)
    if instance["association"]:
        about["ec2:instanceprofile"] = (instance["association"]["profile"],)
    authorize(ctx, action, arn_of(instance), {**about, **(keys or {})})
    return instance


def _permit_pass(ctx: Context, profile: documents.InstanceProfile | None) -> None:
    role = instance_profiles.role_of(ctx.world, profile)
    if role is not None:
        authorize(ctx, "iam:PassRole", role["arn"], {"iam:passedtoservice": (SERVICE,)})


def _read(options: Mapping[str, Any]) -> dict[str, str | int]:
    return {OPTION_NAMES[name]: value for name, value in options.items() if name in OPTION_NAMES}


def _options(instance: Instance) -> Result:
    options: Mapping[str, Any] = instance["options"]
    return {name: options[mine] for name, mine in OPTION_NAMES.items()}


def _option_keys(options: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        "ec2:metadatahttptokens": (options["tokens"],),
        "ec2:metadatahttpputresponsehoplimit": (str(options["hop_limit"]),),
        "ec2:metadatahttpendpoint": (options["endpoint"],),
    }


def _state(name: str) -> Result:
    return {"Code": _STATES[name], "Name": name}


def _reservation(instance: Instance) -> Result:
    return {"ReservationId": place_of(instance).reservation, "OwnerId": instance["account"]}


def _shown(instance: Instance) -> Result:
    place, made = place_of(instance), instance["association"]
    shown: dict[str, Wire] = {
        "InstanceId": instance["id"],
        "ImageId": instance["image"],
        "InstanceType": instance["type"],
        "State": _state(instance["state"]),
        "LaunchTime": instance["launched"],
        "Placement": {"AvailabilityZone": instance["zone"], "Tenancy": "default"},
        "PrivateIpAddress": place.private_ip,
        "PrivateDnsName": place.private_name,
        "PublicIpAddress": place.public_ip,
        "PublicDnsName": place.public_name,
        "VpcId": place.vpc,
        "SubnetId": place.subnet,
        "Architecture": "x86_64",
        "MetadataOptions": {**_options(instance), "State": "applied"},
        "Tags": [{"Key": key, "Value": value} for key, value in instance["tags"].items()],
    }
    if instance["key_name"]:
        shown["KeyName"] = instance["key_name"]
    if instance["market"] == "spot":
        shown["InstanceLifecycle"] = "spot"
    if made:
        shown["IamInstanceProfile"] = {"Arn": made["profile"], "Id": made["profile_id"]}
    return shown


_INSTANCE_FILTERS: Mapping[str, Callable[[Instance], str]] = {
    "instance-id": lambda instance: instance["id"],
    "instance-state-name": lambda instance: instance["state"],
    "instance-type": lambda instance: instance["type"],
    "iam-instance-profile.arn": lambda instance: instance["association"]["profile"] if instance["association"] else "",
    "private-ip-address": lambda instance: place_of(instance).private_ip,
}
_ASSOCIATION_FILTERS: Mapping[str, Callable[[Instance], str]] = {
    "instance-id": lambda instance: instance["id"],
    "state": lambda _: "associated",
}


def _matches(
    instance: Instance, filters: Sequence[Mapping[str, Any]], known: Mapping[str, Callable[[Instance], str]]
) -> bool:
    for wanted in filters:
        name, values = wanted.get("Name", ""), wanted.get("Values", ())
        if name.startswith("tag:"):
            value = instance["tags"].get(name[4:])
        elif name in known:
            value = known[name](instance)
        else:
            raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")
        if value not in values:
            return False
    return True
