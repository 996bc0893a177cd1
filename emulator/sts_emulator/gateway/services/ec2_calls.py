"""EC2: the dataset names the types that each action acts on; a new resource has no id yet, and is any of its type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question

_TYPES: Final = {  # of resources whose ids begin so; `Resources` of tagging calls have nothing else to tell it
    "i": "instance",
    "vol": "volume",
    "snap": "snapshot",
    "ami": "image",
    "sg": "security-group",
    "vpc": "vpc",
    "subnet": "subnet",
    "eni": "network-interface",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "acl": "network-acl",
    "nat": "natgateway",
    "eipalloc": "elastic-ip",
    "lt": "launch-template",
    "pcx": "vpc-peering-connection",
    "vpce": "vpc-endpoint",
    "dopt": "dhcp-options",
    "key": "key-pair",
}


def _tagged(question: Question) -> list[Need]:
    call = question.call
    names = read.at(call.parameters, "Resources") or ("*",)
    arns = [_by_prefix(call, name) for name in dict.fromkeys(names)]
    return [question.need(call.operation, arn) for arn in arns]


def _by_prefix(call: Call, name: str) -> str:
    kind = _TYPES.get(name.partition("-")[0], "*")
    owner = "" if kind in ("image", "snapshot") else call.account
    return f"arn:{call.partition}:ec2:{call.region}:{owner}:{kind}/{name}"


def _tagged_at_creation(question: Question) -> Iterable[Need]:
    """Tags that a call gives to what it makes need the permission to tag that type, with the call's name as a key."""
    call = question.call
    kinds = read.at(call.parameters, "TagSpecifications.ResourceType|TagSpecification.ResourceType")
    for kind in dict.fromkeys(kinds):
        arn = f"arn:{call.partition}:ec2:{call.region}:{call.account}:{kind}/*"
        need = question.need("CreateTags", arn)
        yield Need(need.action, arn, {**need.keys, "ec2:createaction": (call.operation,)})


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    return {"ec2:region": (call.region,)} if "ec2:region" in action.keys else {}


OVERLAY = Overlay(
    members={
        "SecurityGroupId": "SecurityGroupId|GroupId|SecurityGroupIds|GroupIds|Groups",
        "NaclId": "NetworkAclId",
        "NetworkAclId": "NetworkAclId",
        "KeyPairName": "KeyName",
        "AllocationId": "AllocationId|AllocationIds",
    },
    keys={
        "ec2:instancetype": "InstanceType",
        "ec2:volumetype": "VolumeType",
        "ec2:volumesize": "Size",
        "ec2:volumeiops": "Iops",
        "ec2:encrypted": "Encrypted",
        "ec2:availabilityzone": "AvailabilityZone",
        "ec2:tenancy": "InstanceTenancy",
        "ec2:attribute": "Attribute",
    },
    rules={"CreateTags": _tagged, "DeleteTags": _tagged},
    besides=_tagged_at_creation,
    more_keys=_more_keys,
    whole_arns=(),
)
