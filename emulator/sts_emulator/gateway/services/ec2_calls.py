"""EC2: the dataset names the types that each action acts on; a new resource has no id yet, and is any of its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.known_actions import Action
from sts_emulator.gateway.overlay import Overlay, Question, Rule, profile_need

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
    "vgw": "vpn-gateway",
    "vpce-svc": "vpc-endpoint-service",
    "tgw": "transit-gateway",
    "tgw-attach": "transit-gateway-attachment",
    "export-ami": "export-image-task",
    "export-i": "export-instance-task",
    "import-ami": "import-image-task",
    "import-snap": "import-snapshot-task",
}

_LAUNCHES: Final = ("LaunchSpecification", "SpotFleetRequestConfig.LaunchSpecifications")
_OVERRIDES: Final = ("LaunchTemplateConfigs", "SpotFleetRequestConfig.LaunchTemplateConfigs")


def _in_launches(*paths: str) -> tuple[str, ...]:
    """Parameters of what is to be launched, and the same where a call describes that."""
    return (*paths, *(f"{launch}.{path}" for launch in _LAUNCHES for path in paths))


# Where calls name a resource, by its type and its ARN's placeholder, beside a parameter that is called like that.
_MEMBERS: Final = {
    "AllocationId": ("AllocationId", "AllocationIds"),
    "capacity-reservation.CapacityReservationId": (
        *("CapacityReservationId", "CapacityReservationIds", "SourceCapacityReservationId"),
        "DestinationCapacityReservationId",
        "CapacityReservationSpecification.CapacityReservationTarget.CapacityReservationId",
    ),
    "coip-pool.Ipv4PoolCoipId": ("CoipPoolId", "PoolId"),
    "declarative-policies-report.DeclarativePoliciesReportId": ("ReportId",),
    "dedicated-host.DedicatedHostId": ("HostId", "HostIds"),
    "image.ImageId": (
        *("ImageIds", *_in_launches("ImageId")),
        *(f"{configs}.Overrides.ImageId" for configs in _OVERRIDES),
    ),
    "image-usage-report.ImageUsageReportId": ("ReportId",),
    "instance.InstanceId": ("InstanceId", "InstanceIds", "Instances", "InstanceCreditSpecifications.InstanceId"),
    "ipam-pool.IpamPoolId": (
        *("IpamPoolId", "Ipv4IpamPoolId", "Ipv6IpamPoolId", "SourceIpamPoolId", "AllocationRules.SourceIpamPoolId"),
    ),
    "ipam-scope.IpamScopeId": ("IpamScopeId", "CurrentIpamScopeId", "DestinationIpamScopeId", "Rules.IpamScopeId"),
    "ipv4pool-ec2.Ipv4PoolEc2Id": ("PoolId", "PoolIds", "PublicIpv4Pool"),
    "ipv6pool-ec2.Ipv6PoolEc2Id": ("PoolId", "PoolIds", "Ipv6Pool"),
    "key-pair.KeyPairName": _in_launches("KeyName"),
    "launch-template.LaunchTemplateId": (
        *("LaunchTemplateId", "LaunchTemplateIds", "LaunchTemplate.LaunchTemplateId"),
        *(f"{configs}.LaunchTemplateSpecification.LaunchTemplateId" for configs in _OVERRIDES),
    ),
    "NaclId": ("NetworkAclId",),
    "NetworkAclId": ("NetworkAclId",),
    "network-interface.NetworkInterfaceId": (
        *("NetworkInterfaceId", "NetworkInterfaceIds", *_in_launches("NetworkInterfaces.NetworkInterfaceId")),
        "NetworkInterfaceOptions.NetworkInterfaceId",
    ),
    "placement-group.PlacementGroupName": (
        *("GroupName", *_in_launches("Placement.GroupName")),
        *(f"{configs}.Overrides.Placement.GroupName" for configs in _OVERRIDES),
    ),
    "prefix-list.PrefixListId": (
        *("PrefixListId", "PrefixListIds", "DestinationPrefixListId"),
        "SecurityGroupRules.SecurityGroupRule.PrefixListId",
    ),
    "reserved-instances.ReservationId": ("ReservedInstanceIds", "ReservedInstancesId", "ReservedInstancesIds"),
    "route-table.RouteTableId": ("RouteTableId", "RouteTableIds", "AddRouteTableIds", "RemoveRouteTableIds"),
    "SecurityGroupId": (
        *("SecurityGroupId", "GroupId", "GroupIds", "Groups"),
        *("AddSecurityGroupIds", "RemoveSecurityGroupIds", "LaunchSpecification.GroupIds"),
        *_in_launches("SecurityGroupIds", "SecurityGroups.GroupId", "NetworkInterfaces.Groups"),
    ),
    "security-group-rule.SecurityGroupRuleId": (
        *("SecurityGroupRuleId", "SecurityGroupRuleIds", "SecurityGroupRules.SecurityGroupRuleId"),
    ),
    "snapshot.SnapshotId": (
        *("SnapshotId", "SnapshotIds", "SourceSnapshotIds", "DiskContainers.SnapshotId"),
        *_in_launches("BlockDeviceMappings.Ebs.SnapshotId"),
    ),
    "subnet.SubnetId": (
        *("SubnetIds", "AddSubnetIds", "RemoveSubnetIds", "TargetVpcSubnetId", "AssociatedSubnetIds"),
        *("LoadBalancerOptions.SubnetIds", "RdsOptions.SubnetIds"),
        *_in_launches("SubnetId", "NetworkInterfaces.SubnetId"),
        *(f"{configs}.Overrides.SubnetId" for configs in _OVERRIDES),
    ),
    "transit-gateway-attachment.TransitGatewayAttachmentId": (
        *("TransitGatewayAttachmentId", "TransitGatewayAttachmentIds", "TransportTransitGatewayAttachmentId"),
        *("SourceTransitGatewayAttachmentId", "DestinationTransitGatewayAttachmentId", "MiddleboxAttachmentIds"),
        *("AddMiddleboxAttachmentIds", "RemoveMiddleboxAttachmentIds", "PeeringAttachmentId"),
    ),
    "transit-gateway-route-table.TransitGatewayRouteTableId": (
        *("TransitGatewayRouteTableId", "TransitGatewayRouteTableIds", "Options.AssociationDefaultRouteTableId"),
        *("Options.PropagationDefaultRouteTableId", "TargetRouteTableId"),
    ),
    "volume.VolumeId": (*("VolumeId", "VolumeIds", "SourceVolumeId", "BlockDeviceMappings.Ebs.VolumeId"),),
    "vpc-block-public-access-exclusion.VpcBlockPublicAccessExclusionId": ("ExclusionId",),
    "vpc-endpoint.VpcEndpointId": ("VpcEndpointId", "VpcEndpointIds", "GatewayLoadBalancerEndpointId"),
    "vpc-endpoint-service.VpcEndpointServiceId": ("ServiceId", "ServiceIds"),
    "vpc-flow-log.VpcFlowLogId": ("FlowLogId", "FlowLogIds"),
    "vpn-gateway.VpnGatewayId": ("VpnGatewayId", "GatewayId"),
}


def _tagged(question: Question) -> list[Need]:
    call = question.call
    names = read.at(call.parameters, "Resources") or ("*",)
    return question.on(*(_by_prefix(call, name) for name in dict.fromkeys(names)))


def _by_prefix(call: Call, name: str) -> str:
    if name.startswith("arn:"):
        return name
    kind = _TYPES.get(name.rpartition("-")[0], "*")
    owner = "" if kind in ("image", "snapshot") else call.account
    return f"arn:{call.partition}:ec2:{call.region}:{owner}:{kind}/{name}"


def _told_by_prefix(paths: str, *types: str) -> Rule:
    """Of these parameters only the value tells what type it is of; resources of `types` are named as usual.

    A type with a star is always needed, any other only where it is named, as in the dataset.
    """

    def rule(question: Question) -> list[Need]:
        call = question.call
        usual = [need for kind in types for need in question.needs(call.operation, kind.rstrip("*"))]
        always = {question.arn(kind.rstrip("*")) for kind in types if kind.endswith("*")}
        usual = [need for need in usual if need.resource in always or not need.resource.endswith("/*")]
        named = dict.fromkeys(_by_prefix(call, name) for name in read.at(call.parameters, paths))
        return [*usual, *question.on(*named)] or question.needs(call.operation)

    return rule


def _besides_what_it_takes(kind: str) -> Rule:
    """What is made of another of its type has no id yet: any; the other one is named."""

    def rule(question: Question) -> list[Need]:
        operation = question.call.operation
        needs = [*question.needs(operation), question.need(operation, question.arn(kind))]
        return list({need.resource: need for need in needs}.values())

    return rule


_WITH_TAGS: Final = ("SpotFleetRequestConfig", "SpotFleetRequestConfig.LaunchSpecifications")


def _tagged_at_creation(question: Question) -> Iterable[Need]:
    """Tags that a call gives to what it makes need the permission to tag that type, with the call's name as a key."""
    given = question.call.parameters
    for part in (given, *(part for path in _WITH_TAGS for part in read.structures(given, path))):
        yield from _tagged_by(question, part, question.call.operation)


