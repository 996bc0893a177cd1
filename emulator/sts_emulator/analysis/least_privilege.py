"""The least policy that allows what a recording holds, decided again on the engine, and what is attached beyond it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sts_emulator.policy.deciding.document import Document, Statement, parse
from sts_emulator.policy.deciding.engine import Request, decide, evaluate
from sts_emulator.policy.deciding.matching import glob
from sts_emulator.policy.json_types import JsonObject
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending.context import Consulted

_WILD: Final = re.compile("[*?]")
FEW: Final = 10
"""Resources of one folder that are listed one by one; of more, the folder is named."""


class TooNarrowError(Exception):
    """The proposal would refuse what was recorded; the message says what."""


@dataclass(frozen=True, slots=True)
class Unused:
    """What an attached policy allows and nobody used: a whole statement, or some of its actions and resources."""

    policy: int
    statement: str
    whole: bool
    actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """As a person would say it."""
        place = f"policy {self.policy}, {self.statement}"
        if self.whole:
            return f"{place}: all of it"
        parts = [*(f"the action {text}" for text in self.actions), *(f"the resource {text}" for text in self.resources)]
        return f"{place}: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A least policy; `needed` uses rest on it, the others on resources' own policies. `folders` were widened to."""

    policy: Mapping[str, Any]
    needed: int
    spared: int
    folders: tuple[str, ...]
    unused: tuple[Unused, ...]


def propose(uses: Sequence[Consulted]) -> Proposal:
    """The least policy for the uses of one principal; what is attached is what the last of them was decided with.

    Raises:
        TooNarrowError: never shown to be allowed again, so it is not proposed.
    """
    needed = [used for used in uses if not _is_spared(used)]
    attached = uses[-1].policies.identity
    allows, folders = _allows(needed)
    policy = {"Version": "2012-10-17", "Statement": [*allows, *_denies(attached)]}
    document = parse(json.dumps(policy))
    for used in uses:
        again = decide(used.request, replace(used.policies, identity=(document,)))
        if not again.allowed:
            raise TooNarrowError(f"{used.request.action} on {used.request.resource} would be denied ({again.layer})")
    unused = tuple(_unused(attached, [used.request for used in needed]))
    return Proposal(policy, len(needed), len(uses) - len(needed), folders, unused)


def _is_spared(used: Consulted) -> bool:
    """Whether the resource's own policy allows it by itself."""
    return decide(used.request, replace(used.policies, identity=())).allowed


def _allows(uses: Sequence[Consulted]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """One statement for each set of actions and the resources that have just these."""
    actions_of: dict[str, set[str]] = {}
    for used in uses:
        actions_of.setdefault(_literal(used.request.resource), set()).add(used.request.action)
    groups: dict[tuple[str, ...], list[str]] = {}
    for resource, together in actions_of.items():
        groups.setdefault(tuple(sorted(together)), []).append(resource)
    folders: list[str] = []
    statements = []
    for actions in sorted(groups):
        resources = _gathered(sorted(groups[actions]), folders)
        statements.append({"Effect": "Allow", "Action": list(actions), "Resource": resources})
    return statements, tuple(folders)


def _literal(resource: str) -> str:
    """A resource as policies write it.

    `*` and `?` stand for what a request does not tell, and stay; in a key of S3 they are letters like others.
    """
    plain = resource.replace("${", "${$}{")
    head, slash, key = plain.partition("/")
    if ":s3:::" not in head or key in ("", "*"):
        return plain
    return head + slash + _WILD.sub(r"${\g<0>}", key)


def _gathered(resources: list[str], folders: list[str]) -> list[str]:
    """The resources, those of a folder with many of them as the folder."""
    by_folder: dict[str, list[str]] = {}
    for resource in resources:
        head, slash, _ = resource.rpartition("/")
        by_folder.setdefault(f"{head}{slash}" if slash else resource, []).append(resource)
    gathered: list[str] = []
    for folder, inside in by_folder.items():
        if len(inside) > FEW:
            folders.append(f"{folder}*")
            gathered.append(f"{folder}*")
        else:
            gathered += inside
    return gathered


def _denies(attached: Sequence[Document]) -> Iterator[JsonObject]:
    """The Deny statements that are attached: they narrow, and stay."""
    for document in attached:
        listed = document.source["Statement"]
        statements = listed if isinstance(listed, list) else [listed]
        yield from (statement for statement in statements if statement.get("Effect") == "Deny")


def _unused(attached: Sequence[Document], requests: Sequence[Request]) -> Iterator[Unused]:
    for number, document in enumerate(attached):
        for statement in document.allows:
            if unused := _unused_of(number, document, statement, requests):
                yield unused


def _unused_of(number: int, document: Document, statement: Statement, requests: Sequence[Request]) -> Unused | None:
    alone = replace(document, denies=(), allows=(statement,))
    applied = [request for request in requests if evaluate(alone, request)[0] == "allow"]
    name = f"Statement[{statement.index}]{f' {statement.sid}' if statement.sid else ''}"
    if not applied:
        return Unused(number, name, whole=True)
    actions = () if statement.not_action else _idle(statement.actions.texts, [request.action for request in applied])
    resources: tuple[str, ...] = ()
    if statement.resources is not None and not statement.not_resource:
        plain = [text for text in statement.resources.texts if "${" not in text]
        resources = _idle(plain, [request.resource for request in applied], fold=False)
    if not (actions or resources):
        return None
    return Unused(number, name, whole=False, actions=actions, resources=resources)


def _idle(patterns: Sequence[str], values: Sequence[str], *, fold: bool = True) -> tuple[str, ...]:
    """The patterns that match none of the values."""
    folded = [value.lower() if fold else value for value in values]
    globs = {text: glob(text.lower() if fold else text) for text in patterns}
    return tuple(text for text, pattern in globs.items() if not any(pattern.matches(value) for value in folded))
