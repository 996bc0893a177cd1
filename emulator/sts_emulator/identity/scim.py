"""SCIM 2.0, by which a corporate identity provider keeps the directory: AWS's operations, and no others.

Source: docs/aws/identity-center.md, "Recorded in 2026" (SCIM server).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sts_emulator.accounts import directory, scim_tokens
from sts_emulator.accounts.directory import DirectoryGroup, DirectoryUser, Instance
from sts_emulator.core.errors import AwsError
from sts_emulator.identity import groups, scim_schemas, scim_shapes, users
from sts_emulator.identity.scim_shapes import answer, bad, body_of, operations_of, refusal
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.dispatch import Result
from sts_emulator.wire.http import Response

SERVICE = "identitystore-scim"
ROOT = "/scim/{tenant}/scim/v2"
PAGE, MOST_MEMBERS = 100, 100
_DOCUMENTATION = "https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-idp.html"
_MEMBER_PATH = re.compile(r'members\[value eq "([0-9A-Za-z-]{1,64})"\]', re.IGNORECASE)
_CURSOR = re.compile(r"[-a-zA-Z0-9+=/:_]*")

Work = Callable[[Context, Instance], Response]


def _carry_out(visit: Visit, tenant: str, operation: str, work: Work) -> Response:
    """One operation: the token, the work in a unit, and the event that tells how it ended."""
    with visit.attempt(SERVICE, operation) as attempt:
        instance = scim_tokens.authenticate(visit.world, visit.request.headers.get("authorization", ""), tenant)
        with visit.world.unit(lock=True):
            return work(attempt.ctx, instance)


# -- users --------------------------------------------------------------------------------------------------------


@page("POST", f"{ROOT}/Users", refusal=refusal, foreign=True, own_hosts=True)
def create_user(visit: Visit, tenant: str) -> Response:
    """Add a person."""

    def work(ctx: Context, instance: Instance) -> Response:
        sent = body_of(visit)
        active = scim_shapes.active_of(sent)
        made = users.add(ctx, instance["store"], scim_shapes.profile_of(sent), enabled=active)
        made = _with_external(ctx, made, scim_shapes.external_of(sent, instance))
        return answer(201, scim_shapes.shown_user(made, visit, instance))

    return _carry_out(visit, tenant, "CreateUser", work)


@page("GET", f"{ROOT}/Users/{{identifier}}", refusal=refusal, own_hosts=True)
def get_user(visit: Visit, tenant: str, identifier: str) -> Response:
    """One person."""

    def work(ctx: Context, instance: Instance) -> Response:
        return answer(200, scim_shapes.shown_user(_user(ctx, instance, identifier), visit, instance))

    return _carry_out(visit, tenant, "GetUser", work)


@page("GET", f"{ROOT}/Users", refusal=refusal, own_hosts=True)
def list_users(visit: Visit, tenant: str) -> Response:
    """All people, or those that a filter asks for."""

    def work(ctx: Context, instance: Instance) -> Response:
        def in_group(person: DirectoryUser, group: str) -> bool:
            mine = directory.memberships(ctx.world, instance["store"], person["id"])
            return any(membership["group"] == group for membership in mine)

        known = {
            "username": lambda person, value: person["name"].lower() == value.lower(),
            "externalid": _has_external,
            "id": lambda person, value: person["id"] == value,
            "manager": lambda person, value: _manager(person) == value,
            "manager.value": lambda person, value: _manager(person) == value,
            "groups.value": in_group,
        }
        people = ctx.world.page(directory.USERS, f"{instance['store']}/")
        return _listed(visit, people, known, lambda person: scim_shapes.shown_user(person, visit, instance))

    return _carry_out(visit, tenant, "ListUsers", work)


@page("PUT", f"{ROOT}/Users/{{identifier}}", refusal=refusal, foreign=True, own_hosts=True)
def put_user(visit: Visit, tenant: str, identifier: str) -> Response:
    """Replace a person; what is left out is gone."""

    def work(ctx: Context, instance: Instance) -> Response:
        person = _user(ctx, instance, identifier)
        return _replaced(ctx, visit, instance, person, body_of(visit))

    return _carry_out(visit, tenant, "PutUser", work)


@page("PATCH", f"{ROOT}/Users/{{identifier}}", refusal=refusal, foreign=True, own_hosts=True)
def patch_user(visit: Visit, tenant: str, identifier: str) -> Response:
    """Change attributes of a person."""

    def work(ctx: Context, instance: Instance) -> Response:
        person = _user(ctx, instance, identifier)
        shown = scim_shapes.shown_user(person, visit, instance)
        patched = scim_shapes.patched_user(shown, operations_of(body_of(visit)))
        return _replaced(ctx, visit, instance, person, patched)

    return _carry_out(visit, tenant, "PatchUser", work)


@page("DELETE", f"{ROOT}/Users/{{identifier}}", refusal=refusal, foreign=True, own_hosts=True)
def delete_user(visit: Visit, tenant: str, identifier: str) -> Response:
    """Remove a person, from groups and assignments as well."""

    def work(ctx: Context, instance: Instance) -> Response:
        users.remove(ctx.world, _user(ctx, instance, identifier))
        return answer(204)

    return _carry_out(visit, tenant, "DeleteUser", work)


def _user(ctx: Context, instance: Instance, identifier: str) -> DirectoryUser:
    person = directory.user(ctx.world, instance["store"], identifier[:100])
    if person is None:
        raise _absent("User")
    return person


def _replaced(ctx: Context, visit: Visit, instance: Instance, person: DirectoryUser, sent: JsonObject) -> Response:
    made = users.replace(
        ctx,
        person,
        profile=scim_shapes.profile_of(sent),
        enabled=scim_shapes.active_of(sent),
        external_ids=scim_shapes.external_of(sent, instance),
    )
    return answer(200, scim_shapes.shown_user(made, visit, instance))


def _with_external(ctx: Context, person: DirectoryUser, external: list[dict[str, str]]) -> DirectoryUser:
    return users.replace(ctx, person, external_ids=external) if external else person


def _manager(person: DirectoryUser) -> str:
    manager = person["profile"].get("Extensions", {}).get(users.ENTERPRISE, {}).get("manager", {})
    return str(manager.get("value", "")) if isinstance(manager, Mapping) else ""


# -- groups -------------------------------------------------------------------------------------------------------


@page("POST", f"{ROOT}/Groups", refusal=refusal, foreign=True, own_hosts=True)
def create_group(visit: Visit, tenant: str) -> Response:
    """Add a group, perhaps with members."""

    def work(ctx: Context, instance: Instance) -> Response:
        sent = body_of(visit)
        members = _members(sent.get("members") or [])
        made = groups.add(ctx, instance["store"], _name(sent.get("displayName")))
        external = scim_shapes.external_of(sent, instance)
        made = groups.replace(ctx, made, external_ids=external) if external else made
        for member in members:
            groups.join(ctx, made, _user(ctx, instance, member)["id"])
        return answer(201, scim_shapes.shown_group(made, visit, instance))

    return _carry_out(visit, tenant, "CreateGroup", work)


@page("GET", f"{ROOT}/Groups/{{identifier}}", refusal=refusal, own_hosts=True)
def get_group(visit: Visit, tenant: str, identifier: str) -> Response:
    """One group, without its members."""

    def work(ctx: Context, instance: Instance) -> Response:
        return answer(200, scim_shapes.shown_group(_group(ctx, instance, identifier), visit, instance))

    return _carry_out(visit, tenant, "GetGroup", work)


@page("GET", f"{ROOT}/Groups", refusal=refusal, own_hosts=True)
def list_groups(visit: Visit, tenant: str) -> Response:
    """All groups, or those that a filter asks for."""

    def work(ctx: Context, instance: Instance) -> Response:
        def has_member(group: DirectoryGroup, user: str) -> bool:
            return ctx.world.get(directory.MEMBERSHIP, f"{group['store']}/{group['id']}/{user}") is not None

        known = {
            "displayname": lambda group, value: group["name"].lower() == value.lower(),
            "externalid": _has_external,
            "id": lambda group, value: group["id"] == value,
            "member": has_member,
            "members": has_member,
            "members.value": has_member,
        }
        kept = ctx.world.page(directory.GROUPS, f"{instance['store']}/")
        return _listed(visit, kept, known, lambda group: scim_shapes.shown_group(group, visit, instance))

    return _carry_out(visit, tenant, "ListGroups", work)


@page("PATCH", f"{ROOT}/Groups/{{identifier}}", refusal=refusal, foreign=True, own_hosts=True)
def patch_group(visit: Visit, tenant: str, identifier: str) -> Response:
    """Rename a group, put people in or take them out; all members at once can be neither replaced nor removed."""

    def work(ctx: Context, instance: Instance) -> Response:
        group = _group(ctx, instance, identifier)
        changes = 0
        for verb, path, value in operations_of(body_of(visit)):
            changes += _change_group(ctx, instance, group["id"], verb, path, value)
            if changes > MOST_MEMBERS:
                raise bad()
        return answer(204)

    return _carry_out(visit, tenant, "PatchGroup", work)


@page("DELETE", f"{ROOT}/Groups/{{identifier}}", refusal=refusal, foreign=True, own_hosts=True)
def delete_group(visit: Visit, tenant: str, identifier: str) -> Response:
    """Remove a group with its assignments."""

    def work(ctx: Context, instance: Instance) -> Response:
        groups.remove(ctx.world, _group(ctx, instance, identifier))
        return answer(204)

    return _carry_out(visit, tenant, "DeleteGroup", work)


def _group(ctx: Context, instance: Instance, identifier: str) -> DirectoryGroup:
    group = ctx.world.get(directory.GROUPS, f"{instance['store']}/{identifier[:100]}")
    if group is None:
        raise _absent("Group")
    return group


def _change_group(ctx: Context, instance: Instance, identifier: str, verb: str, path: str, value: Json) -> int:
    """Carry out one operation of a patch; how many memberships it touches."""
    group = _group(ctx, instance, identifier)
    if not path:
        path, value = _implied(verb, value)
    member = _MEMBER_PATH.fullmatch(path)
    if member is not None or path.lower() == "members":
        return _change_members(ctx, instance, group, verb, [member[1]] if member else value)
    if verb == "remove" or path.lower() not in ("displayname", "externalid"):
        raise bad()
    if path.lower() == "displayname":
        groups.replace(ctx, group, name=_name(value))
    else:
        groups.replace(ctx, group, external_ids=scim_shapes.external_of({"externalId": value}, instance))
    return 0


def _implied(verb: str, value: object) -> tuple[str, Any]:
    """Path and value of an operation without a path: one attribute, perhaps with the group's own id beside it."""
    attributes = {name: item for name, item in value.items() if name != "id"} if isinstance(value, Mapping) else {}
    if verb == "remove" or len(attributes) != 1:
        raise bad(scim_shapes.ONE_ATTRIBUTE)
    return next(iter(attributes.items()))


def _change_members(ctx: Context, instance: Instance, group: DirectoryGroup, verb: str, value: Any) -> int:
    if verb == "replace" or (verb == "remove" and not value):
        raise bad("Replacing group memberships is not supported." if verb == "replace" else scim_shapes.UNPARSABLE)
    members = value if all(isinstance(item, str) for item in value or ()) else _members(value)
    for member in members:
        if verb == "add":
            groups.join(ctx, group, _user(ctx, instance, member)["id"])
            continue
        membership = ctx.world.get(directory.MEMBERSHIP, f"{group['store']}/{group['id']}/{member}")
        if membership is not None:
            groups.leave(ctx.world, membership)
    return len(members)


def _members(sent: object) -> list[str]:
    """The ids in a list of members."""
    listed = [sent] if isinstance(sent, Mapping) else sent
    if not isinstance(listed, list) or len(listed) > MOST_MEMBERS:
        raise bad()
    if not all(isinstance(member, Mapping) and isinstance(member.get("value"), str) for member in listed):
        raise bad()
    return [member["value"][:100] for member in listed]


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 1024:  # noqa: PLR2004 - the model's GroupDisplayName
        raise bad()
    return value


# -- what the server is -------------------------------------------------------------------------------------------


@page("GET", f"{ROOT}/ServiceProviderConfig", refusal=refusal, own_hosts=True)
def get_service_provider_config(visit: Visit, tenant: str) -> Response:
    """What of SCIM is supported. The members are RFC 7643's; AWS's own answer is not recorded."""

    def work(_: Context, __: Instance) -> Response:
        return answer(
            200,
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                "documentationUri": _DOCUMENTATION,
                "authenticationSchemes": [
                    {
                        "type": "oauthbearertoken",
                        "name": "OAuth Bearer Token",
                        "description": "Authentication scheme using the OAuth Bearer Token Standard",
                        "specUri": "https://www.rfc-editor.org/info/rfc6750",
                        "documentationUri": _DOCUMENTATION,
                        "primary": True,
                    }
                ],
                "patch": {"supported": True},
                "bulk": {"supported": False, "maxOperations": 1, "maxPayloadSize": 1_048_576},
                "filter": {"supported": True, "maxResults": PAGE},
                "changePassword": {"supported": False},
                "sort": {"supported": False},
                "etag": {"supported": False},
            },
        )

    return _carry_out(visit, tenant, "GetServiceProviderConfig", work)