def _tagged_by(question: Question, given: Mapping[str, Any], operation: str) -> Iterable[Need]:
    call = question.call
    for kind in dict.fromkeys(read.at(given, "TagSpecifications.ResourceType|TagSpecification.ResourceType")):
        arn = f"arn:{call.partition}:ec2:{call.region}:{call.account}:{kind}/*"
        need = question.need("CreateTags", arn, given)
        yield replace(need, keys={**need.keys, "ec2:createaction": (operation,)})


_FLEETS: Final = {  # what describes the fleet, in calls that have instances launched in one
    **dict.fromkeys(("CreateFleet", "ModifyFleet", "ModifySpotFleetRequest"), ""),
    "RequestSpotFleet": "SpotFleetRequestConfig",
}


def _fleet(question: Question) -> Iterable[Need]:
    """What is launched in a fleet needs what RunInstances does, and each way of launching it is one that may be taken.

    Source: docs/aws/s3-and-gateway.md, "Operations and actions". What launch templates say stands beside their names
    (launch_templates.py).
    """
    fleet = _described(question)
    for config in read.structures(fleet, "LaunchTemplateConfigs"):
        template = {**config.get("LaunchTemplateData", {}), "LaunchTemplate": config.get("LaunchTemplateSpecification")}
        yield from _tagged_by(question, template, "RunInstances")
        yield from _profiles(template, "IamInstanceProfile")
        for override in read.structures(config, "Overrides") or [{}]:
            yield from _launched(question, {**template, **override})
    for launch in read.structures(fleet, "LaunchSpecifications"):
        yield from _launched(question, launch)


