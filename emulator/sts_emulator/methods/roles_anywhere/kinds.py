"""The four kinds of resources of IAM Roles Anywhere: how they are named, kept, found, and who may touch them.

Each belongs to one account and region (accounts.documents).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeAlias, TypeVar

from sts_emulator.accounts import anywhere
from sts_emulator.accounts.anywhere import AnywhereResource
from sts_emulator.accounts.documents import changed
from sts_emulator.control_plane.listing import Listing
from sts_emulator.control_plane.reach import own, reached
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.store import Kind
from sts_emulator.core.world import World
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context, Keys
from sts_emulator.wire.dispatch import Result, Wire

Resource = TypeVar("Resource", bound=AnywhereResource)

SERVICE: Final = "rolesanywhere"
PRINCIPAL: Final = f"{SERVICE}.amazonaws.com"
# AWS's own default of pageSize is not recorded.
LISTING = Listing(100, lambda: invalid("Invalid nextToken"), "nextToken")


@dataclass(frozen=True, slots=True)
class Noun(Generic[Resource]):
    """One kind of resource: `kind` in the store, `word` in ARNs, `title` in sentences, `stem` in members of the wire.

    `quota` is per account and region, and those are the user guide's (docs/aws/roles-anywhere.md, "Errors"); None where
    it has none.
    """

    kind: Kind[Resource]
    word: str
    title: str
    stem: str
    quota: int | None = None

    def arn(self, account: str, region: str, name: str) -> str:
        return f"arn:{names.PARTITION}:rolesanywhere:{region}:{account}:{self.word}/{name}"

    def alias_arn(self, account: str, region: str, alias: str) -> str:
        """The ARN that an alias gives to the resource that holds it."""
        return f"arn:{names.PARTITION}:rolesanywhere:{region}:{account}:alias/{self.word}/{alias}"


AnyNoun: TypeAlias = Noun[Any]

TRUST_ANCHOR: Final = Noun(anywhere.TRUST_ANCHOR, "trust-anchor", "Trust anchor", "trustAnchor", 50)
PROFILE: Final = Noun(anywhere.ANYWHERE_PROFILE, "profile", "Profile", "profile", 250)
CRL: Final = Noun(anywhere.CRL, "crl", "Crl", "crl")
SUBJECT: Final = Noun(anywhere.SUBJECT, "subject", "Subject", "subject")
NOUNS: tuple[AnyNoun, ...] = (TRUST_ANCHOR, PROFILE, CRL, SUBJECT)


# -- finding ------------------------------------------------------------------------------------------------------


def home(ctx: Context) -> str:
    """The prefix of the keys of the caller's resources in the request's region."""
    return f"{ctx.identity.account}/{ctx.region}/"


def listed(ctx: Context, noun: Noun[Resource]) -> list[Resource]:
    """All resources of a kind in the caller's account and region."""
    return ctx.world.page(noun.kind, home(ctx))


def find(ctx: Context, noun: Noun[Resource], identifier: str) -> Resource | None:
    """The caller's resource with that id, ARN or alias ARN in the request's region, or None."""
    if not identifier.startswith("arn:"):
        return ctx.world.get(noun.kind, home(ctx) + identifier)
    alias_of = noun.alias_arn(ctx.identity.account, ctx.region, "")
    if identifier.startswith(alias_of):
        return holder(ctx, noun, identifier[len(alias_of) :])
    return own(ctx, ctx.world.find(noun.kind, identifier))


def find_by_arn(world: World, noun: Noun[Resource], arn: str, region: str) -> Resource | None:
    """The resource that bears exactly this ARN and lives in this region, in any account, or None."""
    known = world.find(noun.kind, arn)
    return known if known is not None and known["region"] == region else None


def holder(ctx: Context, noun: Noun[Resource], alias: str) -> Resource | None:
    """The caller's resource that holds an alias; names are case-sensitive."""
    return next((thing for thing in listed(ctx, noun) if alias and thing.get("alias") == alias), None)


