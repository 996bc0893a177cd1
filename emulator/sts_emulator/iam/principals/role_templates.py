"""Role templates: AWS's blueprints of roles, by ARN, and what comes of them with the values of one request.

Their texts were read off AWS on 2026-09-12 (docs/aws/iam.md, "Role templates"). None of them has tags or a boundary.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.light_dataclass import dataclass

ENABLED: Final = "@Enabled"
_PLACE: Final = re.compile(r"@\{([^{}]+)\}")
_NAME: Final = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)

Template = Mapping[str, Any]
Values = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A template with its values filled in. `inline` are texts by name, `attached` ARNs."""

    name: str
    path: str
    description: str
    trust: str
    inline: Mapping[str, str]
    attached: tuple[str, ...]
    max_duration: int


def find(arn: str, minor: int | None) -> Template:
    """A version of a template as GetRoleTemplateVersion tells it, but for its policies, which are JSON data.

    Raises:
        AwsError: NoSuchEntity (the code is recorded, the sentence is in the manner of IAM's others).
    """
    template = _catalogue().get(arn)
    if template is None:
        raise AwsError("NoSuchEntity", f"Role template {arn} cannot be found.")
    if minor not in (None, template["MinorVersion"]):
        raise AwsError("NoSuchEntity", f"Version {minor} of role template {arn} cannot be found.")
    return template


def filled(template: Template, given: Values) -> Blueprint:
    """The role that a template and values come to.

    Raises:
        AwsError: InvalidInput for a value that is missing, or one that the template does not know; ValidationError for
            several where one is meant, and for what cannot be a role's name.
    """
    values = _values(template, given)
    name = _text(template["RoleNamePattern"], values)
    if not _NAME.fullmatch(name):
        message = (
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the "
            "following: +=,.@_-"
        )
        raise AwsError("ValidationError", message)
    inline = {
        policy["PolicyName"]: text
        for policy in template.get("InlinePolicyTemplates", ())
        if (text := _policy(policy["PolicyDocument"], values))
    }
    return Blueprint(
        name=name,
        path=_text(template.get("RolePathPattern", "/"), values),
        description=_text(template["RoleDescriptionPattern"], values),
        trust=_policy(template["AssumeRolePolicyDocumentTemplate"], values),
        inline=inline,
        attached=tuple(template.get("ManagedPolicyArns", ())),
        max_duration=template["MaxSessionDuration"],
    )


@cache
def _catalogue() -> Mapping[str, Template]:
    templates = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return {template["TemplateArn"]: template for template in templates}


def _values(template: Template, given: Values) -> dict[str, Sequence[str]]:
    values: dict[str, Sequence[str]] = {}
    for parameter in template["ParametersDefinition"]:
        name = parameter["Name"]
        if name in given:
            values[name] = given[name]
            if parameter["Type"] != "StringList" and len(given[name]) != 1:
                message = f"{name} replacement value must contain exactly one value, got {len(given[name])}"
                raise AwsError("ValidationError", message)
        elif "DefaultValue" in parameter:
            values[name] = [parameter["DefaultValue"]]
    for name in sorted(given):
        if name not in values:
            raise AwsError("InvalidInput", f"Failed to render template: Unrecognized parameter: {name}")
    return values


def _policy(document: Mapping[str, Any], values: Values) -> str:
    """The document without the statements that are switched off; empty when none is left."""
    statements = [
        {member: _filled(value, values) for member, value in statement.items() if member != ENABLED}
        for statement in document["Statement"]
        if _is_on(statement, values)
    ]
    return json.dumps({**document, "Statement": statements}, separators=(",", ":")) if statements else ""


def _is_on(statement: Mapping[str, Any], values: Values) -> bool:
    switch = statement.get(ENABLED)
    return switch is None or [value.lower() for value in values.get(switch, ())] == ["true"]


def _filled(value: Any, values: Values) -> Any:
    """Values are put into JSON data, never into its text: none of them can write policy."""
    if isinstance(value, str):
        place = _PLACE.fullmatch(value)
        several = values.get(place[1], ()) if place else ()
        return list(several) if len(several) > 1 else _text(value, values)
    if isinstance(value, list):
        return [_filled(item, values) for item in value]
    return {member: _filled(item, values) for member, item in value.items()}


def _text(pattern: str, values: Values) -> str:
    def value(place: re.Match[str]) -> str:
        if place[1] not in values:
            raise AwsError("InvalidInput", f"Failed to render template: Parameter '{place[1]}' not found.")
        return values[place[1]][0]

    return _PLACE.sub(value, pattern)
