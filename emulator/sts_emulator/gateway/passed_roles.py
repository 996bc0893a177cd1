"""The roles that calls name otherwise than by their ARN: by their name, or as what is in an instance profile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from sts_emulator.accounts import resources
from sts_emulator.accounts.instance_profiles import find_profile, role_of
from sts_emulator.core.world import World
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.overlay import PROFILE, ROLE
from sts_emulator.gateway.passage import Passage


def are_sought(needs: Iterable[Need]) -> bool:
    """Whether one of the needs is on a role that is not named by its ARN."""
    return any(PROFILE in need.resource or need.resource.startswith(ROLE) for need in needs)


async def found(passage: Passage, call: Call, needs: Iterable[Need]) -> tuple[Need, ...]:
    """The needs, with the ARNs of the roles.

    Raises:
        AwsError: there is no such instance profile.
    """
    world = passage.ctx.world
    return await passage.read(lambda: tuple(passed for need in needs for passed in _role(world, call, need)))


def _role(world: World, call: Call, need: Need) -> Iterator[Need]:
    """The need on the role that is meant; a profile without a role passes nothing on."""
    if need.resource.startswith(ROLE):
        yield replace(need, resource=_arn_of_role(world, call, need.resource.removeprefix(ROLE)))
    elif need.action != "iam:PassRole" or PROFILE not in need.resource:
        yield need
    elif (role := role_of(world, find_profile(world, call.account, _naming(need.resource)))) is not None:
        yield replace(need, resource=role["arn"])


def _arn_of_role(world: World, call: Call, named: str) -> str:
    """The ARN of the account's role that bears a name, of which a path may be a part; a made-up one where none does."""
    role = resources.role(world, call.account, named.rpartition("/")[2])
    return role["arn"] if role is not None else f"arn:{call.partition}:iam::{call.account}:role/{named}"


def _naming(profile: str) -> dict[str, str]:
    return {"Arn": profile} if profile.startswith("arn:") else {"Name": profile.removeprefix(PROFILE)}
