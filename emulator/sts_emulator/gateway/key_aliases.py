"""Which keys aliases stand for: asked for at the upstream, so that the keys are decided on, by their policies."""

from __future__ import annotations

from dataclasses import replace

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.arns import KEY_OF_ALIAS
from sts_emulator.gateway.call import Call, Need
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import ResourcePolicies
from sts_emulator.policy.arns import parse_arn


async def named(_: Passage, known: ResourcePolicies, __: Call, needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """The needs, with the ARNs of the keys that are named by an alias.

    Raises:
        AwsError: `NotFoundException`, for an alias that there is not.
    """
    keys = [await _key(known, need.resource) for need in needs]
    return tuple(replace(need, resource=key) for need, key in zip(needs, keys, strict=True))


async def _key(known: ResourcePolicies, resource: str) -> str:
    arn = parse_arn(resource)
    if arn is None or KEY_OF_ALIAS not in resource:
        return resource
    alias = arn.resource.removeprefix("key/")
    key = await known.key_of_alias(arn.account, arn.region, alias)
    if not key:
        told = f"Alias arn:{arn.partition}:kms:{arn.region}:{arn.account}:{alias} is not found."
        raise AwsError("NotFoundException", told, status=400)
    return f"arn:{arn.partition}:kms:{arn.region}:{arn.account}:key/{key}"
