"""What a person may become, and how: their assignments, and the reserved role that one of them leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sts_emulator.accounts import directory, resources
from sts_emulator.accounts.directory import PermissionSet
from sts_emulator.core.world import World
from sts_emulator.methods.identity_center.portal_sessions import PortalSession
from sts_emulator.methods.identity_center.refusals import portal_refused
from sts_emulator.policy.deciding.engine import Principal
from sts_emulator.policy.explaining.origin import IDENTITY_CENTER, said
from sts_emulator.policy.federated import SAML
from sts_emulator.vending.assume import Ask, Proof, Vended, assume
from sts_emulator.vending.context import Context

ACTION: Final = SAML.action


def offered(world: World, session: PortalSession) -> Mapping[str, Mapping[str, PermissionSet]]:
    """The permission sets that a person may have, by account and name."""
    sets = {known["arn"]: known for known in directory.permission_sets(world, session.instance)}
    offers: dict[str, dict[str, PermissionSet]] = {}
    for assignment in directory.assignments_of(world, session.instance, session.person):
        known = sets.get(assignment["permission_set"])
        if known is not None and directory.provisioned(world, known["arn"], assignment["account"]) is not None:
            offers.setdefault(assignment["account"], {})[known["name"]] = known
    return {account: dict(sorted(by_name.items())) for account, by_name in sorted(offers.items())}


def vend(ctx: Context, session: PortalSession, account: str, name: str) -> Vended:
    """A session of the role that permission set `name` is in an account.

    The role's trust policy is asked, as for any other assertion of that provider; the portal's no is a bare one, and
    its reason stands in the event.

    Raises:
        AwsError: ForbiddenException 403, "No access".
    """
    instance, person, world = session.instance, session.person, ctx.world
    ctx.evidence["instance"] = instance["arn"]
    permission_set = _assigned(ctx, session, account, name)
    there = directory.provisioned(world, permission_set["arn"], account)
    role = None if there is None else resources.role(world, account, there["role"])
    if there is None or role is None:
        raise _no_access(ctx, f"permission set {name} is not provisioned in account {account}")
    ask = Ask(
        session_name=person["name"],
        duration=directory.session_seconds(there["duration"]),
        tags={**directory.session_tags(instance, person), **session.attributes},
        role_arn=role["arn"],
    )
    return assume(ctx, _proof(session, account), ACTION, role, ask)


def _assigned(ctx: Context, session: PortalSession, account: str, name: str) -> PermissionSet:
    """The permission set, if the person has it in that account. Raises AwsError."""
    world = ctx.world
    permission_set = directory.permission_set_by_name(world, session.instance, name[:64])
    if permission_set is None:
        raise _no_access(ctx, f"there is no permission set {name[:64]}")
    wanted = (account, permission_set["arn"])
    reaching = directory.assignments_of(world, session.instance, session.person)
    if any((assignment["account"], assignment["permission_set"]) == wanted for assignment in reaching):
        return permission_set
    raise _no_access(ctx, _unassigned(world, session, account, permission_set))


def _unassigned(world: World, session: PortalSession, account: str, permission_set: PermissionSet) -> str:
    """Which assignment, or membership, is missing."""
    who, name = session.person["name"], permission_set["name"]
    sentence = f"{who} has no assignment of permission set {name} in account {account[:12]}"
    known = directory.assignments(world, permission_set["arn"], account)
    groups = [assignment["principal"] for assignment in known if assignment["principal_type"] == directory.GROUP]
    if outside := directory.outside(world, session.person, groups):
        return f"{sentence}: its groups there are {outside}"
    return f"{sentence}, and none of a group: create an account assignment"


def _proof(session: PortalSession, account: str) -> Proof:
    provider = directory.provider_arn(session.instance, account)
    keys: dict[str, tuple[str, ...]] = {
        "saml:aud": (directory.SIGN_IN_AUDIENCE,),
        "saml:sub": (session.person["name"],),
        "saml:sub_type": ("persistent",),
        "aws:principalaccount": (account,),
        "aws:principaltype": ("User",),
        "aws:userid": (provider,),
    }
    return Proof(
        method="GetRoleCredentials",
        principal=Principal("saml", provider, account, id=provider),
        context=keys,
        denied=f"Not authorized to perform {ACTION}",
        person=(session.person["id"], directory.store_arn(session.instance)),
        witness=said(session.person["name"], IDENTITY_CENTER),
    )


def _no_access(ctx: Context, why: str) -> Exception:
    ctx.evidence["refused"] = why
    return portal_refused("ForbiddenException", "No access")
