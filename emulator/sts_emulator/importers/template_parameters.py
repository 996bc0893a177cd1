"""The parameters of a template: what it says of them itself, and what to pass where it says nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sts_emulator.importers.parts import mapping
from sts_emulator.policy.json_types import JsonObject

REGION: Final = "us-east-1"
STACK: Final = "stack"
MOST_TOLD: Final = 6

_ID = re.compile(r"AWS::EC2::([A-Za-z]+)::Id")
_PREFIXES: Mapping[str, str] = {
    "Image": "ami",
    "Instance": "i",
    "SecurityGroup": "sg",
    "Subnet": "subnet",
    "VPC": "vpc",
    "Volume": "vol",
}


def parameters_of(template: JsonObject) -> JsonObject:
    """The values that a template gives its own parameters: defaults, or the first of those that it allows."""
    parameters: dict[str, Any] = {}
    for name, parameter in _declared(template).items():
        kind, allowed = str(parameter.get("Type", "")), parameter.get("AllowedValues")
        default = parameter.get("Default")
        if kind.startswith("AWS::SSM::Parameter::Value"):
            continue  # the default is the name of a value that is kept elsewhere
        if default is None and isinstance(allowed, list) and allowed:
            default = allowed[0]
        if default is None and (match := _ID.search(kind)) and match[1] in _PREFIXES:
            default = f"{_PREFIXES[match[1]]}-0123456789abcdef0"
        if default is not None:
            parameters[name] = _typed(kind, default)
    return parameters


def _declared(template: JsonObject) -> dict[str, Mapping[str, Any]]:
    declared = mapping(template, "Parameters")
    return {name: parameter for name, parameter in declared.items() if isinstance(parameter, Mapping)}


def _typed(kind: str, value: object) -> Any:
    """A value as a parameter of that type has it."""
    if isinstance(value, list) or not kind.startswith(("CommaDelimitedList", "List<")):
        return value
    return [item.strip() for item in str(value).split(",")]


def given_to(template: JsonObject, given: JsonObject) -> JsonObject:
    """Values that were passed for a template's parameters, lists as lists."""
    kinds = {name: str(parameter.get("Type", "")) for name, parameter in _declared(template).items()}
    return {name: _typed(kinds.get(name, ""), value) for name, value in given.items()}


def pseudo(account: str, region: str = "", stack: str = "") -> dict[str, str]:
    """AWS's own parameters; all but the account may be given as others are."""
    region, stack = region or REGION, stack or STACK
    return {
        "AWS::AccountId": account,
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::URLSuffix": "amazonaws.com",
        "AWS::StackName": stack,
        "AWS::StackId": f"arn:aws:cloudformation:{region}:{account}:stack/{stack}/1",
    }


def told(unresolved: Sequence[str], declared: Mapping[str, object], *, is_nested: bool = False) -> str:
    """What a template alone does not tell, in a sentence, and what to pass: to a nested stack by the one around it."""
    names = [what.removeprefix("Ref ") for what in unresolved]
    wanted = [name for name in names if name in declared]
    others = [name for name in names if name not in declared]
    parts = []
    if wanted:
        shown = " ".join(f"--parameter {name}=VALUE" for name in wanted[:MOST_TOLD])
        shown = "it under Parameters of the stack" if is_nested else shown
        parts.append(f"without a value for {_listed(wanted)} one is made up; pass {shown}")
    if others:
        parts.append(f"not told by the template, so made up: {_listed(others)}")
    return "; ".join(parts)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_TOLD} more" if len(names) > MOST_TOLD else ""
    return ", ".join(names[:MOST_TOLD]) + more
