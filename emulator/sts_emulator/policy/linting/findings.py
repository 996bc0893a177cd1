"""Owns the shape of lint: a rule, what it looks at, and a finding."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

from sts_emulator.policy.caller_keys import CallerClass, class_named, never_there
from sts_emulator.policy.deciding.conditions import Condition
from sts_emulator.policy.deciding.document import Document, Statement
from sts_emulator.policy.deciding.operators import Value
from sts_emulator.policy.light_dataclass import dataclass

Severity = Literal["error", "security", "warning", "suggestion"]
"""As IAM Access Analyzer grades: does not work; allows too much; surprises; could be better."""
LintKind = Literal["trust", "identity", "inline", "session", "scp", "rcp"]
EVERY_KIND: tuple[LintKind, ...] = ("trust", "identity", "inline", "session", "scp", "rcp")
IDENTITY_KINDS: tuple[LintKind, ...] = ("identity", "inline", "session")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at: which rule, where (a JSON path), what is wrong and what to write instead."""

    rule: str
    severity: Severity
    path: str
    message: str
    fix: str

    def to_json(self) -> dict[str, str]:
        """The finding as JSON data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Known:
    """Who exists: `arns` of users, roles and identity providers.

    `accounts` are those of which every user and role is among them, `provider_accounts` those of which every provider.
    """

    arns: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    provider_accounts: frozenset[str] = frozenset()

    def __or__(self, other: Known) -> Known:
        """What both know together."""
        return Known(
            self.arns | other.arns, self.accounts | other.accounts, self.provider_accounts | other.provider_accounts
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """What is linted; `role_account` may be empty, and `now` None when it does not matter."""

    document: Document
    kind: LintKind
    role_account: str = ""
    known: Known = Known()
    now: float | None = None

    @property
    def statements(self) -> tuple[Statement, ...]:
        return self.document.statements

    @property
    def allows(self) -> tuple[Statement, ...]:
        return self.document.allows

    def conditions(self, statements: Iterable[Statement] | None = None) -> Iterator[tuple[Statement, Condition, str]]:
        """Every condition with its statement and JSON path; of these statements, or of all."""
        for statement in self.statements if statements is None else statements:
            for condition in statement.conditions:
                yield statement, condition, condition_path(statement, condition)

    def values(self) -> Iterator[tuple[Condition, Value, str]]:
        """Every value with its condition and JSON path."""
        for _, condition, path in self.conditions():
            for value in condition.values:
                yield condition, value, path

    def claims(self, claim: str) -> Iterator[tuple[str, str, str, bool]]:
        """What Allow statements ask of a token's claim: JSON path, issuer, text, and whether that is a pattern."""
        for _, condition, path in self.conditions(self.allows):
            issuer, _, asked = condition.name.rpartition(":")
            op = condition.operator
            if asked == claim and op.family in ("string", "like") and not op.negated:
                for value in condition.values:
                    yield path, issuer, value.raw, op.family == "like"

    def principals(self) -> Iterator[tuple[Statement, str, str, str]]:
        """Every principal of a `Principal` element: statement, type, text, JSON path."""
        for statement in self.statements:
            if statement.principals is None or statement.not_principal:
                continue
            for kind, text in statement.principals.entries:
                tail = "" if kind == "*" else f".{kind}"
                yield statement, kind, text, f"{statement.path}.Principal{tail}"


def classes_named(statement: Statement) -> list[CallerClass]:
    """The classes of callers that a statement's `Principal` names; none where it may be any."""
    principals = statement.principals
    if principals is None or statement.not_principal:
        return []
    entries = principals.entries
    if any(text == "*" for _, text in entries) and (statement.effect == "Deny" or principals.everyone):
        return []  # whether a Deny on {"AWS": "*"} reaches federated callers too is not documented
    return [class_named(kind, text) for kind, text in entries]


def never_true(statement: Statement) -> Iterator[tuple[Condition, CallerClass, str]]:
    """Conditions on keys that nobody whom the statement names can ever have: with the first of those, and why."""
    classes = classes_named(statement)
    for condition in statement.conditions if classes else ():
        reasons = [never_there(condition.key, caller) for caller in classes]
        if condition.operator.family != "null" and all(reasons):
            yield condition, classes[0], reasons[0]


def is_required(condition: Condition) -> bool:
    """Whether a condition is false without its key."""
    op = condition.operator
    return not (op.negated or op.if_exists or op.quantifier == "ForAllValues" or op.family in ("null", "unknown"))


Hit = tuple[str, str, str]
"""JSON path, message, fix."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A lint rule, declared once: documentation and tests are made from it.

    The examples are whole documents: the rule fires on the wrong one and is silent on the right one.
    """

    id: str
    title: str
    severity: Severity
    wrong_example: Mapping[str, Any]
    right_example: Mapping[str, Any]
    check: Callable[[Subject], Iterator[Hit]]
    kinds: tuple[LintKind, ...] = ("trust",)

    @property
    def wrong(self) -> str:
        """The wrong example as text; made when it is asked for, because most runs show none."""
        return json.dumps(self.wrong_example, indent=2)

    @property
    def right(self) -> str:
        """Likewise the right one."""
        return json.dumps(self.right_example, indent=2)

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """What the rule finds."""
        if subject.kind in self.kinds:
            for path, message, fix in self.check(subject):
                yield Finding(self.id, self.severity, path, message, fix)


def condition_path(statement: Statement, condition: Condition) -> str:
    """Where a condition stands, as a JSON path."""
    return f"{statement.path}.Condition.{condition.operator.text}.{condition.key}"
