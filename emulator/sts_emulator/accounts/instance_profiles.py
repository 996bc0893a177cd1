"""Which instance profile a request to EC2 names, and the role that is in it."""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.accounts import documents, resources
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World


def role_of(world: World, profile: documents.InstanceProfile) -> documents.Role | None:
    """The role in an instance profile, or None when the profile is empty or the role is gone."""
    for name in profile["roles"]:
        return resources.role(world, profile["account"], name)
    return None


def find_profile(world: World, account: str, given: Mapping[str, str]) -> documents.InstanceProfile:
    """The account's instance profile that a request names by ARN or name.

    Raises:
        AwsError: InvalidParameterValue, in EC2's words, when there is none.
    """
    arn, name = given.get("Arn", ""), given.get("Name", "")
    if arn:
        wanted = arn.rsplit("/", 1)[-1]
        profile = world.settled(world.get(documents.INSTANCE_PROFILE, resources.key_of(account, wanted)))
        if profile is None or profile["arn"] != arn:
            message = f"Value ({arn}) for parameter iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"
            raise AwsError("InvalidParameterValue", message)
        return profile
    profile = world.settled(world.get(documents.INSTANCE_PROFILE, resources.key_of(account, name)))
    if profile is None:
        message = f"Value ({name}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
        raise AwsError("InvalidParameterValue", message)
    return profile
