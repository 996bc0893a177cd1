"""The roles that calls of EC2 pass on inside an instance profile, which is here, or a launch template, which is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import Final

from sts_emulator.accounts.instance_profiles import find_profile, role_of
from sts_emulator.core.world import World
from sts_emulator.gateway import asking
from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.overlay import PROFILE, profile_need
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import ResourcePolicies

_SPECIFIED: Final = "LaunchTemplateConfigs.LaunchTemplateSpecification"
_TEMPLATES: Final = {  # where calls name launch templates
    **dict.fromkeys(("CreateFleet", "ModifyFleet", "ModifySpotFleetRequest"), _SPECIFIED),
    "RequestSpotFleet": f"SpotFleetRequestConfig.{_SPECIFIED}",
}


async def named(passage: Passage, known: ResourcePolicies, call: Call, needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """The needs, with the roles that they pass on in place of the instance profiles that hold them.

    Raises:
        AwsError: there is no such instance profile.
    """
    profiles = [profile async for profile in _in_templates(known, call)]
    needs = (*needs, *map(profile_need, dict.fromkeys(profiles)))
    if any(PROFILE in need.resource for need in needs):
        return await passage.read(partial(_with_roles, passage.ctx.world, call.account, needs))
    return needs


def _with_roles(world: World, account: str, needs: Iterable[Need]) -> tuple[Need, ...]:
    return tuple(passed for need in needs for passed in _role(world, account, need))


def _role(world: World, account: str, need: Need) -> Iterator[Need]:
    """The need on the role in a profile; a profile without a role passes nothing on."""
    if need.action != "iam:PassRole" or PROFILE not in need.resource:
        yield need
        return
    is_arn = need.resource.startswith("arn:")
    given = {"Arn": need.resource} if is_arn else {"Name": need.resource.removeprefix(PROFILE)}
    if (role := role_of(world, find_profile(world, account, given))) is not None:
        yield Need(need.action, role["arn"], need.keys)


async def _in_templates(known: ResourcePolicies, call: Call) -> AsyncIterator[str]:
    """The instance profiles that launch templates name: what is launched from one passes on its role."""
    place = known.place("ec2", call.account, call.region)
    assert place is not None, "the call has come to be passed on"
    for template in read.structures(call.parameters, _TEMPLATES.get(call.operation, "")):
        names = {name: str(template[name]) for name in ("LaunchTemplateId", "LaunchTemplateName") if name in template}
        names["LaunchTemplateVersion.1"] = str(template.get("Version") or "$Default")
        told = await asking.ask_form(place, "ec2", "DescribeLaunchTemplateVersions", names)
        for profile in told.iter("{*}iamInstanceProfile") if told is not None else ():
            yield profile.findtext("{*}arn") or profile.findtext("{*}name") or ""
