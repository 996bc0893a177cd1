"""What SCIM sends and gets: users and groups as its JSON, filters, paths of patches, and refusals in AWS's form.

AWS's deviations from the standard: docs/aws/identity-center.md, "Recorded in 2026" (SCIM server).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sts_emulator.accounts.directory import DirectoryGroup, DirectoryUser, Instance
from sts_emulator.accounts.scim_tokens import tenant_of
from sts_emulator.control_plane.reach import required
from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.identity.users import ENTERPRISE, capitalized
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.json_types import JsonObject, object_in
from sts_emulator.wire.http import Response

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"
UNPARSABLE = "Request is unparsable, syntactically incorrect, or violates schema."
ONE_ATTRIBUTE = (
    'Current PATCH support allows omitting "path" attribute only for Add and Replace operations modifying a single '
    "attribute."
)
MOST_CONDITIONS = 4

_REFUSED = ("groups", "password", "ims", "photos", "x509Certificates", "entitlements")
_TEXTS = (
    *("userName", "displayName", "nickName", "profileUrl", "title", "userType", "preferredLanguage", "locale"),
    "timezone",
)
_LISTS = ("emails", "addresses", "phoneNumbers", "roles")
_CONDITION = re.compile(r'\s*([\w.:-]{1,200})\s+eq\s+"((?:[^"\\]|\\.){0,1024})"\s*', re.IGNORECASE)
_PATH = re.compile(
    rf"(?:(?P<urn>{re.escape(ENTERPRISE_SCHEMA)}|{re.escape(USER_SCHEMA)}):)?(?P<first>\w{{1,64}})"
    r'(?:\[(?P<key>\w{1,32}) eq (?P<value>"[^"\\]{0,256}"|true|false)\])?(?:\.(?P<rest>\w{1,64}))?',
    re.IGNORECASE,
)
_STATUS = {"ValidationException": 400, "ConflictException": 409, "ResourceNotFoundException": 404}


# -- answers ------------------------------------------------------------------------------------------------------


def answer(status: int, body: Mapping[str, object] | None = None) -> Response:
    """An answer of SCIM; without a body, an empty one."""
    content = b"" if body is None else json.dumps(body).encode()
    return Response(status, [("content-type", "application/scim+json"), ("cache-control", "no-store")], content)


def refusal(visit: Visit, error: AwsError) -> Response:
    """A refusal with the members that AWS's have, `schema` beside `schemas` (recorded, mitodl/keycloak-scim#73)."""
    status = error.status or _STATUS.get(error.code, 400)
    at = clock.iso(visit.world.now()).replace("T", " ").rstrip("Z")
    body = {
        "schema": [ERROR_SCHEMA],
        "schemas": [ERROR_SCHEMA],
        "detail": error.message,
        "status": str(status),
        "exceptionRequestId": visit.request_id,
        "timeStamp": f"{at}.00",
    }
    return answer(status, body)


def bad(detail: str = UNPARSABLE) -> AwsError:
    return AwsError("ValidationException", detail, status=400)


def body_of(visit: Visit) -> JsonObject:
    """The JSON object that was sent. Raises AwsError: 400."""
    return required(object_in(visit.request.body), bad())


# -- users --------------------------------------------------------------------------------------------------------


def shown_user(person: DirectoryUser, visit: Visit, instance: Instance) -> JsonObject:
    """A user as SCIM has one."""
    profile = person["profile"]
    plain = {
        _small(member): _small_members(value)
        for member, value in profile.items()
        if _small(member) in (*_TEXTS, *_LISTS, "name")
    }
    enterprise = profile.get("Extensions", {}).get(ENTERPRISE, {})
    return {
        "id": person["id"],
        **_external(person["external_ids"]),
        "meta": _meta("User", person, visit, instance),
        "schemas": [USER_SCHEMA, *([ENTERPRISE_SCHEMA] if enterprise else [])],
        **plain,
        "active": person["enabled"],
        **({ENTERPRISE_SCHEMA: enterprise} if enterprise else {}),
    }


