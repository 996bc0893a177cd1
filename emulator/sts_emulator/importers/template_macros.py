"""What AWS's own transforms make of a template before it is deployed, as far as that decides a policy.

Source: AWS CloudFormation User Guide, "Fn::ForEach"; AWS SAM Developer Guide, "AWS::Serverless::Function" and
"Generated CloudFormation resources": a function without `Role` gets a role of its own, `<LogicalId>Role`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Origins = Mapping[str, list[str | int]]
"""Where in the file a resource that a transform made is written."""

LOOP: Final = "Fn::ForEach::"
MOST: Final = 5_000
"""Resources that loops may make; a template has 500 at most."""
DEEPEST: Final = 5
_RUNNERS: Mapping[str, str] = {
    "AWS::Serverless::Function": "lambda.amazonaws.com",
    "AWS::Serverless::StateMachine": "states.amazonaws.com",
}
_MANAGED: Final = "arn:aws:iam::aws:policy/"
_BASIC: Final = f"{_MANAGED}service-role/AWSLambdaBasicExecutionRole"


def expanded(template: Mapping[str, Any], parameters: Mapping[str, Any]) -> tuple[dict[str, Any], Origins]:
    """The template with loops unrolled and SAM's roles made, and where what is new is written."""
    origins: dict[str, list[str | int]] = {}
    unrolling = _Unrolling(template, parameters)
    resources = unrolling.resources(origins)
    for logical, role in _serverless_roles(resources, template.get("Globals")):
        origins[logical] = origins.get(logical.removesuffix("Role"), ["Resources", logical.removesuffix("Role")])
        resources[logical] = role
    conditions = template.get("Conditions")
    whole = {**template, "Resources": resources}
    if isinstance(conditions, Mapping):
        whole["Conditions"] = unrolling.unrolled(conditions)
    return whole, origins


class _Unrolling:
    """`Fn::ForEach` of one template."""

    def __init__(self, template: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        self._template = template
        self._parameters = parameters
        self._made = 0

    def resources(self, origins: dict[str, list[str | int]]) -> dict[str, Any]:
        """The resources, each with its loops unrolled."""
        resources: dict[str, Any] = {}
        for name, written in self._template["Resources"].items():
            if not name.startswith(LOOP):
                resources[name] = self.unrolled(written)
                continue
            for logical, resource in self.unrolled({name: written}).items():
                resources[logical] = resource
                origins[logical] = ["Resources", name]
        return resources

    def unrolled(self, written: Any, depth: int = 0) -> Any:
        """A value with the loops in it unrolled."""
        if isinstance(written, list):
            return [self.unrolled(item, depth) for item in written] if _has_loop(written) else written
        if not isinstance(written, Mapping) or not _has_loop(written):
            return written
        members: dict[str, Any] = {}
        for name, item in written.items():
            if name.startswith(LOOP) and depth < DEEPEST:
                members |= self._turns(item, depth)
            else:
                members[name] = self.unrolled(item, depth)
        return members

    def _turns(self, loop: Any, depth: int) -> dict[str, Any]:
        members: dict[str, Any] = {}
        if not isinstance(loop, list) or len(loop) != 3 or not isinstance(loop[2], Mapping):  # noqa: PLR2004 - name, values, body
            return members
        variable, listed, body = loop
        for value in self._values(listed):
            self._made += len(body)
            if self._made > MOST:
                break
            members |= self.unrolled(_put(body, str(variable), str(value)), depth + 1)
        return members

    def _values(self, listed: Any) -> list[Any]:
        """A list as written, or the values of a parameter that is one."""
        name = listed.get("Ref") if isinstance(listed, Mapping) else None
        values = self._parameters.get(name) if isinstance(name, str) else listed
        if not isinstance(values, list):
            return []
        return [inner for value in values for inner in (self._values(value) if isinstance(value, Mapping) else [value])]


def _has_loop(written: Any) -> bool:
    if isinstance(written, Mapping):
        return any(name.startswith(LOOP) or _has_loop(item) for name, item in written.items())
    return isinstance(written, list) and any(map(_has_loop, written))


def _put(written: Any, variable: str, value: str) -> Any:
    """A loop's body for one value: `${Variable}`, `&{Variable}` (without what a logical id cannot hold), and Ref."""
    if isinstance(written, str):
        plain = "".join(character for character in value if character.isalnum())
        return written.replace(f"${{{variable}}}", value).replace(f"&{{{variable}}}", plain)
    if isinstance(written, list):
        return [_put(item, variable, value) for item in written]
    if not isinstance(written, Mapping):
        return written
    if dict(written) == {"Ref": variable}:
        return value
    return {_put(name, variable, value): _put(item, variable, value) for name, item in written.items()}


# -- SAM -------------------------------------------------------------------------------------------------------------


def _serverless_roles(resources: Mapping[str, Any], common: Any) -> list[tuple[str, dict[str, Any]]]:
    roles = []
    for logical, resource in resources.items():
        kind = resource.get("Type") if isinstance(resource, Mapping) else None
        service = _RUNNERS.get(kind) if isinstance(kind, str) else None
        given = resource.get("Properties") if service else None
        if service is None or f"{logical}Role" in resources:
            continue
        shared = common.get(str(kind).rpartition("::")[2]) if isinstance(common, Mapping) else None
        properties = {
            **(shared if isinstance(shared, Mapping) else {}),
            **(given if isinstance(given, Mapping) else {}),
        }
        if "Role" not in properties:
            role = {"Type": "AWS::IAM::Role", "Properties": _role(properties, service)}
            if "Condition" in resource:
                role["Condition"] = resource["Condition"]
            roles.append((f"{logical}Role", role))
    return roles


def _role(properties: Mapping[str, Any], service: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
    listed = properties.get("Policies") or []
    listed = listed if isinstance(listed, list) else [listed]
    documents = [item for item in listed if isinstance(item, Mapping) and "Statement" in item]
    managed: list[Any] = [_BASIC] if service.startswith("lambda") else []
    managed += [_managed(item) for item in listed if not _is_template(item)]
    role: dict[str, Any] = {
        "AssumeRolePolicyDocument": properties.get("AssumeRolePolicyDocument")
        or {"Version": "2012-10-17", "Statement": [statement]},
        "ManagedPolicyArns": managed,
        "Policies": [
            {"PolicyName": f"Policy{number}", "PolicyDocument": document} for number, document in enumerate(documents)
        ],
    }
    for member, name in (("PermissionsBoundary", "PermissionsBoundary"), ("RolePath", "Path")):
        if member in properties:
            role[name] = properties[member]
    return role


def _is_template(item: Any) -> bool:
    """Whether it is a document, or one of SAM's policy templates, none of which is about assuming roles."""
    return isinstance(item, Mapping) and not any(name == "Ref" or name.startswith("Fn::") for name in item)


def _managed(item: Any) -> Any:
    """AWS's own policies may be written by name."""
    return f"{_MANAGED}{item}" if isinstance(item, str) and not item.startswith("arn:") else item
