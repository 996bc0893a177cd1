"""The four kinds of resources of IAM Roles Anywhere: how they are named, kept, found, and who may touch them.

Each belongs to one account and region; the document's key is `ACCOUNT/REGION/id`, its uid the ARN. Documents have id,
arn, account, region, name, enabled, created, updated, tags and, where the model knows aliases, alias.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sts_emulator.accounts.kit import resource_tag_keys
from sts_emulator.accounts.resources import Stored
from sts_emulator.core import names
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context, Keys
from sts_emulator.vending.credentials import seal, unseal

PAGE = 100
"""Resources in a page when `pageSize` does not say; AWS's own default is not recorded."""


@dataclass(frozen=True, slots=True)
class Noun:
    """One kind of resource: `kind` in the store, `word` in ARNs, `title` in sentences, `quota` per account and region.

    The quotas are those of the user guide (docs/aws/roles-anywhere.md, "Errors"); None where it has none.
    """

    kind: str
    word: str
    title: str
    quota: int | None = None

    def arn(self, account: str, region: str, name: str) -> str:
        """The ARN of the resource with that id."""
        return f"arn:{names.PARTITION}:rolesanywhere:{region}:{account}:{self.word}/{name}"

    def alias_arn(self, account: str, region: str, alias: str) -> str:
        """The ARN that an alias gives to the resource that holds it."""
        return f"arn:{names.PARTITION}:rolesanywhere:{region}:{account}:alias/{self.word}/{alias}"


TRUST_ANCHOR = Noun("trust-anchor", "trust-anchor", "Trust anchor", 50)
PROFILE = Noun("roles-anywhere-profile", "profile", "Profile", 250)
CRL = Noun("crl", "crl", "Crl")
SUBJECT = Noun("x509-subject", "subject", "Subject")
NOUNS = (TRUST_ANCHOR, PROFILE, CRL, SUBJECT)


# -- finding ------------------------------------------------------------------------------------------------------


def home(ctx: Context) -> str:
    """The prefix of the keys of the caller's resources in the request's region."""
    return f"{ctx.identity.account}/{ctx.region}/"


def listed(ctx: Context, noun: Noun) -> list[Stored]:
    """All resources of a kind in the caller's account and region."""
    return ctx.world.page(noun.kind, home(ctx))


def find(ctx: Context, noun: Noun, identifier: str) -> Stored | None:
    """The caller's resource with that id, ARN or alias ARN in the request's region, or None."""
    if not identifier.startswith("arn:"):
        return ctx.world.get(noun.kind, home(ctx) + identifier)
    alias_of = noun.alias_arn(ctx.identity.account, ctx.region, "")
    if identifier.startswith(alias_of):
        return holder(ctx, noun, identifier[len(alias_of) :])
    body = ctx.world.find(noun.kind, identifier)
    return body if body is not None and key(body).startswith(home(ctx)) else None


def find_by_arn(world: World, noun: Noun, arn: str, region: str) -> Stored | None:
    """The resource that bears exactly this ARN and lives in this region, in any account, or None."""
    body = world.find(noun.kind, arn)
    return body if body is not None and body["region"] == region else None


def holder(ctx: Context, noun: Noun, alias: str) -> Stored | None:
    """The caller's resource that holds an alias; names are case-sensitive."""
    return next((thing for thing in listed(ctx, noun) if alias and thing.get("alias") == alias), None)


def key(thing: Stored) -> str:
    """The key under which a resource is kept."""
    return f"{thing['account']}/{thing['region']}/{thing['id']}"


# -- permission ---------------------------------------------------------------------------------------------------


def permit(ctx: Context, action: str, resource: str = "*", keys: Keys | None = None) -> None:
    """Let the call go on, or refuse it. `action` is without its `rolesanywhere:`.

    Raises:
        AwsError: AccessDenied.
    """
    authorize(ctx, f"rolesanywhere:{action}", resource, keys)


def reach(ctx: Context, action: str, noun: Noun, identifier: str, keys: Keys | None = None) -> Stored:
    """The caller's resource, once the caller may do `action` to it.

    Raises:
        AwsError: AccessDenied first, then ResourceNotFoundException: a caller without the permission learns nothing.
    """
    thing = find(ctx, noun, identifier)
    if thing is None:
        name = identifier if identifier.startswith("arn:") else noun.arn(ctx.identity.account, ctx.region, identifier)
        permit(ctx, action, name, keys)
        raise absent(noun)
    permit(ctx, action, thing["arn"], {**resource_tag_keys(thing), **(keys or {})})
    return thing


def absent(noun: Noun) -> AwsError:
    """The error for a resource that does not exist; AWS's sentence is not recorded, this one is ours."""
    return AwsError("ResourceNotFoundException", f"{noun.title} not found", status=404)


def invalid(message: str) -> AwsError:
    """A ValidationException with that message."""
    return AwsError("ValidationException", message, status=400)


# -- writing ------------------------------------------------------------------------------------------------------


def create(ctx: Context, noun: Noun, name: str, own: Mapping[str, Any], *, enabled: bool) -> Stored:
    """Store a new resource of the caller; `own` are the members that only this kind has.

    Raises:
        AwsError: ValidationException when the account's quota is used up (AWS's text is not recorded).
    """
    if noun.quota is not None and len(listed(ctx, noun)) >= noun.quota:
        raise invalid(f"The limit of {noun.quota} per account is reached: {noun.title}")
    account, region, identifier = ctx.identity.account, ctx.region, str(uuid.uuid4())
    now = ctx.world.now()
    body = {
        "id": identifier,
        "arn": noun.arn(account, region, identifier),
        "account": account,
        "region": region,
        "name": name,
        "enabled": enabled,
        "created": now,
        "updated": now,
        **own,
    }
    ctx.world.add(noun.kind, key(body), body, uid=body["arn"])
    return body


def change(ctx: Context, noun: Noun, thing: Stored, **members: Any) -> Stored:
    """Replace members of a resource and return it as it then is."""
    now = ctx.world.now()
    return ctx.world.update(noun.kind, key(thing), lambda body: {**body, **members, "updated": now})


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """Those members that the request has: what an update leaves out stays as it is."""
    return {name: value for name, value in members.items() if value is not None}


# -- showing ------------------------------------------------------------------------------------------------------


def shown(thing: Stored, noun: Noun, stem: str) -> dict[str, Any]:
    """The members that every kind's detail has; `stem` begins the names of its id and ARN."""
    detail: dict[str, Any] = {
        f"{stem}Id": thing["id"],
        f"{stem}Arn": thing["arn"],
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


def page(ctx: Context, noun: Noun, token: str, size: int | None) -> tuple[Iterable[Stored], dict[str, str]]:
    """One page of the caller's resources, and the `nextToken` member where there is more.

    Raises:
        AwsError: ValidationException for a token that no page of this list gave, or a size below one.
    """
    if size is not None and size < 1:
        raise invalid(f"Value '{size}' at 'pageSize' failed to satisfy constraint: Member must be positive")
    after = ""
    if token:
        opened = unseal(ctx.world, f"rolesanywhere:{noun.kind}", token)
        if opened is None or not opened.decode().startswith(home(ctx)):
            raise invalid("Invalid nextToken")
        after = opened.decode()
    limit = min(size or PAGE, PAGE)
    rows = ctx.world.page_keys(noun.kind, home(ctx), after, limit + 1)
    rest = {}
    if len(rows) > limit:
        rest["nextToken"] = seal(ctx.world, f"rolesanywhere:{noun.kind}", rows[limit - 1][0].encode())
    return [body for _, body in rows[:limit]], rest