def key(thing: AnywhereResource) -> str:
    return f"{thing['account']}/{thing['region']}/{thing['id']}"


# -- permission ---------------------------------------------------------------------------------------------------


def permit(ctx: Context, action: str, resource: str = "*", keys: Keys | None = None) -> None:
    """Let the call go on, or refuse it. `action` is without its `rolesanywhere:`. Raises AwsError: AccessDenied."""
    authorize(ctx, f"{SERVICE}:{action}", resource, keys)


def reach(ctx: Context, action: str, noun: Noun[Resource], identifier: str, keys: Keys | None = None) -> Resource:
    """The caller's resource, once the caller may do `action` to it.

    Raises:
        AwsError: AccessDenied first, then ResourceNotFoundException: a caller without the permission learns nothing.
    """
    thing = find(ctx, noun, identifier)
    name = identifier if identifier.startswith("arn:") else noun.arn(ctx.identity.account, ctx.region, identifier)
    return reached(ctx, f"{SERVICE}:{action}", thing["arn"] if thing else name, thing, absent(noun), keys)


def absent(noun: AnyNoun) -> AwsError:
    """The error for a resource that does not exist; AWS's sentence is not recorded, this one is ours."""
    return AwsError("ResourceNotFoundException", f"{noun.title} not found", status=404)


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message, status=400)


# -- writing ------------------------------------------------------------------------------------------------------


def create(ctx: Context, noun: Noun[Resource], name: str, own: Mapping[str, object], *, enabled: bool) -> Resource:
    """Store a new resource of the caller; `own` are the members that only this kind has.

    Raises:
        AwsError: ValidationException when the account's quota is used up (AWS's text is not recorded).
    """
    if noun.quota is not None and len(listed(ctx, noun)) >= noun.quota:
        raise invalid(f"The limit of {noun.quota} per account is reached: {noun.title}")
    made: Resource = body(
        noun, ctx.identity.account, ctx.region, str(uuid.uuid4()), ctx.world.now(), name=name, enabled=enabled, **own
    )
    ctx.world.add(noun.kind, key(made), made, uid=made["arn"])
    return made


def body(noun: AnyNoun, account: str, region: str, identifier: str, now: float, **own: object) -> Any:
    """The document of a new resource, with what is its own."""
    return {
        "id": identifier,
        "arn": noun.arn(account, region, identifier),
        "account": account,
        "region": region,
        "enabled": True,
        "created": now,
        "updated": now,
        "tags": {},
        **own,
    }


def change(ctx: Context, noun: Noun[Resource], thing: Resource, **members: Any) -> Resource:
    """Replace members of a resource and return it as it then is."""
    return ctx.world.update(noun.kind, key(thing), changed(**members, updated=ctx.world.now()))


# -- showing ------------------------------------------------------------------------------------------------------


def shown(thing: AnywhereResource, noun: AnyNoun) -> Result:
    """The members that every kind's detail has."""
    detail: dict[str, Wire] = {
        f"{noun.stem}Id": thing["id"],
        f"{noun.stem}Arn": thing["arn"],
        "enabled": thing["enabled"],
        "createdAt": thing["created"],
        "updatedAt": thing["updated"],
    }
    if thing.get("name"):
        detail["name"] = thing["name"]
    if thing.get("alias"):
        detail["aliasName"] = thing["alias"]
        detail["aliasArn"] = noun.alias_arn(thing["account"], thing["region"], thing["alias"])
    return detail


def page(ctx: Context, noun: Noun[Resource], token: str, size: int | None) -> tuple[list[Resource], dict[str, str]]:
    """One page of the caller's resources, and the `nextToken` member where there is more.

    Raises:
        AwsError: ValidationException for a token that no page of this list gave, or a size below one.
    """
    if size is not None and size < 1:
        raise invalid(f"Value '{size}' at 'pageSize' failed to satisfy constraint: Member must be positive")
    return LISTING.rows(ctx, noun.kind, home(ctx), token, min(size or LISTING.size, LISTING.size))
