"""The account access manager as it is stored: its application at an instance, and who may have which role.

Source: docs/aws/identity-center.md, "Account access manager".
"""

from __future__ import annotations

from typing import Final, TypedDict

from sts_emulator.accounts import directory, organizations
from sts_emulator.accounts.directory import DirectoryUser, Instance
from sts_emulator.accounts.documents import Tags
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World

SERVICE: Final = "account-access.amazonaws.com"


class AccessApplication(TypedDict):
    """The account access manager of an instance, of which there is one."""

    arn: str
    account: str
    region: str
    tenant: str  # `aa-…`
    instance: str  # its id
    application: str  # the ARN of what it is in Identity Center
    created: int
    updated: int
    tags: Tags


class Entitlement(TypedDict):
    """That somebody, or a group, may have a role."""

    id: str
    application: str  # ARN
    principal_type: str  # USER, GROUP
    principal: str
    role: str  # ARN
    created: int


ACCESS_APPLICATION: Kind[AccessApplication] = Kind("access-application")  # key: ARN, uid: tenant
ENTITLEMENT: Kind[Entitlement] = Kind("access-entitlement")  # key: `ARN/id`


def of_instance(world: World, instance: Instance) -> AccessApplication | None:
    return next((known for known in world.page(ACCESS_APPLICATION) if known["instance"] == instance["id"]), None)


def entitlements(world: World, application: str) -> tuple[Entitlement, ...]:
    """All entitlements of an application, oldest first."""

    def ordered() -> tuple[Entitlement, ...]:
        known = world.page(ENTITLEMENT, f"{application}/")
        return tuple(sorted(known, key=lambda entitlement: (entitlement["created"], entitlement["id"])))

    return world.memo(("access-entitlements", application), ordered)


def entitlements_of(world: World, application: str, person: DirectoryUser) -> list[Entitlement]:
    """Every entitlement that reaches a person, by name or through a group."""
    means = directory.means(world, person)
    known = entitlements(world, application)
    return [entitlement for entitlement in known if (entitlement["principal_type"], entitlement["principal"]) in means]


def forget(world: World, application: AccessApplication) -> None:
    """Delete an application, what it is in Identity Center, and all its entitlements. Running sessions go on."""
    for key, _ in world.page_keys(ENTITLEMENT, f"{application['arn']}/"):
        world.take(ENTITLEMENT, key)
    world.take(directory.APPLICATION, application["application"])
    world.take(ACCESS_APPLICATION, application["arn"])


def forget_principal(world: World, principal: str) -> None:
    """Remove every entitlement of a user or group that is deleted."""
    for key, entitlement in world.page_keys(ENTITLEMENT):
        if entitlement["principal"] == principal:
            world.take(ENTITLEMENT, key)


def is_member(world: World, account: str) -> bool:
    """Whether the organization has the account."""
    org = organizations.organization(world)
    return org is not None and account in org["parents"]
