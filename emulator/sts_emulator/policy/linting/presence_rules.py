"""Owns the lint rules about values that STS never takes, and conditions that hold when their key is absent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sts_emulator.policy.caller_keys import never_there
from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.linting.condition_rules import ALWAYS_PRESENT, open_when_absent
from sts_emulator.policy.linting.examples import OTHER, ROLE, admits
from sts_emulator.policy.linting.findings import EVERY_KIND, Hit, Rule, Subject, classes_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sts_emulator.policy.deciding.conditions import Condition
    from sts_emulator.policy.deciding.document import Statement

# Source: STS API Reference, "AssumeRole": the patterns and lengths of its parameters.
TAKEN = {
    "sts:externalid": ("an external id", re.compile(r"[\w+=,.@:/\\-]{2,1224}", re.ASCII)),
    "sts:rolesessionname": ("a session name", re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)),
    "sts:sourceidentity": ("a source identity", re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)),
}
CLAIMS_ALWAYS = (":sub", ":aud")


def _never_taken(subject: Subject) -> Iterator[Hit]:
    for condition, value, path in subject.values():
        if condition.name not in TAKEN or condition.operator.family not in ("string", "ignore_case", "like"):
            continue
        noun, pattern = TAKEN[condition.name]
        open_ended = "${" in value.raw or has_wildcard(value.raw)
        if not open_ended and not pattern.fullmatch(value.raw):
            message = f"STS takes no `{value.raw}` as {noun}, so nobody can bring it"
            yield path, message, f"write {noun} that STS takes"


def _if_exists(subject: Subject) -> Iterator[Hit]:
    def is_open(condition: Condition) -> bool:
        op = condition.operator
        if condition.name == "aws:multifactorauthpresent" or condition.name.endswith(CLAIMS_ALWAYS):
            return False  # the first has a rule of its own, the others are in every token
        return op.if_exists and not op.negated and not op.quantifier and condition.name not in ALWAYS_PRESENT

    def asks(condition: Condition) -> bool:
        return not condition.operator.if_exists and not condition.operator.negated

    for statement, condition, path in open_when_absent(subject, is_open, asks):
        # The rule `anybody` judges statements that name it.
        of_anybody = statement.principals is not None and statement.principals.any_aws
        if not of_anybody and _may_be_there(statement, condition.key):
            text = condition.operator.text
            message = f"{text} is true when {condition.key} is absent, so the Allow is open then"
            yield path, message, f"use {text.replace('IfExists', '')}"


def _may_be_there(statement: Statement, key: str) -> bool:
    """Whether any caller whom the statement names can have a key."""
    named = classes_named(statement)
    return not named or not all(never_there(key, caller) for caller in named)


RULES = (
    Rule(
        "value-never-taken",
        "A value that STS never takes",
        "error",
        admits({"AWS": ROLE}, StringEquals={"sts:ExternalId": "vendor 42"}),
        admits({"AWS": ROLE}, StringEquals={"sts:ExternalId": "vendor-42"}),
        _never_taken,
        EVERY_KIND,
    ),
    Rule(
        "if-exists-open",
        "IfExists in an Allow is true for an absent key",
        "security",
        admits({"AWS": OTHER}, StringEqualsIfExists={"sts:ExternalId": "Vendor-42"}),
        admits({"AWS": OTHER}, StringEquals={"sts:ExternalId": "Vendor-42"}),
        _if_exists,
        EVERY_KIND,
    ),
)
