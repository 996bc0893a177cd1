"""Attributes of a pool's users: the pool's schema, and what may be written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sts_emulator.idp.user_pools.kinds import Client, Pool, invalid, not_authorized
from sts_emulator.policy.json_types import JsonObject

Pairs = Iterable[Mapping[str, str]]

_NUMBER = re.compile(r"-?[0-9]{1,18}")
_LENGTHS = {"sub": ("1", "2048"), "birthdate": ("10", "10")}
_STRINGS = (
    *("sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile"),
    *("picture", "website", "email", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "address"),
)
_DEVELOPERS: Final = "dev:"
"""Attributes that administrators write, and apps may read only (botocore's model, SchemaAttributeType)."""

_BOOLEANS: Final = ("email_verified", "phone_number_verified")
_ALWAYS: Final = ("sub", "identities")


def _standard(name: str) -> JsonObject:
    attribute: dict[str, Any] = {
        "Name": name,
        "AttributeDataType": "String",
        "DeveloperOnlyAttribute": False,
        "Mutable": name != "sub",
        "Required": name == "sub",
    }
    if name in _BOOLEANS:
        return {**attribute, "AttributeDataType": "Boolean"}
    if name == "updated_at":
        return {**attribute, "AttributeDataType": "Number", "NumberAttributeConstraints": {"MinValue": "0"}}
    shortest, longest = _LENGTHS.get(name, ("0", "2048"))
    return {**attribute, "StringAttributeConstraints": {"MinLength": shortest, "MaxLength": longest}}


STANDARD: Final = {name: _standard(name) for name in (*_STRINGS, *_BOOLEANS, "updated_at")}


def schema(given: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The whole schema of a new pool. Raises AwsError: InvalidParameterException."""
    table = {name: dict(attribute) for name, attribute in STANDARD.items()}
    for wanted in given:
        name = wanted.get("Name", "")
        if name in table:
            _check_constraints(wanted)
            table[name] = {**table[name], **wanted}
        else:
            custom = custom_attribute(wanted)
            if custom["Name"] in table:
                raise invalid(f"Duplicate attribute name: {name}")
            table[custom["Name"]] = custom
    return list(table.values())


def custom_attribute(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """A custom attribute as a pool shows it. Raises AwsError: InvalidParameterException."""
    name = wanted.get("Name", "")
    if not name:
        raise invalid("Attribute name must not be empty.")
    if wanted.get("Required"):
        raise invalid("Required custom attributes are not supported currently.")
    _check_constraints(wanted)
    kind = wanted.get("AttributeDataType", "String")
    is_developers = bool(wanted.get("DeveloperOnlyAttribute"))
    prefix = _DEVELOPERS if is_developers else "custom:"
    full = name if name.startswith(prefix) else prefix + name
    constraints = {"String": "StringAttributeConstraints", "Number": "NumberAttributeConstraints"}.get(kind)
    shown = {
        "Name": full,
        "AttributeDataType": kind,
        "DeveloperOnlyAttribute": is_developers,
        "Mutable": wanted.get("Mutable", False),
        "Required": False,
    }
    return {**shown, constraints: dict(wanted.get(constraints) or {})} if constraints else shown


def _check_constraints(attribute: Mapping[str, Any]) -> None:
    """Limits are numbers, though the wire has them as texts."""
    for member in ("StringAttributeConstraints", "NumberAttributeConstraints"):
        for limit in (attribute.get(member) or {}).values():
            if not _NUMBER.fullmatch(limit):
                raise invalid(f"Invalid {member} of the attribute {attribute.get('Name', '')}")


def checked(pool: Pool, pairs: Pairs | None) -> dict[str, str]:
    """Attributes of a request. Raises AwsError: as `check`."""
    given = {pair["Name"]: pair.get("Value", "") for pair in pairs or ()}
    check(pool, given)
    return given


def check(pool: Pool, given: Mapping[str, str]) -> None:
    """Refuse what does not fit the schema. Raises AwsError: InvalidParameterException."""
    table = {attribute["Name"]: attribute for attribute in pool["schema"]}
    for name, value in given.items():
        if name not in table:
            raise invalid(
                "Attributes did not conform to the schema: Type for attribute {" + name + "} could not be determined"
            )
        if name == "sub":
            raise invalid("Cannot modify the non-mutable attribute sub")
        _check_value(table[name], value)


def _check_value(attribute: Mapping[str, Any], value: str) -> None:
    name = attribute["Name"]
    limits = attribute.get("StringAttributeConstraints") or {}
    if attribute["AttributeDataType"] == "String":
        if len(value) < int(limits.get("MinLength") or 0) or len(value) > int(limits.get("MaxLength") or 2048):
            raise invalid(f"Attributes did not conform to the schema: {name}: Invalid length\n")
    elif attribute["AttributeDataType"] == "Boolean" and value.lower() not in ("true", "false"):
        raise invalid(f"Attributes did not conform to the schema: {name}: Invalid boolean\n")
    elif attribute["AttributeDataType"] == "Number" and not _fits(attribute, value):
        raise invalid(f"Attributes did not conform to the schema: {name}: Invalid number\n")
    if name == "email" and value and ("@" not in value[1:-1] or " " in value):
        raise invalid("Invalid email address format.")
    if name == "phone_number" and value and not (value.startswith("+") and value[1:].isdigit()):
        raise invalid("Invalid phone number format.")


def _fits(attribute: Mapping[str, Any], value: str) -> bool:
    if not _NUMBER.fullmatch(value):
        return False
    limits = attribute.get("NumberAttributeConstraints") or {}
    least, most = limits.get("MinValue") or value, limits.get("MaxValue") or value
    return int(least) <= int(value) <= int(most)


def check_mutable(pool: Pool, given: Mapping[str, str]) -> None:
    """Refuse a change of what the schema fixes for good."""
    for attribute in pool["schema"]:
        if attribute["Name"] in given and not attribute.get("Mutable", True):
            name = attribute["Name"]
            raise invalid(f"user.{name}: Attribute cannot be updated. (changing an immutable attribute)\n")


def check_required(pool: Pool, attributes: Mapping[str, str]) -> None:
    """Refuse a user without an attribute that the pool demands."""
    for name in missing(pool, attributes):
        raise invalid(f"Attributes did not conform to the schema: {name}: The attribute {name} is required\n")


def missing(pool: Pool, attributes: Mapping[str, str]) -> list[str]:
    """What the pool demands of its users and one lacks."""
    required = [attribute["Name"] for attribute in pool["schema"] if attribute.get("Required")]
    return [name for name in required if name != "sub" and not attributes.get(name)]


def check_writable(client: Client, given: Iterable[str]) -> None:
    """Refuse what users may not write through this client: verifications never, others as it says."""
    writable = client["settings"].get("WriteAttributes")
    for name in given:
        if name in _BOOLEANS or name.startswith(_DEVELOPERS) or (writable and name not in writable):
            raise not_authorized("A client attempted to write unauthorized attribute")


def readable(client: Client, attributes: Mapping[str, str]) -> dict[str, str]:
    """What a client may read of a user; always who they are."""
    names = client["settings"].get("ReadAttributes")
    return {name: value for name, value in attributes.items() if not names or name in names or name in _ALWAYS}


def shown(attributes: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in attributes.items()]


def to_verify_first(pool: Pool, changes: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """Of changed addresses those that count only once they are verified, if the change does not say they are."""
    settings = pool["settings"].get("UserAttributeUpdateSettings", {})
    return {
        name: changes[name]
        for name in settings.get("AttributesRequireVerificationBeforeUpdate") or ()
        if changes.get(name) and changes[name] != before.get(name) and changes.get(f"{name}_verified") != "true"
    }


def unverified_by(changes: Mapping[str, str], before: Mapping[str, str]) -> dict[str, str]:
    """A changed address is not verified any more, unless the change says so."""
    return {
        f"{name}_verified": changes.get(f"{name}_verified", "false")
        for name in ("email", "phone_number")
        if name in changes and changes[name] != before.get(name)
    }
