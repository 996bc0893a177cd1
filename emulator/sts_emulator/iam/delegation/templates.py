"""Policy templates of delegation requests: what a partner registered, filled in with the parameters of one request.

Syntax: UG temporary-delegation-policy-templates. On AWS templates are registered by hand; here a scenario does it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from sts_emulator.core.errors import AwsError
from sts_emulator.policy.deciding.document import MalformedPolicy, as_list
from sts_emulator.policy.saving.validate import validate

LONGEST = 2048  # characters of a filled-in policy
ENABLED = "@Enabled"
_PLACE = re.compile(r"@\{([^{}]{1,256})\}")

Values = Mapping[str, Sequence[str]]


def arn(account: str, name: str) -> str:
    """A template's ARN; AWS's form of it is not public."""
    return f"arn:aws:iam::{account}:delegation-template/{name}"


def values(parameters: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The parameters of a request by name.

    Raises:
        AwsError: InvalidInput for one that is named twice, has no value, or several though it is a `string`.
    """
    named: dict[str, list[str]] = {}
    for parameter in parameters:
        name, given = parameter.get("Name", ""), list(parameter.get("Values", ()))
        if not name or name in named:
            raise AwsError("InvalidInput", f"Policy parameter {name} must be given once.")
        if not given or (parameter.get("Type", "string") == "string" and len(given) > 1):
            raise AwsError("InvalidInput", f"Policy parameter {name} of type string must have one value.")
        named[name] = given
    return named


def render(template: str, given: Values) -> str:
    """The policy that customers see.

    Raises:
        AwsError: InvalidInput when a parameter is missing, or what comes of it is no policy or too long.
    """
    document = json.loads(template)
    statements = [statement for statement in as_list(document["Statement"]) if _enabled(statement, given)]
    document["Statement"] = [
        {name: _filled(value, given) for name, value in statement.items() if name != ENABLED}
        for statement in statements
    ]
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if len(text) > LONGEST:
        raise AwsError("InvalidInput", f"The permission policy is longer than {LONGEST} characters.")
    try:
        validate("session", text)
    except MalformedPolicy as bad:
        raise AwsError("InvalidInput", f"The permission policy is not valid: {bad.message}") from None
    return text


def boundaries(policy: str) -> list[str]:
    """The permissions boundaries that a policy demands of whoever it lets create roles."""
    arns = {
        boundary
        for statement in as_list(json.loads(policy)["Statement"])
        for block in statement.get("Condition", {}).values()
        for key, listed in block.items()
        if key.lower() == "iam:permissionsboundary"
        for boundary in as_list(listed)
    }
    return sorted(arns)


def _enabled(statement: Mapping[str, Any], given: Values) -> bool:
    switch = statement.get(ENABLED)
    if switch is None:
        return True
    name = switch.removeprefix("!")
    return (_value(given, name) == ["True"]) is not switch.startswith("!")


def _filled(value: object, given: Values) -> Any:
    if isinstance(value, str):
        texts = list(_texts(value, given))
        return texts[0] if len(texts) == 1 else texts
    if isinstance(value, list):
        return [text for item in value for text in as_list(_filled(item, given))]
    if isinstance(value, dict):
        return {name: _filled(item, given) for name, item in value.items()}
    return value


def _texts(text: str, given: Values) -> Iterator[str]:
    """The text once for each combination of the values of the parameters that it names."""
    named = list(dict.fromkeys(_PLACE.findall(text)))
    choices = [_value(given, name) for name in named]
    if prod(map(len, choices)) > LONGEST:  # too long, whatever the values: not to be spelt out first
        raise AwsError("InvalidInput", f"The permission policy is longer than {LONGEST} characters.")
    for chosen in product(*choices):
        by_name = dict(zip(named, chosen, strict=True))
        yield _PLACE.sub(lambda place: by_name[place.group(1)], text)  # noqa: B023 - used before the next turn


def _value(given: Values, name: str) -> Sequence[str]:
    if name not in given:
        raise AwsError("InvalidInput", f"Policy parameter {name} is missing.")
    return given[name]
