"""The condition keys of a call that an AWS service makes, on behalf of a resource of some account."""

from __future__ import annotations

from sts_emulator.accounts import organizations
from sts_emulator.core.world import World
from sts_emulator.vending.context import TRUE


def service_keys(
    world: World, service: str, *, source_arn: str = "", source_account: str = ""
) -> dict[str, tuple[str, ...]]:
    """What policies can tell of the service, and of the resource for which it calls.

    The organization's keys come with the account's: so the trust policy that AWS recommends for pods holds
    (`"aws:SourceOrgId": "${aws:ResourceOrgId}"`, EKS User Guide, "Pod Identity role").
    """
    keys: dict[str, tuple[str, ...]] = {"aws:principalisawsservice": TRUE, "aws:principalservicename": (service,)}
    if source_arn:
        keys["aws:sourcearn"] = (source_arn,)
    if source_account:
        keys["aws:sourceaccount"] = (source_account,)
        keys.update(organizations.source_keys(world, source_account))
    return keys
