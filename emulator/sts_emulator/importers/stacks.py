"""The stack that a template is deployed as: where, under which name, and which templates stand beside it.

Sources: AWS CDK's cloud assembly schema (`manifest.json`: artifacts of type `aws:cloudformation:stack`, metadata
`aws:asset:path`); AWS CloudFormation Template Reference, "AWS::CloudFormation::Stack".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, Final, Protocol

from sts_emulator.importers.parts import mapping
from sts_emulator.policy.light_dataclass import dataclass

DEEPEST: Final = 8
"""Stacks inside stacks that are followed."""
_ENVIRONMENT = re.compile(r"aws://([0-9]{12}|unknown-account)/([a-z0-9-]+)")


class Template(Protocol):
    """A template that was read: its value, and the line of a place in it."""

    file: str

    def plain(self) -> Any:
        """The whole template."""

    def line_at(self, path: list[str | int]) -> int:
        """The line of what `path` leads to, or of the nearest place on the way."""


Beside = Callable[[str, str], Template | None]
"""Opens a template by the path that another writes: the file of that one, and the path. None: it is not there.

Raises BadInput for a file that is no template.
"""


def _nowhere(_file: str, _path: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Stack:
    """What is known about a stack beside its template.

    `prefix` goes before the logical ids of what CloudFormation names; `used` are those ids that others have taken.
    """

    account: str = ""
    region: str = ""
    name: str = ""
    prefix: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    beside: Beside = _nowhere
    used: set[str] = field(default_factory=set)
    depth: int = 0

    def nested(self, logical: str) -> Stack:
        """The stack that this one makes by a resource of that logical id."""
        return replace(
            self, name=f"{self.name}-{logical}", prefix=f"{self.prefix}{logical}-", parameters={}, depth=self.depth + 1
        )

    def called(self, logical: str, *, is_taken: bool) -> str:
        """The name of what CloudFormation names: the logical id, after the stack's where another has taken it."""
        name = f"{self.prefix}{logical}" if is_taken else logical
        return name if len(name) <= 64 else name[-64:]  # noqa: PLR2004 - the longest name of IAM


def of_manifest(manifest: object, file: str, *, is_stage: bool) -> Stack:
    """What the manifest of a CDK app says about the stack of a template's file; a stage's stacks have its name."""
    for name, artifact in mapping(manifest, "artifacts").items():
        told = mapping(artifact, "properties")
        if told.get("templateFile") != file:
            continue
        stack = str(told.get("stackName", name))
        where = _ENVIRONMENT.fullmatch(str(artifact.get("environment")))
        account, region = where.groups() if where else ("", "")
        return Stack(
            "" if account == "unknown-account" else account,
            "" if region == "unknown-region" else region,
            stack,
            f"{stack}-" if is_stage else "",
            {str(key): value for key, value in mapping(told, "parameters").items() if isinstance(value, str)},
        )
    return Stack()


def template_of(resource: Mapping[str, Any]) -> str:
    """The path of a nested stack's template, as its resource writes it; empty where it is somewhere else."""
    path, properties = mapping(resource, "Metadata").get("aws:asset:path"), mapping(resource, "Properties")
    if not isinstance(path, str):
        path = properties.get("TemplateURL", properties.get("Location"))
    return path if isinstance(path, str) and "://" not in path else ""
