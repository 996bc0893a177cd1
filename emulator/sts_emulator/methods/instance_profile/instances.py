"""Instances: what an emulated EC2 instance is, how it comes about, and which profile it has."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from typing import Any, Final, cast

from sts_emulator.accounts import compute, documents
from sts_emulator.accounts.compute import Instance, ProfileAssociation
from sts_emulator.core import names
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile.delivery import LIFETIME
from sts_emulator.policy.light_dataclass import dataclass

KIND: Final = compute.INSTANCE
INSTANCE_ID: Final = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")

OPTIONS: Final[Mapping[str, Any]] = {
    "tokens": "optional",
    "hop_limit": 1,
    "endpoint": "enabled",
    "ipv6": "disabled",
    "tags": "disabled",
}
"""An instance's metadata options where nothing else was asked for (docs/aws/instance-metadata.md, "Service")."""

OPTION_NAMES: Final = {
    "HttpTokens": "tokens",
    "HttpPutResponseHopLimit": "hop_limit",
    "HttpEndpoint": "endpoint",
    "HttpProtocolIpv6": "ipv6",
    "InstanceMetadataTags": "tags",
}
"""What the wire calls them."""

DEFAULT_TYPE: Final = "t3.micro"
DEFAULT_IMAGE: Final = "ami-0abcdef1234567890"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance stands: names and addresses that follow from its id, so that they never change."""

    private_ip: str
    public_ip: str
    mac: str
    private_name: str
    public_name: str
    vpc: str
    subnet: str
    interface: str
    group: str
    reservation: str
    zone_id: str


def new_id(account: str, name: str) -> str:
    """The id of the account's instance of that name: always the same."""
    return f"i-0{_digest('instance', account, name)[:16]}"


def make(world: World, account: str, region: str, identifier: str, **given: Any) -> Instance:
    """The document of a new, running instance; `given` are members that differ from the defaults."""
    members: dict[str, Any] = {
        "id": identifier,
        "name": "",
        "account": account,
        "region": region,
        "zone": f"{region}a",
        "type": DEFAULT_TYPE,
        "image": DEFAULT_IMAGE,
        "market": "on-demand",
        "launched": int(world.now()),
        "state": "running",
        "user_data": "",
        "tags": {},
        "key_name": "",
        "association": None,
        "metadata": {},
        "notices": {},
        "port": 0,
        "lifetime": LIFETIME,
        **given,
        "options": {**OPTIONS, **given.get("options", {})},
    }
    return cast("Instance", members)


def running(world: World, identifier: str) -> Instance | None:
    """The instance that runs under that id, or None."""
    instance = world.get(KIND, identifier)
    return instance if instance is not None and instance["state"] == "running" else None


def association(world: World, profile: documents.InstanceProfile, identifier: str) -> ProfileAssociation:
    at = int(world.now())
    tail = _digest("association", identifier, profile["id"], str(at), str(world.settings["generation"]))[:17]
    return {"id": f"iip-assoc-{tail}", "profile": profile["arn"], "profile_id": profile["id"], "since": at}


def profile_of(world: World, instance: Instance) -> documents.InstanceProfile | None:
    """The instance profile that the instance is associated with; None without one, or when it is gone.

    A profile that was deleted and made again under the same name is another one, as on AWS
    (docs/aws/instance-metadata.md, "Credentials").
    """
    associated = instance["association"]
    return world.find(documents.INSTANCE_PROFILE, associated["profile_id"]) if associated else None


def arn_of(instance: Instance) -> str:
    return f"arn:{names.PARTITION}:ec2:{instance['region']}:{instance['account']}:instance/{instance['id']}"


def place_of(instance: Instance) -> Place:
    """The instance's names and addresses, derived from its id and account."""
    mine, net = bytes.fromhex(_digest("place", instance["id"])), _digest("vpc", instance["account"], instance["region"])
    private = str(ipaddress.IPv4Address(b"\x0a\x00" + bytes([mine[0] & 0x0F, 4 + mine[1] % 250])))
    # 203.0.113.0/24 is for documentation (RFC 5737): nobody's address.
    public = f"203.0.113.{1 + mine[2] % 254}"
    inside = "ec2.internal" if instance["region"] == "us-east-1" else f"{instance['region']}.compute.internal"
    outside = "compute-1" if instance["region"] == "us-east-1" else f"{instance['region']}.compute"
    return Place(
        private_ip=private,
        public_ip=public,
        mac=":".join(f"{byte:02x}" for byte in b"\x02" + mine[3:8]),
        private_name=f"ip-{private.replace('.', '-')}.{inside}",
        public_name=f"ec2-{public.replace('.', '-')}.{outside}.amazonaws.com",
        vpc=f"vpc-0{net[:16]}",
        subnet=f"subnet-0{net[16:32]}",
        interface=f"eni-0{mine.hex()[16:32]}",
        group=f"sg-0{net[32:48]}",
        reservation=f"r-0{mine.hex()[32:48]}",
        zone_id=f"{_zone_prefix(instance['region'])}-az{1 + ord(instance['zone'][-1]) % 6}",
    )


def _zone_prefix(region: str) -> str:
    """`use1` of us-east-1."""
    parts = region.split("-")
    return f"{parts[0]}{''.join(part[0] for part in parts[1:-1])}{parts[-1]}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
