"""The documents in which an instance finds its credentials, whether there are any or not.

Source: docs/aws/instance-metadata.md, "Credentials".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sts_emulator.accounts.compute import Instance, ProfileAssociation
from sts_emulator.accounts.instance_profiles import role_of
from sts_emulator.core import clock, names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.methods.instance_profile import delivery
from sts_emulator.methods.instance_profile.delivery import Delivered, Workload
from sts_emulator.methods.instance_profile.instances import arn_of, place_of, profile_of
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.vending import credentials
from sts_emulator.vending.assume import Vended
from sts_emulator.vending.context import Server
from sts_emulator.vending.session import INSTANCE, Session

SERVICE: Final = "ec2.amazonaws.com"
IDENTITY_ROLE: Final = "aws:ec2-instance"
V1, V2 = "1.0", "2.0"
"""How credentials were fetched: the values of ec2:RoleDelivery."""

_SEE = (
    "Please see documentation at "
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_iam-ec2.html#troubleshoot_iam-ec2_errors-info-doc."
)


def info(world: World, instance: Instance) -> str | None:
    """The document `iam/info`; None where no instance profile is associated."""
    associated = instance["association"]
    if associated is None:
        return None
    profile = profile_of(world, instance)
    current = _kept(world, instance)
    updated = clock.iso(current.at if current else world.now())
    if profile is None:
        message = f"Instance Profile with ID {associated['profile_id']} cannot be found.  {_SEE}"
        return _text({"Code": "InstanceProfileNotFound", "Message": message, "LastUpdated": updated})
    members = {"Code": "Success", "LastUpdated": updated}
    if not profile["roles"]:
        members["Message"] = f"Instance Profile does not contain a role.  {_SEE}"
    return _text({**members, "InstanceProfileArn": profile["arn"], "InstanceProfileId": profile["id"]})


def role_name(world: World, instance: Instance) -> str | None:
    """The role whose credentials the instance finds, or None.

    Another role in the profile shows with the next renewal; another profile shows at once.
    """
    if instance["association"] is None:
        return None
    current = _kept(world, instance)
    if current is not None:
        return current.role
    role = role_of(world, profile_of(world, instance))
    return role["name"] if role else None


def role_document(server: Server, world: World, instance: Instance, how: str, *, extended: bool = False) -> str:
    """The credentials of the instance's role, or why there are none; `how` is V1 or V2.

    `extended` adds the account, as the newer path does.
    """
    role = role_of(world, profile_of(world, instance))
    try:
        delivered = delivery.deliver(server, world, _workload(instance, how), role, _place(instance, how))
    except AwsError:
        message = f"EC2 cannot assume the role {role['name'] if role else ''}.  {_SEE}"
        refusal = {"Code": "AssumeRoleUnauthorizedAccess", "Message": message}
        return _text({**refusal, "LastUpdated": clock.iso(world.now())})
    return _text(_members(delivered, instance["account"] if extended else ""))


def identity_document(world: World, instance: Instance) -> str:
    """The credentials of the instance itself: no role of the account, no trust policy, hardly any permission."""
    place = ("instance-identity", instance["id"])
    delivered = delivery.kept(world, place) or delivery.keep(world, place, _identity(world, instance))
    return _text(_members(delivered, ""))


def identity_info(world: World, instance: Instance) -> str:
    """The document `identity-credentials/ec2/info`."""
    return _text({"Code": "Success", "LastUpdated": clock.iso(world.now()), "AccountId": instance["account"]})


def _identity(world: World, instance: Instance) -> Vended:
    issued, account = int(world.now()), instance["account"]
    session = Session(
        kind=INSTANCE,
        account=account,
        name=IDENTITY_ROLE,
        id=account,
        issued=issued,
        expires=issued + instance["lifetime"],
        session_name=instance["id"],
        context=_lasting(instance, V2),
        method="EC2 instance identity",
    )
    return Vended(
        credentials=credentials.mint(world, session),
        session=session,
        arn=names.session_arn(account, IDENTITY_ROLE, instance["id"]),
        role_id=f"{account}:{IDENTITY_ROLE}:{instance['id']}",
        packed=None,
    )


def _workload(instance: Instance, how: str) -> Workload:
    return Workload(
        service=SERVICE,
        method="EC2 instance profile",
        account=instance["account"],
        region=instance["region"],
        session_name=instance["id"],
        lifetime=instance["lifetime"],
        lasting=_lasting(instance, how),
        evidence={"instance": instance["id"], "instanceProfile": _associated(instance)["profile"], "imds": how},
    )


def _lasting(instance: Instance, how: str) -> dict[str, Sequence[str]]:
    """What every call with the credentials says about where they came from."""
    place = place_of(instance)
    return {
        "ec2:roledelivery": [how],
        "ec2:sourceinstancearn": [arn_of(instance)],
        "aws:ec2instancesourcevpc": [place.vpc],
        "aws:ec2instancesourceprivateipv4": [place.private_ip],
    }


def _kept(world: World, instance: Instance) -> Delivered | None:
    return delivery.kept(world, _place(instance, V2)) or delivery.kept(world, _place(instance, V1))


def _place(instance: Instance, how: str) -> tuple[str, ...]:
    return ("instance", instance["id"], _associated(instance)["id"], how)


def _associated(instance: Instance) -> ProfileAssociation:
    association = instance["association"]
    assert association is not None, "whoever asks for its role's credentials has found its profile"
    return association


def _members(delivered: Delivered, account: str) -> dict[str, str]:
    opening = {"Code": "Success", "LastUpdated": clock.iso(delivered.at), "Type": "AWS-HMAC"}
    return {**opening, **delivered.members(), **({"AccountId": account} if account else {})}


def _text(members: JsonObject) -> str:
    return json.dumps(members, indent=2, separators=(",", " : "))
