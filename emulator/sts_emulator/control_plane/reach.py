"""Reaching a resource: is it the caller's, and may the caller do this to it? Who may not learns nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from sts_emulator.core.errors import AwsError
from sts_emulator.vending.authorize import authorize
from sts_emulator.vending.context import Context, Keys

Resource = TypeVar("Resource", bound=Mapping[str, Any])
Thing = TypeVar("Thing")


def own(ctx: Context, resource: Resource | None) -> Resource | None:
    """The resource, if it is of the caller's account and the request's region, else None."""
    home = (ctx.identity.account, ctx.region)
    return resource if resource is not None and (resource["account"], resource["region"]) == home else None


def reached(
    ctx: Context, action: str, arn: str, resource: Resource | None, absent: AwsError, keys: Keys | None = None
) -> Resource:
    """The resource of that ARN, once the caller may do `action` to it; its tags are part of the question.

    Raises:
        AwsError: AccessDenied first, then `absent` where there is none.
    """
    authorize(ctx, action, arn, {**resource_tag_keys(resource), **(keys or {})})
    return required(resource, absent)


def required(thing: Thing | None, absent: AwsError) -> Thing:
    """The thing, which must be there. Raises AwsError: `absent`."""
    if thing is None:
        raise absent
    return thing


def resource_tag_keys(resource: Mapping[str, Any] | None, *services: str) -> dict[str, tuple[str, ...]]:
    """The condition keys of a stored resource's tags: aws:ResourceTag/*, and those of services with keys of their own.

    Keys are lower-case, as everywhere in requests; a resource that is not there has none.
    """
    tags = (resource or {}).get("tags", {})
    return {
        f"{prefix}:resourcetag/{name.lower()}": (value,)
        for prefix in ("aws", *services)
        for name, value in tags.items()
    }
