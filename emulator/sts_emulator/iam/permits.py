"""May the caller do this in IAM? The one question with which every operation of this room begins.

Where no action is named, it is that of the operation's own name.
"""

from __future__ import annotations

from collections.abc import Mapping

from sts_emulator.accounts import organizations
from sts_emulator.accounts.documents import Named, User
from sts_emulator.accounts.resources import Stored
from sts_emulator.control_plane.reach import resource_tag_keys
from sts_emulator.core.errors import AwsError
from sts_emulator.core.names import root_arn
from sts_emulator.core.world import Body
from sts_emulator.iam.nouns import USER, AnyNoun, Noun, claim, listing
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context, Keys
from sts_emulator.vending.tags import tag_keys


def permit(ctx: Context, action: str, resource: str, keys: Keys | None = None, named: str = "") -> None:
    """Let the call go on, or refuse it.

    `action` is without its `iam:`, `resource` an ARN or `*`; `named` is how a denial calls the resource, if not so.

    Raises:
        AwsError: AccessDenied.
    """
    caller = ctx.identity
    asked = {
        "aws:resourceaccount": (caller.account,),
        **organizations.resource_keys(ctx.world, caller.account),
        **(keys or {}),
    }
    authorize(ctx, f"iam:{action}", resource, asked, named)


def permit_new(
    ctx: Context, noun: AnyNoun, arn: str, labels: Mapping[str, str], keys: Keys | None = None, named: str = ""
) -> None:
    """Let something be created, which takes the permission to tag as well when it is born with tags.

    Raises:
        AwsError: AccessDenied.
    """
    permit(ctx, ctx.operation, arn, {**tag_keys(labels), **(keys or {})}, named)
    if labels:
        permit(ctx, f"Tag{noun.wire}", arn, tag_keys(labels), named)


def consult(ctx: Context, noun: Noun[Body], value: str, keys: Keys | None = None) -> Body | None:
    """The named thing, or None, once the caller may do the operation to it; a missing one is authorized by name."""
    account = ctx.identity.account
    thing = noun.find(ctx.world, account, value)
    named = noun.spoken.format(value)
    if thing is not None:
        permit(ctx, ctx.operation, str(thing["arn"]), {**resource_keys(noun, thing), **(keys or {})}, named)
    else:
        permit(ctx, ctx.operation, value if noun.by_arn else noun.arn(account, "/", value), keys, named)
    return thing


def reach(ctx: Context, noun: Noun[Body], value: str, keys: Keys | None = None) -> Body:
    """The named thing, once the caller may do the operation to it.

    Raises:
        AwsError: AccessDenied first, then NoSuchEntity: a caller without the permission learns nothing.
    """
    thing = consult(ctx, noun, value, keys)
    if thing is None:
        raise noun.absent(value)
    return thing


def reach_user(ctx: Context, name: str | None) -> User | None:
    """The user that a call without `UserName` means, which is the caller; None for the account's root.

    Raises:
        AwsError: ValidationError when neither a name nor a user's credentials say who is meant.
    """
    caller = ctx.identity
    if name:
        return reach(ctx, USER, name)
    if caller.user is not None:
        return reach(ctx, USER, caller.user["name"])
    if caller.principal.type != "root":
        permit(ctx, ctx.operation, "*")
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
    permit(ctx, ctx.operation, root_arn(caller.account))
    return None


def list_under(ctx: Context, noun: Noun[Body], path_prefix: str) -> list[Body]:
    """The account's things under a path, once the caller may do the call (`ListUsers` …) to them. Raises AwsError."""
    account = ctx.identity.account
    permit(ctx, ctx.operation, noun.arn(account, path_prefix, ""))
    return listing(ctx.world, noun, account, path_prefix)


def moved(ctx: Context, noun: AnyNoun, thing: Named, new_path: str | None, new_name: str | None) -> Named:
    """The thing under another path and name, once the caller may give it those; itself where it has them already.

    Raises:
        AwsError: AccessDenied; EntityAlreadyExists.
    """
    path, name = new_path or thing["path"], new_name or thing["name"]
    if (path, name) == (thing["path"], thing["name"]):
        return thing
    arn = noun.arn(thing["account"], path, name)
    permit(ctx, ctx.operation, arn)
    if name.lower() != thing["name"].lower():
        claim(ctx, noun, name)
    ctx.world.take(noun.kind, noun.key(thing))
    new: Named = {**thing, "path": path, "name": name, "arn": arn}
    ctx.world.add(noun.kind, noun.key(new), new, uid=thing["id"])
    return new


def resource_keys(noun: AnyNoun, thing: Stored) -> dict[str, tuple[str, ...]]:
    """The condition keys that a thing's own tags and boundary contribute."""
    # iam:ResourceTag is defined for users and roles only
    keys = resource_tag_keys(thing, "iam") if noun.folds_tags else resource_tag_keys(thing)
    if thing.get("boundary"):
        keys["iam:permissionsboundary"] = (thing["boundary"],)
    return keys
