"""The account access manager in a scenario: who has which roles of the accounts' own by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sts_emulator.accounts import account_access, directory
from sts_emulator.accounts.directory import Instance
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.problems import ScenarioError
from sts_emulator.scenario.seed import Seed
from sts_emulator.scenario.shape import Shape

Principals = Iterator[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Entitlement(Shape):
    """That users and groups may have roles, by ARN: all of the first may have all of the last."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...]


def entitle(
    seed: Seed,
    instance: Instance,
    entitlements: tuple[Entitlement, ...],
    principals: Callable[[Entitlement], Principals],
) -> None:
    """Enable the manager, as its guide tells to, and give what is wanted."""
    if not entitlements:
        return
    if seed.organization is None:
        raise ScenarioError.at(
            entitlements[0].where, "entitlements need an `organization` whose account owns the instance"
        )
    with seed.organization_in_place():  # its owner is the management account, which no policy of it reaches
        seed.call("organizations", "EnableAWSServiceAccess", ServicePrincipal=account_access.SERVICE)
        arn = _application(seed, instance)
        for wanted in entitlements:
            for kind, identifier in principals(wanted):
                for role in wanted.roles:
                    with seed.blame(wanted.where.at("roles"), f"entitlement to `{role[:200]}`"):
                        _give(seed, arn, kind, identifier, role)


def _application(seed: Seed, instance: Instance) -> str:
    known = account_access.of_instance(seed.world, instance)
    if known is not None:
        return known["arn"]
    source = {"identityCenter": {"instanceArn": instance["arn"]}}
    return str(seed.call("account-access", "CreateApplication", identitySource=source)["applicationArn"])


def _give(seed: Seed, arn: str, kind: str, identifier: str, role: str) -> None:
    principal = {"userId" if kind == directory.USER else "groupId": identifier}
    mapping: Mapping[str, Any] = {"principal": {"identityCenter": principal}, "roleArn": role}
    seed.call("account-access", "CreateEntitlement", applicationArn=arn, entitlement={"principalRole": mapping})
