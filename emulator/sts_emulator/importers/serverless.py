"""The roles that AWS SAM makes for functions, state machines, their events and deployments.

Source: AWS SAM Developer Guide, "AWS::Serverless::Function" and "Generated CloudFormation resources": a function
without `Role` gets `<LogicalId>Role`, an event that the scheduler or EventBridge starts `<LogicalId><Event>Role`, and
functions that are deployed step by step share `CodeDeployServiceRole`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sts_emulator.importers.parts import mapping
from sts_emulator.policy.json_types import Json

_RUNNERS: Mapping[str, str] = {
    "AWS::Serverless::Function": "lambda.amazonaws.com",
    "AWS::Serverless::StateMachine": "states.amazonaws.com",
}
_STARTERS: Mapping[tuple[str, str], str] = {
    ("AWS::Serverless::Function", "ScheduleV2"): "scheduler.amazonaws.com",
    ("AWS::Serverless::StateMachine", "Api"): "apigateway.amazonaws.com",
    ("AWS::Serverless::StateMachine", "CloudWatchEvent"): "events.amazonaws.com",
    ("AWS::Serverless::StateMachine", "EventBridgeRule"): "events.amazonaws.com",
    ("AWS::Serverless::StateMachine", "Schedule"): "events.amazonaws.com",
    ("AWS::Serverless::StateMachine", "ScheduleV2"): "scheduler.amazonaws.com",
}
"""Who starts by an event of that type, by a role of the event's own."""
_MANAGED: Final = "arn:aws:iam::aws:policy/"
_BASIC: Final = f"{_MANAGED}service-role/AWSLambdaBasicExecutionRole"
_DEPLOYER: Final = "CodeDeployServiceRole"
_DEPLOYS: Final = f"{_MANAGED}service-role/AWSCodeDeployRoleForLambda"

Made = tuple[str, str, dict[str, Any]]
"""The logical id of what a role is made for, the role's, and the role."""


def serverless_roles(resources: Mapping[str, Any], common: Any) -> list[Made]:
    """The roles that SAM adds to a template's resources; `common` are its Globals."""
    roles: dict[str, Made] = {}
    for logical, resource in resources.items():
        kind = mapping(resource).get("Type")
        if not isinstance(kind, str) or kind not in _RUNNERS:
            continue
        properties = {**mapping(common, kind.rpartition("::")[2]), **mapping(resource, "Properties")}
        condition = {"Condition": resource["Condition"]} if "Condition" in resource else {}
        for name, role in _roles(logical, kind, properties):
            if name not in resources:
                roles.setdefault(name, (logical, name, {"Type": "AWS::IAM::Role", "Properties": role, **condition}))
    return list(roles.values())


def _roles(logical: str, kind: str, properties: Mapping[str, object]) -> Iterator[tuple[str, dict[str, Any]]]:
    if "Role" not in properties:
        yield f"{logical}Role", _own(properties, _RUNNERS[kind])
    for event, given in mapping(properties, "Events").items():
        starter = _STARTERS.get((kind, str(mapping(given).get("Type"))))
        if starter and not any(name in mapping(given, "Properties") for name in ("RoleArn", "Role")):
            yield f"{logical}{event}Role", {"AssumeRolePolicyDocument": _trust(starter)}
    deployment = properties.get("DeploymentPreference")
    if isinstance(deployment, Mapping) and "Role" not in deployment and "Type" in deployment:
        trust = _trust("codedeploy.amazonaws.com")
        yield _DEPLOYER, {"AssumeRolePolicyDocument": trust, "ManagedPolicyArns": [_DEPLOYS]}


def _own(properties: Mapping[str, object], service: str) -> dict[str, Json]:
    listed = _listed(properties.get("Policies"))
    documents = [item for item in listed if isinstance(item, Mapping) and "Statement" in item]
    managed: list[Any] = [_BASIC] if service.startswith("lambda") else []
    managed += [_managed(item) for item in listed if not _is_template(item)]
    role: dict[str, Any] = {
        "AssumeRolePolicyDocument": properties.get("AssumeRolePolicyDocument") or _trust(service),
        "ManagedPolicyArns": managed,
        "Policies": [
            {"PolicyName": f"Policy{number}", "PolicyDocument": document} for number, document in enumerate(documents)
        ],
    }
    for member, name in (("PermissionsBoundary", "PermissionsBoundary"), ("RolePath", "Path"), ("Tags", "Tags")):
        if member in properties:
            role[name] = properties[member]
    return role


def _trust(service: str) -> Mapping[str, object]:
    statement = {"Effect": "Allow", "Principal": {"Service": [service]}, "Action": ["sts:AssumeRole"]}
    return {"Version": "2012-10-17", "Statement": [statement]}


def unexpanded(resources: Mapping[str, object]) -> Iterator[tuple[list[str | int], str]]:
    """What SAM makes permissions of that are not taken over: where it is, and a sentence for each kind."""
    templates: dict[str, list[str | int]] = {}
    connectors: dict[str, list[str | int]] = {}
    for logical, resource in resources.items():
        given = mapping(resource)
        kind, properties = given.get("Type"), mapping(given, "Properties")
        if kind == "AWS::Serverless::Connector" or given.get("Connectors"):
            connectors[str(logical)] = [logical]
        for item in _listed(properties.get("Policies")) if str(kind) in _RUNNERS else ():
            if _is_template(item) and "Statement" not in item:
                templates |= {str(name): [logical] for name in item}
    nothing = "none lets a role be assumed"
    if templates:
        told = f"SAM's policy templates are not expanded, {nothing}: {', '.join(templates)}"
        yield next(iter(templates.values())), told
    if connectors:
        yield next(iter(connectors.values())), f"SAM's connectors are not expanded, {nothing}: {', '.join(connectors)}"


def _is_template(item: object) -> bool:
    """Whether it is a document, or one of SAM's policy templates, none of which is about assuming roles."""
    return isinstance(item, Mapping) and not any(name == "Ref" or name.startswith("Fn::") for name in item)


def _managed(item: object) -> object:
    """AWS's own policies may be written by name."""
    return f"{_MANAGED}{item}" if isinstance(item, str) and not item.startswith("arn:") else item


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []
