"""SCIM 2.0, by which a corporate identity provider keeps the directory: AWS's operations, and no others.

Source: docs/aws/identity-center.md, "Recorded in 2026" (SCIM server).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sts_emulator.accounts import directory, scim_tokens
from sts_emulator.accounts.directory import DirectoryGroup, DirectoryUser, Instance
from sts_emulator.control_plane.reach import required
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import World
from sts_emulator.identity import groups, scim_schemas, scim_shapes, users
from sts_emulator.identity.scim_shapes import answer, bad, body_of, operations_of, refusal
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import Json, JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Context
from sts_emulator.vending.credentials import seal, unseal
from sts_emulator.wire.http import Response

SERVICE = "identitystore-scim"
ROOT = "/scim/{tenant}/scim/v2"
PAGE, MOST_MEMBERS = 100, 100
_DOCUMENTATION = "https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-idp.html"
_MEMBER_PATH = re.compile(r'members\[value eq "([0-9A-Za-z-]{1,64})"\]', re.IGNORECASE)
_CURSOR = re.compile(r"[-a-zA-Z0-9+=/:_]*")
_LAST = 1_000_000_000  # place at which a page may begin


@dataclass(frozen=True, slots=True)
class Call:
    """One call of whoever keeps a directory by SCIM."""

    visit: Visit
    ctx: Context
    instance: Instance  # whose directory it is

    @property
    def world(self) -> World:
        return self.ctx.world

    @property
    def store(self) -> str:
        return self.instance["store"]


Work = Callable[..., Response]


def scim(method: str, path: str, operation: str) -> Callable[[Work], Work]:
    """Declare a page: the token is looked at, the work done in a unit, and an event tells how it ended."""

    def declare(work: Work) -> Work:
        @page(method, f"{ROOT}/{path}", refusal=refusal, foreign=method != "GET", own_hosts=True)
        def carry_out(visit: Visit, tenant: str, **named: str) -> Response:
            with visit.attempt(SERVICE, operation) as attempt:
                instance = _authenticated(visit, tenant)
                with visit.world.unit(lock=True):
                    return work(Call(visit, attempt.ctx, instance), **named)

        return work

    return declare


def _authenticated(visit: Visit, tenant: str) -> Instance:
    return scim_tokens.authenticate(visit.world, visit.request.headers.get("authorization", ""), tenant)


# -- users --------------------------------------------------------------------------------------------------------


@scim("POST", "Users", "CreateUser")
def create_user(call: Call) -> Response:
    sent = body_of(call.visit)
    is_active, profile = scim_shapes.active_of(sent), scim_shapes.profile_of(sent)
    external = scim_shapes.external_of(sent, call.instance)
    return _told_user(call, users.add(call.ctx, call.store, profile, enabled=is_active, external_ids=external), 201)


@scim("GET", "Users/{identifier}", "GetUser")
def get_user(call: Call, identifier: str) -> Response:
    return _told_user(call, _user(call, identifier))


@scim("GET", "Users", "ListUsers")
def list_users(call: Call) -> Response:
    """All people, or those that a filter asks for."""

    def in_group(person: DirectoryUser, group: str) -> bool:
        mine = directory.memberships(call.world, call.store, person["id"])
        return any(membership["group"] == group for membership in mine)

    known = {
        "username": lambda person, value: person["name"].lower() == value.lower(),
        "externalid": _has_external,
        "id": lambda person, value: person["id"] == value,
        "manager": lambda person, value: _manager(person) == value,
        "manager.value": lambda person, value: _manager(person) == value,
        "groups.value": in_group,
    }
    people = call.world.page(directory.USERS, f"{call.store}/")
    return _listed(call, people, known, scim_shapes.shown_user)


@scim("PUT", "Users/{identifier}", "PutUser")
def put_user(call: Call, identifier: str) -> Response:
    """Replace a person; what is left out is gone."""
    return _replaced(call, _user(call, identifier), body_of(call.visit))


@scim("PATCH", "Users/{identifier}", "PatchUser")
def patch_user(call: Call, identifier: str) -> Response:
    person = _user(call, identifier)
    shown = scim_shapes.shown_user(person, call.visit, call.instance)
    return _replaced(call, person, scim_shapes.patched_user(shown, operations_of(body_of(call.visit))))


@scim("DELETE", "Users/{identifier}", "DeleteUser")
def delete_user(call: Call, identifier: str) -> Response:
    """Remove a person, from groups and assignments as well."""
    users.remove(call.world, _user(call, identifier))
    return answer(204)


def _user(call: Call, identifier: str) -> DirectoryUser:
    return required(directory.user(call.world, call.store, identifier[:100]), _absent("User"))


def _replaced(call: Call, person: DirectoryUser, sent: JsonObject) -> Response:
    profile, is_active = scim_shapes.profile_of(sent), scim_shapes.active_of(sent)
    external = scim_shapes.external_of(sent, call.instance)
    made = users.replace(call.ctx, person, profile=profile, enabled=is_active, external_ids=external)
    return _told_user(call, made)


def _told_user(call: Call, person: DirectoryUser, status: int = 200) -> Response:
    return answer(status, scim_shapes.shown_user(person, call.visit, call.instance))


def _manager(person: DirectoryUser) -> str:
    manager = person["profile"].get("Extensions", {}).get(users.ENTERPRISE, {}).get("manager", {})
    return str(manager.get("value", "")) if isinstance(manager, Mapping) else ""


# -- groups -------------------------------------------------------------------------------------------------------


@scim("POST", "Groups", "CreateGroup")
def create_group(call: Call) -> Response:
    sent = body_of(call.visit)
    members, name = _members(sent.get("members") or []), _name(sent.get("displayName"))
    external = scim_shapes.external_of(sent, call.instance)
    made = groups.add(call.ctx, call.store, name, external_ids=external)
    for member in members:
        groups.join(call.ctx, made, _user(call, member)["id"])
    return answer(201, scim_shapes.shown_group(made, call.visit, call.instance))


@scim("GET", "Groups/{identifier}", "GetGroup")
def get_group(call: Call, identifier: str) -> Response:
    """One group, without its members."""
    return answer(200, scim_shapes.shown_group(_group(call, identifier), call.visit, call.instance))


@scim("GET", "Groups", "ListGroups")
def list_groups(call: Call) -> Response:
    """All groups, or those that a filter asks for."""

    def has_member(group: DirectoryGroup, user: str) -> bool:
        return groups.membership(call.world, group, user) is not None

    known = {
        "displayname": lambda group, value: group["name"].lower() == value.lower(),
        "externalid": _has_external,
        "id": lambda group, value: group["id"] == value,
        "member": has_member,
        "members": has_member,
        "members.value": has_member,
    }
    kept = call.world.page(directory.GROUPS, f"{call.store}/")
    return _listed(call, kept, known, scim_shapes.shown_group)


@scim("PATCH", "Groups/{identifier}", "PatchGroup")
def patch_group(call: Call, identifier: str) -> Response:
    """Rename a group, put people in or take them out; all members at once can be neither replaced nor removed."""
    group = _group(call, identifier)
    changes = 0
    for verb, path, value in operations_of(body_of(call.visit)):
        changes += _change_group(call, group["id"], verb, path, value)
        if changes > MOST_MEMBERS:
            raise bad()
    return answer(204)


@scim("DELETE", "Groups/{identifier}", "DeleteGroup")
def delete_group(call: Call, identifier: str) -> Response:
    """Remove a group with its assignments."""
    groups.remove(call.world, _group(call, identifier))
    return answer(204)


def _group(call: Call, identifier: str) -> DirectoryGroup:
    return required(call.world.get(directory.GROUPS, f"{call.store}/{identifier[:100]}"), _absent("Group"))


def _change_group(call: Call, identifier: str, verb: str, path: str, value: Json) -> int:
    """Carry out one operation of a patch; how many memberships it touches."""
    group = _group(call, identifier)
    if not path:
        path, value = scim_shapes.only_attribute(None if verb == "remove" else value)
    member = _MEMBER_PATH.fullmatch(path)
    if member is not None or path.lower() == "members":
        return _change_members(call, group, verb, [member[1]] if member else value)
    if verb == "remove" or path.lower() not in ("displayname", "externalid"):
        raise bad()
    if path.lower() == "displayname":
        groups.replace(call.ctx, group, name=_name(value))
    else:
        external = scim_shapes.external_of({"externalId": value}, call.instance)
        groups.replace(call.ctx, group, external_ids=external)
    return 0


def _change_members(call: Call, group: DirectoryGroup, verb: str, value: Any) -> int:
    if verb == "replace" or (verb == "remove" and not value):
        raise bad("Replacing group memberships is not supported." if verb == "replace" else scim_shapes.UNPARSABLE)
    are_ids = isinstance(value, list) and all(isinstance(item, str) for item in value)
    members = value if are_ids else _members(value)
    for member in members:
        if verb == "add":
            groups.join(call.ctx, group, _user(call, member)["id"])
        elif (membership := groups.membership(call.world, group, member)) is not None:
            groups.leave(call.world, membership)
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


@scim("GET", "ServiceProviderConfig", "GetServiceProviderConfig")
def get_service_provider_config(_: Call) -> Response:
    """What of SCIM is supported. The members are RFC 7643's; AWS's own answer is not recorded."""
    scheme = {
        "type": "oauthbearertoken",
        "name": "OAuth Bearer Token",
        "description": "Authentication scheme using the OAuth Bearer Token Standard",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "documentationUri": _DOCUMENTATION,
        "primary": True,
    }
    config = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": _DOCUMENTATION,
        "authenticationSchemes": [scheme],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 1, "maxPayloadSize": 1_048_576},
        "filter": {"supported": True, "maxResults": PAGE},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": False},
    }
    return answer(200, config)


@scim("GET", "ResourceTypes", "ListResourceTypes")
def list_resource_types(_: Call) -> Response:
    types = [
        {
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": kind,
            "name": kind,
            "endpoint": f"/{kind}s",
            "schema": schema,
        }
        for kind, schema in (("User", scim_shapes.USER_SCHEMA), ("Group", scim_shapes.GROUP_SCHEMA))
    ]
    return answer(200, _part(types, totalResults=len(types), itemsPerPage=len(types), startIndex=1))


@scim("GET", "Schemas", "ListSchemas")
def list_schemas(_: Call) -> Response:
    schemas = scim_schemas.every()
    return answer(200, _part(schemas, totalResults=len(schemas), itemsPerPage=len(schemas), startIndex=1))


@scim("GET", "Schemas/{identifier}", "GetSchema")
def get_schema(_: Call, identifier: str) -> Response:
    return answer(200, required(scim_schemas.find(identifier), _absent("Schema")))


@page("*", f"{ROOT}/{{*rest}}", refusal=refusal, foreign=True, own_hosts=True)
def nothing(visit: Visit, tenant: str, rest: str) -> Response:
    """Whatever else a standard server has: refused in the form of the others, and after the token like them."""
    _authenticated(visit, tenant)
    known = rest.partition("/")[0] in ("Users", "Groups", "ServiceProviderConfig", "ResourceTypes", "Schemas")
    if known and visit.request.method not in ("GET", "HEAD"):
        raise AwsError("MethodNotAllowed", f"{visit.request.method} is not supported here.", status=405)
    raise AwsError("ResourceNotFoundException", "Resource not found.", status=404)


# -- lists --------------------------------------------------------------------------------------------------------


def _listed(
    call: Call,
    things: Sequence[object],
    known: Mapping[str, Callable[[Any, str], bool]],
    render: Callable[[Any, Visit, Instance], JsonObject],
) -> Response:
    """A page of what a filter leaves: by `startIndex`, or by `cursor` where the query has one."""
    query = call.visit.query
    # Entra asks for groups without their members, and provisions AWS; groups never tell them anyway.
    if "attributes" in query or query.get("excludedAttributes", "members") != "members":
        raise bad("attributes and excludedAttributes are not supported.")
    if query.get("filter"):
        wanted = scim_shapes.conditions(query["filter"], known)
        things = [thing for thing in things if wanted(thing)]
    count = _number(query.get("count", str(PAGE)), PAGE)
    by_cursor = "cursor" in query
    first = _place(call.world, query["cursor"]) if by_cursor else _number(query.get("startIndex", "1"), _LAST) - 1
    shown = [render(thing, call.visit, call.instance) for thing in things[first : first + count]]
    if not by_cursor:
        return answer(200, _part(shown, totalResults=len(things), itemsPerPage=len(shown), startIndex=first + 1))
    body = _part(shown, itemsPerPage=len(shown))
    if first + count < len(things):
        body["nextCursor"] = seal(call.world, "scim-cursor", str(first + count).encode())
    return answer(200, body)


def _place(world: World, cursor: str) -> int:
    """Where the page of a cursor begins; an empty one is that of the first."""
    if not cursor:
        return 0
    opened = unseal(world, "scim-cursor", cursor) if _CURSOR.fullmatch(cursor) else None
    if opened is None:
        raise bad("Invalid cursor.")
    return int(opened)


def _number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= most:  # noqa: PLR2004 - digits
        raise bad()
    return int(text)


def _part(resources: Sequence[object], **places: int) -> dict[str, Any]:
    return {"schemas": [scim_shapes.LIST_SCHEMA], **places, "Resources": list(resources)}


def _has_external(thing: Any, value: str) -> bool:
    return any(external["Id"] == value for external in thing["external_ids"])


def _absent(kind: str) -> AwsError:
    return AwsError("ResourceNotFoundException", f"{kind} not found.", status=404)