def profile_of(sent: JsonObject) -> JsonObject:
    """The profile that a user of SCIM means. Raises AwsError: 400 for what AWS does not take."""
    if any(sent.get(name) for name in _REFUSED):
        raise bad()
    profile: dict[str, Any] = {}
    for name in _TEXTS:
        if sent.get(name) is not None:
            profile[capitalized(name)] = _a_text(sent[name])
    for name in _LISTS:
        if sent.get(name):
            profile[capitalized(name)] = _entries(name, sent[name])
    if sent.get("name") is not None:
        profile["Name"] = _texts(sent["name"])
    enterprise = sent.get(ENTERPRISE_SCHEMA)
    if enterprise:
        profile["Extensions"] = {ENTERPRISE: _enterprise(enterprise)}
    return profile


def external_of(sent: JsonObject, instance: Instance) -> list[dict[str, str]]:
    """The external ids that a user or group of SCIM means."""
    identifier = sent.get("externalId")
    if identifier in (None, ""):
        return []
    return [{"Issuer": f"https://scim.aws.com/{tenant_of(instance)}", "Id": _a_text(identifier)}]


def active_of(sent: JsonObject) -> bool:
    """Whether a user of SCIM may sign in; Entra writes `"False"`."""
    value = sent.get("active", True)
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise bad()
    return value


def _entries(name: str, sent: object) -> list[JsonObject]:
    if not isinstance(sent, list) or len(sent) != 1 or not isinstance(sent[0], Mapping):
        raise bad(f"List attribute {name} exceeds allowed limit of 1" if isinstance(sent, list) else UNPARSABLE)
    entry: dict[str, Any] = {}
    for member, value in sent[0].items():
        if isinstance(value, bool) and member == "primary":
            entry["Primary"] = value
        elif value is not None:
            entry[capitalized(member)] = _a_text(value)
    return [entry]


def _enterprise(sent: object) -> JsonObject:
    if not isinstance(sent, Mapping):
        raise bad()
    extension = dict(sent)
    manager = extension.pop("manager", None)
    texts: dict[str, Any] = {name: _a_text(value) for name, value in extension.items() if value is not None}
    if isinstance(manager, str):
        manager = {"value": manager}  # so Entra sends it
    if manager is not None:
        if not isinstance(manager, Mapping) or set(manager) - {"value", "$ref"}:
            raise bad()  # manager.displayName among them
        texts["manager"] = {name: _a_text(value) for name, value in manager.items() if value is not None}
    return texts


def _texts(sent: object) -> dict[str, str]:
    if not isinstance(sent, Mapping):
        raise bad()
    return {capitalized(name): _a_text(value) for name, value in sent.items() if value not in (None, "")}


def _a_text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1024:  # noqa: PLR2004 - the model's SensitiveStringType
        raise bad()
    return value


# -- groups -------------------------------------------------------------------------------------------------------


def shown_group(group: DirectoryGroup, visit: Visit, instance: Instance) -> JsonObject:
    """A group as SCIM has one; who is in it is never told."""
    return {
        "id": group["id"],
        **_external(group["external_ids"]),
        "meta": _meta("Group", group, visit, instance),
        "schemas": [GROUP_SCHEMA],
        "displayName": group["name"],
        "members": [],
    }