@page("GET", f"{ROOT}/ResourceTypes", refusal=refusal, own_hosts=True)
def list_resource_types(visit: Visit, tenant: str) -> Response:
    """Users and groups."""

    def work(_: Context, __: Instance) -> Response:
        kinds = (("User", scim_shapes.USER_SCHEMA), ("Group", scim_shapes.GROUP_SCHEMA))
        types = [
            {
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                "id": kind,
                "name": kind,
                "endpoint": f"/{kind}s",
                "schema": schema,
            }
            for kind, schema in kinds
        ]
        return answer(200, _whole(types))

    return _carry_out(visit, tenant, "ListResourceTypes", work)


@page("GET", f"{ROOT}/Schemas", refusal=refusal, own_hosts=True)
def list_schemas(visit: Visit, tenant: str) -> Response:
    """The schemas, by name."""

    def work(_: Context, __: Instance) -> Response:
        return answer(200, _whole(scim_schemas.every()))

    return _carry_out(visit, tenant, "ListSchemas", work)


@page("GET", f"{ROOT}/Schemas/{{identifier}}", refusal=refusal, own_hosts=True)
def get_schema(visit: Visit, tenant: str, identifier: str) -> Response:

    def work(_: Context, __: Instance) -> Response:
        known = scim_schemas.find(identifier)
        if known is None:
            raise _absent("Schema")
        return answer(200, known)

    return _carry_out(visit, tenant, "GetSchema", work)


