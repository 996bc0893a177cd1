"""What the launch templates say that calls of EC2 name: read at the upstream, since what is launched is decided on."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway import asking
from sts_emulator.gateway import parameters as read
from sts_emulator.gateway.asking import Place
from sts_emulator.gateway.call import Call
from sts_emulator.gateway.resource_policies import ResourcePolicies

if TYPE_CHECKING:
    from lxml.etree import _Element

_CONFIGS: Final = {  # where calls name them
    **dict.fromkeys(("CreateFleet", "ModifyFleet", "ModifySpotFleetRequest"), "LaunchTemplateConfigs"),
    "RequestSpotFleet": "SpotFleetRequestConfig.LaunchTemplateConfigs",
}
_LIST: Final = "Set"


async def read_for(known: ResourcePolicies, call: Call) -> Call:
    """The call, in which each launch template has its id and, as `LaunchTemplateData`, what it says.

    Raises:
        AwsError: a template is named in two ways, or what reading it raises.
    """
    path = _CONFIGS.get(call.operation)
    place = known.place(call.service, call.account, call.region)
    if path is None or place is None:
        return call
    parameters = deepcopy(dict(call.parameters))
    for config in read.structures(parameters, path):
        named = config.get("LaunchTemplateSpecification")
        if isinstance(config, dict) and isinstance(named, dict):
            told = await _version(place, named)
            config["LaunchTemplateData"] = told.get("LaunchTemplateData") or {}
            named["LaunchTemplateId"] = named.get("LaunchTemplateId") or told.get("LaunchTemplateId") or ""
    return replace(call, parameters=parameters)


async def _version(place: Place, named: Mapping[str, Any]) -> Mapping[str, Any]:
    """The version of a template; empty where the upstream does not know it."""
    names = {name: str(named[name]) for name in ("LaunchTemplateId", "LaunchTemplateName") if named.get(name)}
    if len(names) > 1:
        raise AwsError("InvalidRequest", "The launch template is named by its id and by its name.", status=400)
    names["LaunchTemplateVersion.1"] = str(named.get("Version") or "$Default")
    told = await asking.ask_form(place, "ec2", "DescribeLaunchTemplateVersions", names)
    version = told.find("{*}launchTemplateVersionSet/{*}item") if told is not None else None
    content = _content(version) if version is not None else {}
    return content if isinstance(content, dict) else {}


def _content(element: _Element) -> Any:
    """An element of EC2's answers as a request would say it: `securityGroupIdSet` is a list of `SecurityGroupIds`."""
    if element.tag.endswith(_LIST):
        return [_content(child) for child in element]
    return {_name(child): _content(child) for child in element} if len(element) else element.text or ""


def _name(element: _Element) -> str:
    name = element.tag.rpartition("}")[2]
    plural = f"{name.removesuffix(_LIST)}s" if name.endswith(_LIST) else name
    return plural[:1].upper() + plural[1:]
