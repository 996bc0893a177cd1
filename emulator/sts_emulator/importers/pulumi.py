"""`pulumi preview --json` and `pulumi stack export`: Pulumi's AWS resources are Terraform's under other names.

Source: Pulumi's documentation, "pulumi preview" and "pulumi stack export"; names of resources and members follow from
those of the Terraform provider that `pulumi-aws` is made from.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from sts_emulator.importers import cloudformation, inventory, terraform
from sts_emulator.importers.inventory import Inventory
from sts_emulator.importers.json_text import BadInput, JsonText
from sts_emulator.importers.parts import mapping
from sts_emulator.importers.pulumi_native import NativeTemplate, kind_of, name_of
from sts_emulator.importers.terraform import Plan, Resource
from sts_emulator.importers.terraform_references import Configuration
from sts_emulator.policy.json_types import JsonObject

UNKNOWN: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""Stands in a preview for what is known at deployment only."""
_TYPE = re.compile(r"aws:(iam|rolesanywhere|organizations|ssoadmin)/([A-Za-z]+):[A-Za-z]+")
_UPPER = re.compile(r"(?<=[a-z0-9])([A-Z])")
_TYPES: Mapping[str, str] = {"aws_iam_open_id_connect_provider": "aws_iam_openid_connect_provider"}
_MEMBERS: Mapping[str, str] = {
    "clientIdLists": "client_id_list",
    "inlinePolicies": "inline_policy",
    "thumbprintLists": "thumbprint_list",
}
"""Lists, which Pulumi names in the plural."""


def read(source: JsonText, account: str) -> Inventory:
    """The IAM of a preview or of an exported stack.

    Raises:
        BadInput: what is not JSON, or not of the format.
    """
    exists = "deployment" in source.top
    plan = Plan(account or terraform.account_in(source.text), source, Configuration({}))
    plan.inventory = Inventory("an exported Pulumi stack" if exists else "a Pulumi preview", exists=exists)
    states = {str(state.get("urn")): (state, line) for state, line in _states(source)}
    for state, line in states.values():
        resource = _resource(state, line)
        if resource is not None:
            resource.values = {**resource.values, **_depended_on(state, states, plan.account)}
            plan.resources.append(resource)
    terraform.take(plan)
    native = [(state, line) for state, line in states.values() if kind_of(state)]
    if native:
        made = cloudformation.read(NativeTemplate(source.file, native, UNKNOWN), plan.account, {})
        plan.inventory.take_in(made, "", "")
    return plan.inventory


def _states(source: JsonText) -> Iterator[tuple[Mapping[str, Any], int]]:
    """What will be, or is, of each resource, and its line."""
    top = source.top
    if "deployment" in top:
        place = source.find(top["deployment"], ["resources"])
        elements = source.elements(place) if source.is_list(place) else iter(())
    else:
        elements = source.elements(top["steps"])
    for at in elements:
        value = source.value(at)
        if not isinstance(value, Mapping):
            raise BadInput("expected a resource, or a step with one", source.line(at))
        state = value if "deployment" in top else value.get("newState")
        if isinstance(state, Mapping) and value.get("op") not in ("delete", "delete-replaced", "discard"):
            yield state, source.line(at)


def _resource(state: JsonObject, line: int) -> Resource | None:
    match = _TYPE.fullmatch(str(state.get("type")))
    if match is None:
        return None
    kind = f"aws_{match[1]}_{_snake(match[2])}"
    name = name_of(state)
    return Resource(f"{match[2]} {name}", _TYPES.get(kind, kind), name, (), _values(state), line)


def _values(state: JsonObject) -> JsonObject:
    """The members that are known, as Terraform names them."""
    values: dict[str, Any] = {}
    for side in ("inputs", "outputs"):
        for name, value in mapping(state, side).items():
            if not _is_unknown(value):
                values[_MEMBERS.get(name, _snake(name))] = value
    return values


def _is_unknown(value: object) -> bool:
    if isinstance(value, str):
        return UNKNOWN in value
    return isinstance(value, list) and any(map(_is_unknown, value))


def _depended_on(state: JsonObject, states: Mapping[str, tuple[Mapping[str, Any], int]], account: str) -> JsonObject:
    """Members that are not known yet, from the resources that they are taken from."""
    values: dict[str, Any] = {}
    for member, urns in mapping(state, "propertyDependencies").items():
        known = states.get(str(urns[0])) if isinstance(urns, list) and len(urns) == 1 else None
        other = _resource(*known) if known is not None else None
        if other is None or _snake(member) in _values(state):
            continue
        name = other.values.get("name")
        name = name if isinstance(name, str) else other.name
        if member in ("role", "user", "group"):
            values[member] = name
        elif member.endswith("Arn"):
            arn = other.values.get("arn")
            kind = other.type.removeprefix("aws_iam_")
            values[_snake(member)] = arn if isinstance(arn, str) else inventory.arn(account, kind, name)
    return values


def _snake(name: str) -> str:
    return _UPPER.sub(lambda match: f"_{match[1]}", name).lower()