@page("*", f"{ROOT}/{{*rest}}", refusal=refusal, foreign=True, own_hosts=True)
def nothing(visit: Visit, tenant: str, rest: str) -> Response:
    """Whatever else a standard server has: refused in the form of the others, and after the token like them."""
    scim_tokens.authenticate(visit.world, visit.request.headers.get("authorization", ""), tenant)
    known = rest.partition("/")[0] in ("Users", "Groups", "ServiceProviderConfig", "ResourceTypes", "Schemas")
    if known and visit.request.method not in ("GET", "HEAD"):
        raise AwsError("MethodNotAllowed", f"{visit.request.method} is not supported here.", status=405)
    raise AwsError("ResourceNotFoundException", "Resource not found.", status=404)


# -- lists --------------------------------------------------------------------------------------------------------


def _listed(
    visit: Visit,
    things: Sequence[object],
    known: Mapping[str, Callable[[Any, str], bool]],
    render: Callable[[Any], JsonObject],
) -> Response:
    """A page of what a filter leaves: by `startIndex`, or by `cursor` where the query has one."""
    query = visit.query
    # Entra asks for groups without their members, and provisions AWS; groups never tell them anyway.
    if "attributes" in query or query.get("excludedAttributes", "members") != "members":
        raise bad("attributes and excludedAttributes are not supported.")
    if query.get("filter"):
        wanted = scim_shapes.conditions(query["filter"], known)
        things = [thing for thing in things if wanted(thing)]
    count = _number(query.get("count", str(PAGE)), PAGE)
    if "cursor" in query:
        return _by_cursor(visit, query["cursor"], things, count, render)
    start = _number(query.get("startIndex", "1"), 1_000_000_000)
    shown = [render(thing) for thing in things[start - 1 : start - 1 + count]]
    places = {"totalResults": len(things), "itemsPerPage": len(shown), "startIndex": start}
    return answer(200, {"schemas": [scim_shapes.LIST_SCHEMA], **places, "Resources": shown})


def _by_cursor(
    visit: Visit, cursor: str, things: Sequence[object], count: int, render: Callable[[Any], JsonObject]
) -> Response:
    start = 0
    if cursor:
        opened = unseal(visit.world, "scim-cursor", cursor) if _CURSOR.fullmatch(cursor) else None
        if opened is None:
            raise bad("Invalid cursor.")
        start = int(json.loads(opened))
    shown = [render(thing) for thing in things[start : start + count]]
    body: dict[str, Any] = {"schemas": [scim_shapes.LIST_SCHEMA], "itemsPerPage": len(shown), "Resources": shown}
    if start + count < len(things):
        body["nextCursor"] = seal(visit.world, "scim-cursor", str(start + count).encode())
    return answer(200, body)


def _number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= most:  # noqa: PLR2004 - digits
        raise bad()
    return int(text)


def _whole(resources: Sequence[Any]) -> Result:
    places = {"totalResults": len(resources), "itemsPerPage": len(resources), "startIndex": 1}
    return {"schemas": [scim_shapes.LIST_SCHEMA], **places, "Resources": list(resources)}


def _has_external(thing: Any, value: str) -> bool:
    return any(external["Id"] == value for external in thing["external_ids"])


def _absent(kind: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"{kind} not found.", status=404)