def _external(identifiers: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {"externalId": identifiers[0]["Id"]} if identifiers else {}


def _meta(kind: str, thing: Mapping[str, Any], visit: Visit, instance: Instance) -> dict[str, str]:
    place = f"{visit.base_url}/scim/{tenant_of(instance)}/scim/v2/{kind}s/{thing['id']}"
    return {
        "resourceType": kind,
        "created": clock.iso(thing["created"]),
        "lastModified": clock.iso(thing["updated"]),
        "location": place,
    }


# -- filters and patches ------------------------------------------------------------------------------------------


def conditions(text: str, known: Mapping[str, Callable[[Any, str], bool]]) -> Callable[[Any], bool]:
    """What a filter asks: `attribute eq "value"`, several joined by `and`; nothing else. Raises AwsError: 400."""
    tests: list[tuple[Callable[[Any, str], bool], str]] = []
    for part in re.split(r"\s+and\s+(?=[\w.:-]+\s+eq\s)", text[:4_000], flags=re.IGNORECASE):
        condition = _CONDITION.fullmatch(part)
        test = known.get(condition.group(1).lower()) if condition else None
        if condition is None or test is None or len(tests) >= MOST_CONDITIONS:
            raise bad("Filter is not supported.")
        tests.append((test, re.sub(r"\\(.)", r"\1", condition.group(2))))
    return lambda thing: all(test(thing, value) for test, value in tests)


def operations_of(sent: JsonObject) -> list[tuple[str, str, Any]]:
    """The operations of a patch as (verb, path, value); verbs in any case of letters. Raises AwsError: 400."""
    listed = sent.get("Operations", sent.get("operations"))
    if not isinstance(listed, list) or not 0 < len(listed) <= 100:  # noqa: PLR2004 - changes of a patch, AWS's limit
        raise bad()
    operations = []
    for change in listed:
        if not isinstance(change, Mapping) or not isinstance(change.get("path") or "", str):
            raise bad()
        verb = str(change.get("op", "")).lower()
        if verb not in ("add", "replace", "remove"):
            raise bad()
        operations.append((verb, change.get("path") or "", change.get("value")))
    return operations


def patched_user(shown: JsonObject, operations: Sequence[tuple[str, str, Any]]) -> JsonObject:
    """A user after the operations of a patch. Raises AwsError: 400."""
    user = json.loads(json.dumps(shown))
    single: set[str] = set()
    for verb, named, sent in operations:
        if verb == "remove" and not named:
            raise bad()
        path, value = (named, sent) if named else only_attribute(sent)
        name = path.lower()
        if name in ("username", "active"):
            if verb == "remove" or name in single:
                raise bad()
            single.add(name)
        _set_at(user, verb, path, value)
    return dict(user)


def only_attribute(value: object) -> tuple[str, Any]:
    """Path and value of an operation without a path: one attribute, perhaps with the own id beside it. Raises: 400."""
    attributes = {name: item for name, item in value.items() if name != "id"} if isinstance(value, Mapping) else {}
    if len(attributes) != 1:
        raise bad(ONE_ATTRIBUTE)
    return next(iter(attributes.items()))


def _set_at(user: dict[str, Any], verb: str, path: str, value: Any) -> None:
    if path.lower() == ENTERPRISE_SCHEMA.lower():
        user[ENTERPRISE_SCHEMA] = value if verb != "remove" else None
        return
    place = _PATH.fullmatch(path)
    if place is None:
        raise bad()
    target, first = user, place["first"]
    if place["urn"] and place["urn"].lower() == ENTERPRISE_SCHEMA.lower():
        target = user[ENTERPRISE_SCHEMA] = dict(user.get(ENTERPRISE_SCHEMA) or {})
    elif first not in (*_TEXTS, *_LISTS, "name", "active", "externalId"):
        raise bad()
    if place["key"]:
        _set_entry(target, verb, place, value)
    elif place["rest"]:
        inner = target.get(first) or {}
        if not isinstance(inner, dict):
            raise bad()
        target[first] = _changed(inner, verb, place["rest"], value)
    else:
        target[first] = None if verb == "remove" else value


def _set_entry(target: dict[str, Any], verb: str, place: re.Match[str], value: Any) -> None:
    """`emails[type eq "work"].value`: of the one entry that such attributes have, which is made if there is none."""
    first, wanted = place["first"], json.loads(place["value"].lower() if place["value"][0] != '"' else place["value"])
    entries = target.get(first) or []
    entry = next((known for known in entries if known.get(place["key"]) == wanted), None)
    if not place["rest"]:
        target[first] = [known for known in entries if known is not entry] if verb == "remove" else [value]
    elif entry is not None:
        entry.update(_changed(entry, verb, place["rest"], value))
        if verb == "remove":
            entry.pop(place["rest"], None)
    elif verb != "remove":
        target[first] = [{place["key"]: wanted, place["rest"]: value}]


def _changed(members: Mapping[str, Any], verb: str, name: str, value: Any) -> JsonObject:
    kept = {member: known for member, known in members.items() if member != name}
    return kept if verb == "remove" else {**kept, name: value}


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _small_members(value: object) -> object:
    if isinstance(value, Mapping):
        return {_small(name): _small_members(item) for name, item in value.items()}
    return [_small_members(item) for item in value] if isinstance(value, list) else value
