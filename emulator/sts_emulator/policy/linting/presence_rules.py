"""Owns the lint rules about values that STS never takes, and conditions that hold when their key is absent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sts_emulator.policy.caller_keys import never_there
from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.linting.condition_rules import ALWAYS_PRESENT
from sts_emulator.policy.linting.findings import (
    EVERY_KIND,
    Hit,
    Rule,
    Subject,
    allow,
    classes_named,
    condition_path,
    policy,
)
from sts_emulator.policy.linting.principal_rules import OTHER, ROLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sts_emulator.policy.deciding.document import Statement

# Source: STS API Reference, "AssumeRole": the patterns and lengths of its parameters.
TAKEN = {
    "sts:externalid": ("an external id", re.compile(r"[\w+=,.@:/\\-]{2,1224}", re.ASCII)),
    "sts:rolesessionname": ("a session name", re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)),
    "sts:sourceidentity": ("a source identity", re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)),
}
CLAIMS_ALWAYS = (":sub", ":aud")


def _never_taken(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        op = condition.operator
        if condition.name not in TAKEN or op.family not in ("string", "ignore_case", "like"):
            continue
        noun, pattern = TAKEN[condition.name]
        for value in condition.values:
            open_ended = "${" in value.raw or has_wildcard(value.raw)
            if not open_ended and not pattern.fullmatch(value.raw):
                yield (
                    path,
                    f"STS takes no `{value.raw}` as {noun}, so nobody can bring it",
                    f"write {noun} that STS takes",
                )


def _if_exists(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        asked = {
            condition.name
            for condition in statement.conditions
            if not condition.operator.if_exists and not condition.operator.negated
        }
        for condition in statement.conditions:
            op = condition.operator
            if not op.if_exists or op.negated or op.quantifier or condition.name in asked | ALWAYS_PRESENT:
                continue
            if condition.name == "aws:multifactorauthpresent" or condition.name.endswith(CLAIMS_ALWAYS):
                continue  # the first has a rule of its own, the others are in every token
            if statement.principals is not None and statement.principals.any_aws:
                continue  # the rule `anybody` judges those
            if _may_be_there(statement, condition.key):
                yield (
                    condition_path(statement, condition),
                    f"{op.text} is true when {condition.key} is absent, so the Allow is open then",
                    f"use {op.text.replace('IfExists', '')}",
                )


def _may_be_there(statement: Statement, key: str) -> bool:
    """Whether any caller whom the statement names can have a key."""
    named = classes_named(statement)
    return not named or not all(never_there(key, caller) for caller in named)


RULES = (
    Rule(
        "value-never-taken",
        "A value that STS never takes",
        "error",
        policy(allow({"AWS": ROLE}, StringEquals={"sts:ExternalId": "vendor 42"})),
        policy(allow({"AWS": ROLE}, StringEquals={"sts:ExternalId": "vendor-42"})),
        _never_taken,
        EVERY_KIND,
    ),
    Rule(
        "if-exists-open",
        "IfExists in an Allow is true for an absent key",
        "security",
        policy(allow({"AWS": OTHER}, StringEqualsIfExists={"sts:ExternalId": "Vendor-42"})),
        policy(allow({"AWS": OTHER}, StringEquals={"sts:ExternalId": "Vendor-42"})),
        _if_exists,
        EVERY_KIND,
    ),
)
