"""The organization that a caller belongs to: who may ask about it, how its parts are named, and pages of lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar

from sts_emulator.accounts import documents, organizations
from sts_emulator.accounts.documents import ControlPolicy
from sts_emulator.control_plane.listing import Item, Listing, itself
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context
from sts_emulator.wire.dispatch import Result, Wire

Org = documents.Organization
Value = TypeVar("Value")

# AWS's sentences, from clients' error reports.
NOT_IN_USE = "Your account is not a member of an organization."
NOT_YOURS = "You don't have permissions to access this resource."


def member(ctx: Context, action: str) -> Org:
    """The caller's organization, once the caller may do `action`; any account of it may ask.

    Raises:
        AwsError: AccessDenied; AWSOrganizationsNotInUseException.
    """
    authorize(ctx, f"organizations:{action}", "*")
    org = organizations.organization(ctx.world)
    if org is None or ctx.identity.account not in org["parents"]:
        raise AwsError("AWSOrganizationsNotInUseException", NOT_IN_USE)
    return org


def manage(ctx: Context, action: str, *resources: str, keys: Mapping[str, tuple[str, ...]] | None = None) -> Org:
    """The caller's organization, once the caller may do `action` to all of the resources (ids; none: `*`).

    Only the management account may, and to read whoever administers a service in its place.

    Raises:
        AwsError: AccessDeniedException; AWSOrganizationsNotInUseException.
    """
    org = organizations.organization(ctx.world)
    for resource in resources or ("*",):
        arn = resource if org is None or resource == "*" else arn_of(org, resource)
        authorize(ctx, f"organizations:{action}", arn, keys)
    if org is None or ctx.identity.account not in org["parents"]:
        raise AwsError("AWSOrganizationsNotInUseException", NOT_IN_USE)
    is_read = action.startswith(("List", "Describe"))
    if ctx.identity.account != org["management"] and not (
        is_read and organizations.is_delegate(org, ctx.identity.account)
    ):
        raise AwsError("AccessDeniedException", NOT_YOURS)
    return org


def change(ctx: Context, how: Callable[[Any], Any]) -> documents.Organization:
    return ctx.world.update(documents.ORGANIZATION, "organization", how)


def kind_of(org: Org, place: str) -> str:
    """ROOT, ORGANIZATIONAL_UNIT or ACCOUNT; empty for what is no part of the organization."""
    if place == org["root"]:
        return "ROOT"
    if place not in org["parents"]:
        return ""
    return "ACCOUNT" if names.is_account_id(place) else "ORGANIZATIONAL_UNIT"


def arn_of(org: Org, identifier: str) -> str:
    """The ARN of a part of the organization, or of a policy, by its id."""
    if not identifier.startswith("p-"):
        return organizations.place_arn(org, identifier)
    known = org["policies"].get(identifier)
    return organizations.policy_arn(org, identifier, known["type"] if known else "*")


def children(org: Org, parent: str, kind: str) -> list[str]:
    """The ids of the units or accounts right below a place. Raises AwsError: ParentNotFoundException."""
    if kind_of(org, parent) not in ("ROOT", "ORGANIZATIONAL_UNIT"):
        raise AwsError("ParentNotFoundException", "We can't find a root or OU with that ParentId.")
    return sorted(place for place, above in org["parents"].items() if above == parent and kind_of(org, place) == kind)


def with_full_access(org: Org, places: Sequence[str]) -> dict[str, ControlPolicy]:
    """The organization's policies once FullAWSAccess is attached to the places too, if SCPs are enabled."""
    policies = dict(org["policies"])
    if organizations.SERVICE_CONTROL in organizations.enabled(org):
        known = policies.get(organizations.FULL_ACCESS_ID) or organizations.aws_policies()[organizations.FULL_ACCESS_ID]
        policies[organizations.FULL_ACCESS_ID] = {**known, "targets": [*dict.fromkeys([*known["targets"], *places])]}
    return policies


def detached(org: Org, place: str) -> dict[str, ControlPolicy]:
    """The organization's policies once none is attached to a place."""
    return {
        identifier: {**policy, "targets": [target for target in policy["targets"] if target != place]}
        for identifier, policy in org["policies"].items()
    }


def invalid(reason: str, message: str) -> AwsError:
    """An InvalidInputException with its reason."""
    return AwsError("InvalidInputException", message, members={"Reason": reason})


def constraint(reason: str, message: str) -> AwsError:
    """A ConstraintViolationException with its reason."""
    return AwsError("ConstraintViolationException", message, members={"Reason": reason})


# 20 is the most, and the default, of MaxResults.
_LISTING = Listing(20, lambda: invalid("INVALID_NEXT_TOKEN", "You provided an invalid value for NextToken."))


class Paging(TypedDict, total=False):
    """What lists are asked besides: where to go on, and how much to show."""

    NextToken: str | None
    MaxResults: int | None


def page(
    ctx: Context, member: str, items: Sequence[Item], paging: Paging, render: Callable[[Item], Wire] = itself
) -> Result:
    """One page as the result member `member`. Raises AwsError."""
    return _LISTING.page(ctx, member, items, paging.get("NextToken"), paging.get("MaxResults"), render)


def without(members: Mapping[str, Value], gone: str) -> dict[str, Value]:
    """What is left once one member is gone; one that is not there is ignored."""
    return {name: value for name, value in members.items() if name != gone}
