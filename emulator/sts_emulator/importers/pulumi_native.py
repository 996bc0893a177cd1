"""Resources of Pulumi's `aws-native`: CloudFormation's, their properties in camel case.

Source: Pulumi's documentation, "AWS Cloud Control": types `aws-native:iam:Role`; a policy is an object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sts_emulator.importers.parts import mapping
from sts_emulator.policy.json_types import JsonObject

_TYPE = re.compile(r"aws-native:(iam|rolesanywhere|organizations|sso):([A-Za-z0-9]+)")
_SERVICES: Mapping[str, str] = {
    "iam": "IAM",
    "rolesanywhere": "RolesAnywhere",
    "organizations": "Organizations",
    "sso": "SSO",
}
_TYPES: Mapping[str, str] = {"OidcProvider": "OIDCProvider", "SamlProvider": "SAMLProvider"}
_DOCUMENTS: Final = ("assumeRolePolicyDocument", "policyDocument", "document")


def kind_of(state: Mapping[str, object]) -> str:
    """CloudFormation's type of a resource; empty for others."""
    match = _TYPE.fullmatch(str(state.get("type")))
    return f"AWS::{_SERVICES[match[1]]}::{_TYPES.get(match[2], match[2])}" if match else ""


class NativeTemplate:
    """The native resources of a preview or stack as a template."""

    def __init__(self, file: str, states: Sequence[tuple[Mapping[str, Any], int]], unknown: str) -> None:
        self.file = file
        self._unknown = unknown
        self._names = {str(state.get("urn")): name_of(state) for state, _ in states}
        self._lines = {name_of(state): line for state, line in states}
        self._states = states

    def plain(self) -> Any:
        """See stacks.Template."""
        return {"Resources": {name_of(state): self._resource(state) for state, _ in self._states}}

    def line_at(self, path: list[str | int]) -> int:
        """See stacks.Template."""
        return self._lines.get(str(path[1]), 1) if len(path) > 1 else 1

    def _resource(self, state: Mapping[str, Any]) -> Mapping[str, object]:
        members: dict[str, Any] = {}
        for side in ("outputs", "inputs"):  # what was asked for stands over what came of it
            members |= mapping(state, side)
        depended = mapping(state, "propertyDependencies")
        properties = {
            _capital(name): self._value(name, value, depended.get(name), depth=1) for name, value in members.items()
        }
        return {"Type": kind_of(state), "Properties": properties}

    def _value(self, member: str, value: Any, urns: Any, depth: int) -> Any:
        """A value; what is not known yet is the resource that it depends on, if that is one."""
        if isinstance(value, str) and self._unknown in value:
            names = [self._names[urn] for urn in urns or () if urn in self._names]
            return {"Fn::GetAtt": [names[0], "Arn"]} if len(names) == 1 else {"Ref": member}
        if isinstance(value, list):
            return [self._value(member, item, urns, depth) for item in value]
        if not isinstance(value, Mapping):
            return value
        is_property = member not in _DOCUMENTS and depth > 0
        return {
            _capital(name) if is_property else name: self._value(
                name if is_property else "", item, urns, depth if is_property and name not in _DOCUMENTS else 0
            )
            for name, item in value.items()
        }


def name_of(state: JsonObject) -> str:
    return str(state.get("urn", "")).rpartition("::")[2]


def _capital(name: str) -> str:
    return f"{name[:1].upper()}{name[1:]}"