def _described(question: Question) -> Mapping[str, Any]:
    path, given = _FLEETS[question.call.operation], question.call.parameters
    return next(iter(read.structures(given, path)), {}) if path else given


def _launched(question: Question, launch: Mapping[str, Any]) -> Iterable[Need]:
    """With the tags that instances get, from the template and from the fleet."""
    given = [*read.structures(launch, "TagSpecifications"), *read.structures(_described(question), "TagSpecifications")]
    tags = [part for part in given if part.get("ResourceType") == "instance"]
    template = read.first(launch, "LaunchTemplate.LaunchTemplateId")
    keys = {"ec2:launchtemplate": (question.arn("launch-template", LaunchTemplateId=template),)} if template else {}
    for need in question.needs("RunInstances", parameters={**launch, "TagSpecifications": tags}):
        yield replace(need, keys={**need.keys, **keys})
    yield from _profiles(launch, "IamInstanceProfile")


_PROFILES: Final = dict.fromkeys(
    ("RequestSpotInstances", "RunScheduledInstances"), "LaunchSpecification.IamInstanceProfile"
)


def _profiles(given: Mapping[str, Any], path: str) -> Iterable[Need]:
    """Instance profiles where a call describes what is to be launched: the role in each is passed on."""
    for profile in read.structures(given, path):
        if named := profile.get("Arn") or profile.get("Name"):
            yield profile_need(str(named))


def _besides(question: Question) -> Iterable[Need]:
    call = question.call
    yield from _tagged_at_creation(question)
    yield from _profiles(call.parameters, _PROFILES.get(call.operation, ""))
    if call.operation in _FLEETS:
        needs = {(need.action, need.resource, *sorted(need.keys.items())): need for need in _fleet(question)}
        yield from needs.values()


def _more_keys(call: Call, action: Action) -> dict[str, tuple[str, ...]]:
    return {"ec2:region": (call.region,)} if "ec2:region" in action.keys else {}


OVERLAY = Overlay(
    members={kind: "|".join(paths) for kind, paths in _MEMBERS.items()},
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
    on={
        # Their association's id does not tell them: any address, any route table.
        "DisassociateAddress": ("elastic-ip",),
        "DisassociateRouteTable": ("route-table", "subnet"),
        "DisassociateVpcCidrBlock": ("vpc",),
        "DeleteNetworkInterfacePermission": ("network-interface",),
    },
    rules={
        "CreateTags": _tagged,
        "DeleteTags": _tagged,
        "AssociateRouteTable": _told_by_prefix("GatewayId", "route-table*", "subnet", "ipv4pool-ec2"),
        "CancelExportTask": _told_by_prefix("ExportTaskId"),
        "CancelImportTask": _told_by_prefix("ImportTaskId"),
        "CreateFlowLogs": _told_by_prefix("ResourceIds", "vpc-flow-log*"),
        "CreateNetworkInsightsPath": _told_by_prefix("Source|Destination", "network-insights-path*"),
        "CopyVolumes": _besides_what_it_takes("volume"),
        "CreateCapacityReservationBySplitting": _besides_what_it_takes("capacity-reservation"),
        "CreateImage": _besides_what_it_takes("snapshot"),
        "CreateIpamPool": _besides_what_it_takes("ipam-pool"),
        "CreateTransitGatewayConnect": _besides_what_it_takes("transit-gateway-attachment"),
    },
    passes={
        "CreateFlowLogs": ("DeliverLogsPermissionArn|DeliverCrossAccountRole", "vpc-flow-logs.amazonaws.com"),
        "RequestSpotFleet": ("SpotFleetRequestConfig.IamFleetRole", "spotfleet.amazonaws.com"),
    },
    besides=_besides,
    more_keys=_more_keys,
    whole_arns=(),
)
