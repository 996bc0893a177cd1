"""The schemas that the SCIM server tells of itself (RFC 7643, 7). AWS's own answer is not recorded.

What is required is what AWS's CreateUser and CreateGroup require (docs/aws/identity-center.md, "Recorded in 2026").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sts_emulator.identity.scim_shapes import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA
from sts_emulator.policy.json_types import Json, JsonObject

_SCHEMA: Final = "urn:ietf:params:scim:schemas:core:2.0:Schema"

# Name -> parts of a complex attribute, or none. `!` is required, `*` has several values (of which AWS takes one).
_ATTRIBUTES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    USER_SCHEMA: {
        "userName!": (),
        "displayName!": (),
        "name!": ("givenName!", "familyName!", "formatted", "middleName", "honorificPrefix", "honorificSuffix"),
        "nickName": (),
        "profileUrl": (),
        "title": (),
        "userType": (),
        "preferredLanguage": (),
        "locale": (),
        "timezone": (),
        "active": (),
        "emails*": ("value", "type", "primary"),
        "addresses*": ("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type", "primary"),
        "phoneNumbers*": ("value", "type", "primary"),
    },
    GROUP_SCHEMA: {"displayName!": (), "members*": ("value", "$ref", "type")},
    ENTERPRISE_SCHEMA: {
        "employeeNumber": (),
        "costCenter": (),
        "organization": (),
        "division": (),
        "department": (),
        "manager": ("value", "$ref"),
    },
}
_NAMES: Final = {USER_SCHEMA: "User", GROUP_SCHEMA: "Group", ENTERPRISE_SCHEMA: "EnterpriseUser"}
_BOOLEANS: Final = ("active", "primary")


def every() -> list[JsonObject]:
    return [_schema(identifier) for identifier in _NAMES]


def find(identifier: str) -> dict[str, Any] | None:
    return _schema(identifier) if identifier in _NAMES else None


def _schema(identifier: str) -> dict[str, Json]:
    attributes = [_attribute(text, parts) for text, parts in _ATTRIBUTES[identifier].items()]
    return {"schemas": [_SCHEMA], "id": identifier, "name": _NAMES[identifier], "attributes": attributes}


def _attribute(text: str, parts: tuple[str, ...] = ()) -> JsonObject:
    name = text.rstrip("!*")
    kind = "complex" if parts else "boolean" if name in _BOOLEANS else "reference" if name == "$ref" else "string"
    attribute: dict[str, Any] = {
        "name": name,
        "type": kind,
        "multiValued": text.endswith("*"),
        "required": text.endswith("!"),
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "server" if name == "userName" else "none",
    }
    if parts:
        attribute["subAttributes"] = [_attribute(part) for part in parts]
    if kind == "reference":
        attribute["referenceTypes"] = ["User"]
    return attribute
