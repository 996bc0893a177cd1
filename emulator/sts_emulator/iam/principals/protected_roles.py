"""Roles that only AWS changes: those of services and those of IAM Identity Center."""

from __future__ import annotations

from sts_emulator.accounts.documents import Role
from sts_emulator.accounts.resources import Stored
from sts_emulator.core.errors import AwsError

SERVICE_LINKED = "/aws-service-role/"
RESERVED = "/aws-reserved/"


def is_service_linked(role: Role) -> bool:
    """Whether a role belongs to a service."""
    return bool(role.get("path", "").startswith(SERVICE_LINKED))


def check_modifiable(thing: Stored) -> None:
    """Refuse to change a protected role; users, groups and ordinary roles pass.

    Raises:
        AwsError: UnmodifiableEntity (recorded 2026-09, tests/iam/cases).
    """
    if thing.get("path", "").startswith((SERVICE_LINKED, RESERVED)) and "trust" in thing:
        raise AwsError(
            "UnmodifiableEntity",
            f"Cannot perform the operation on the protected role '{thing['name']}' - this role is only modifiable "
            "by AWS",
        )
