"""Aliases of trust anchors, profiles and CRLs: which names are allowed, and who holds them (botocore 1.44's model)."""

from __future__ import annotations

from sts_emulator.accounts.anywhere import AnywhereResource
from sts_emulator.methods.roles_anywhere.kinds import Noun, Resource, holder, invalid
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result

_RESERVED = "aws/"


def claimed(ctx: Context, noun: Noun[Resource], name: str | None, thing: Resource | None = None) -> dict[str, str]:
    """The `alias` member to store for a request's `aliasName`; empty where the request leaves it alone.

    The pattern is the model's. An empty name takes the alias away.

    Raises:
        AwsError: ValidationException for a reserved name or one that another resource of the kind holds.
    """
    if name is None:
        return {}
    if name.lower().startswith(_RESERVED):
        raise invalid(f"Alias names that begin with {_RESERVED} are reserved")
    other = holder(ctx, noun, name)
    if other is not None and (thing is None or other["id"] != thing["id"]):
        raise invalid(f"The alias {name} is already in use")
    return {"alias": name}


def previous(before: AnywhereResource, after: AnywhereResource) -> Result:
    """The `previousAliasName` member of an update that changed or removed an alias."""
    old = before.get("alias", "")
    return {"previousAliasName": old} if old and after.get("alias", "") != old else {}
