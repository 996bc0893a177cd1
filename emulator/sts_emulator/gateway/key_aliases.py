"""Which keys aliases stand for: asked for at the upstream, so that the keys are decided on, by their policies."""

from __future__ import annotations

from dataclasses import replace

from sts_emulator.core.errors import AwsError
from sts_emulator.gateway.arns import KEY_OF_ALIAS
from sts_emulator.gateway.call import Need
from sts_emulator.gateway.passage import Passage
from sts_emulator.gateway.resource_policies import ResourcePolicies
from sts_emulator.policy.arns import parse_arn


async def named(passage: Passage, known: ResourcePolicies, needs: tuple[Need, ...]) -> tuple[Need, ...]:
    """The needs, with the ARNs of the keys that are named by an alias.

    Of an alias that there is not it is the alias' own, and the passage keeps it: who may not use it is not told so. AWS
    does not document in which order it looks, and this is the strict one.
    """
    keys = [await _key(passage, known, need.resource) for need in needs]
    return tuple(replace(need, resource=key) for need, key in zip(needs, keys, strict=True))


async def _key(passage: Passage, known: ResourcePolicies, resource: str) -> str:
    arn = parse_arn(resource)
    if arn is None or KEY_OF_ALIAS not in resource:
        return resource
    alias = arn.resource.removeprefix("key/")
    key = await known.key_of_alias(arn.account, arn.region, alias)
    named = f"arn:{arn.partition}:kms:{arn.region}:{arn.account}:{f'key/{key}' if key else alias}"
    if not key:
        passage.missing_alias = named
    return named


def not_found(alias: str) -> AwsError:
    """What whoever may use it is told of an alias that there is not."""
    return AwsError("NotFoundException", f"Alias {alias} is not found.", status=400)
