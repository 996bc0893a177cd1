"""The metadata tree: what an instance reads about itself, as paths below a version.

Source: docs/aws/instance-metadata.md, "Service", "Credentials".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Final

from sts_emulator.accounts.compute import Instance
from sts_emulator.core import clock
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile import identity_document, instance_credentials
from sts_emulator.methods.instance_profile.instances import Place, place_of
from sts_emulator.vending.context import Server

VERSIONS: Final = (
    *("1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01"),
    *("2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25", "2014-11-05", "2015-10-20", "2016-04-19"),
    *("2016-06-30", "2016-09-02", "2018-03-28", "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03"),
    *("2021-03-23", "2021-07-15", "2022-07-09", "2022-09-24", "2024-04-11", "latest"),
)

NOTICE: Final = 120
"""Seconds between a spot interruption notice and the interruption."""

Value = str | bytes | Callable[[], str]
Tree = Mapping[str, Value]


def tree(server: Server, world: World, instance: Instance, how: str) -> Tree:
    """Everything the instance can read, by path; `how` is the metadata version by which it asks."""
    place = place_of(instance)
    leaves: dict[str, Value] = {f"meta-data/{path}": text for path, text in _general(instance, place).items()}
    mac = f"meta-data/network/interfaces/macs/{place.mac}"
    leaves.update({f"{mac}/{path}": text for path, text in _interface(instance, place).items()})
    leaves.update({f"meta-data/{path}": value for path, value in _credentials(server, world, instance, how).items()})
    leaves.update({f"meta-data/{path}": text for path, text in _notices(instance).items()})
    if instance["options"]["tags"] == "enabled":
        leaves.update({f"meta-data/tags/instance/{key}": value for key, value in instance["tags"].items()})
    leaves["dynamic/instance-identity/document"] = text = identity_document.document(instance)
    for form in identity_document.SIGNATURES:
        leaves[f"dynamic/instance-identity/{form}"] = lambda form=form: identity_document.signature(world, text, form)  # type: ignore[misc]  # bound as a default because the loop goes on
    if instance["user_data"]:
        leaves["user-data"] = base64.b64decode(instance["user_data"])
    leaves.update({f"meta-data/{path}": text for path, text in instance["metadata"].items()})
    return leaves


def listing(paths: Tree, folder: str) -> str | None:
    """What stands in a folder (`""` or ending in a slash), one a line; folders end in a slash. None: no such folder."""
    seen: dict[str, None] = {}
    for path in paths:
        if path.startswith(folder):
            head, slash, _ = path[len(folder) :].partition("/")
            seen[head + slash] = None
    if folder == "meta-data/public-keys/":
        key_name = str(paths["meta-data/public-keys/0/openssh-key"]).rsplit(" ", 1)[-1] if seen else ""
        return "\n".join(f"{name.rstrip('/')}={key_name}" for name in seen) or None
    if not folder:  # the top of a version is listed without slashes
        return "\n".join(sorted(name.rstrip("/") for name in seen))
    return "\n".join(sorted(seen)) or None


def _general(instance: Instance, place: Place) -> dict[str, str]:
    texts = {
        "ami-id": instance["image"],
        "ami-launch-index": "0",
        "ami-manifest-path": "(unknown)",
        "block-device-mapping/ami": "/dev/xvda",
        "block-device-mapping/root": "/dev/xvda",
        "hostname": place.private_name,
        "instance-action": "none",
        "instance-id": instance["id"],
        "instance-life-cycle": instance["market"],
        "instance-type": instance["type"],
        "local-hostname": place.private_name,
        "local-ipv4": place.private_ip,
        "mac": place.mac,
        "placement/availability-zone": instance["zone"],
        "placement/availability-zone-id": place.zone_id,
        "placement/region": instance["region"],
        "profile": "default-hvm",
        "public-hostname": place.public_name,
        "public-ipv4": place.public_ip,
        "reservation-id": place.reservation,
        "security-groups": "default",
        "services/domain": "amazonaws.com",
        "services/partition": "aws",
        "system": "nitro",
    }
    if instance["key_name"]:
        texts["public-keys/0/openssh-key"] = f"ssh-ed25519 {_PUBLIC_KEY} {instance['key_name']}"
    return texts


# Of a key that nobody has: enough for programs that install what they find.
_PUBLIC_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


def _interface(instance: Instance, place: Place) -> dict[str, str]:
    return {
        "device-number": "0",
        "interface-id": place.interface,
        f"ipv4-associations/{place.public_ip}": place.private_ip,
        "local-hostname": place.private_name,
        "local-ipv4s": place.private_ip,
        "mac": place.mac,
        "owner-id": instance["account"],
        "public-hostname": place.public_name,
        "public-ipv4s": place.public_ip,
        "security-group-ids": place.group,
        "security-groups": "default",
        "subnet-id": place.subnet,
        "subnet-ipv4-cidr-block": "10.0.0.0/20",
        "vpc-id": place.vpc,
        "vpc-ipv4-cidr-block": "10.0.0.0/16",
        "vpc-ipv4-cidr-blocks": "10.0.0.0/16",
    }


def _credentials(server: Server, world: World, instance: Instance, how: str) -> dict[str, Value]:
    values: dict[str, Value] = {
        "identity-credentials/ec2/info": lambda: instance_credentials.identity_info(world, instance),
        "identity-credentials/ec2/security-credentials/ec2-instance": (
            lambda: instance_credentials.identity_document(world, instance)
        ),
    }
    info = instance_credentials.info(world, instance)
    role = instance_credentials.role_name(world, instance)
    if info is not None:
        values["iam/info"] = info
    if role is not None:
        values[f"iam/security-credentials/{role}"] = lambda: instance_credentials.role_document(
            server, world, instance, how
        )
    return values


def extended(server: Server, world: World, instance: Instance, how: str) -> Tree:
    """The newer folder of credentials, which real listings do not show and which some SDKs ask for first."""
    role = instance_credentials.role_name(world, instance)
    if role is None:
        return {}
    path = f"meta-data/iam/security-credentials-extended/{role}"
    return {path: lambda: instance_credentials.role_document(server, world, instance, how, extended=True)}


def _notices(instance: Instance) -> dict[str, str]:
    texts: dict[str, str] = {}
    for kind, at in instance["notices"].items():
        if kind == "spot-interruption":
            ends = clock.iso(at + NOTICE)
            texts["spot/instance-action"] = json.dumps({"action": "terminate", "time": ends})
            texts["spot/termination-time"] = ends
        elif kind == "rebalance":
            texts["events/recommendations/rebalance"] = json.dumps({"noticeTime": clock.iso(at)})
        else:
            texts["events/maintenance/scheduled"] = json.dumps([_maintenance(at)])
    return texts


def _maintenance(at: float) -> dict[str, str]:
    return {
        "NotBefore": _day(at + 86_400),
        "NotAfter": _day(at + 90_000),
        "NotBeforeDeadline": _day(at + 172_800),
        "Code": "system-reboot",
        "Description": "scheduled reboot",
        "EventId": f"instance-event-0{int(at):016x}",
        "State": "active",
    }


def _day(at: float) -> str:
    """`21 Jan 2019 09:00:43 GMT`, the form of scheduled events."""
    return clock.http_date(at).partition(", ")[2].removeprefix("0")
