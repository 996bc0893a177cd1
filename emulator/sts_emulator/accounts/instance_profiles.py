"""Which instance profile a request to EC2 names, and the role that is in it."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.accounts import documents, resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World


def role_of(world: World, profile: documents.InstanceProfile | None) -> documents.Role | None:
    """The role in an instance profile, or None when there is none, it is empty, or the role is gone."""
    if profile is None or not profile["roles"]:
        return None
    return resources.role(world, profile["account"], profile["roles"][0])


def find_profile(world: World, account: str, given: Mapping[str, str]) -> documents.InstanceProfile:
    """The account's instance profile that a request names by ARN or name.

    Raises:
        AwsError: InvalidParameterValue, in EC2's words, when there is none.
    """
    arn = given.get("Arn", "")
    name = arn.rpartition("/")[2] if arn else given.get("Name", "")
    profile = world.settled(world.get(documents.INSTANCE_PROFILE, resources.key_of(account, name)))
    if profile is not None and arn in ("", profile["arn"]):
        return profile
    value, member, noun = (arn, "arn", "ARN") if arn else (name, "name", "name")
    message = (
        f"Value ({value}) for parameter iamInstanceProfile.{member} is invalid. Invalid IAM Instance Profile {noun}"
    )
    raise AwsError("InvalidParameterValue", message)
