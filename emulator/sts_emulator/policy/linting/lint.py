"""Owns lint: what IAM accepts and is yet wrong, wide or surprising, each rule with a wrong and a right example.

The rules are those of IAM Access Analyzer that concern trust policies
(docs/aws/policy-grammar.md, "Findings of Access Analyzer"), the pitfalls of docs/aws/policy-evaluation.md, "Pitfalls"
and a few of our own. `RULES` is the one list of them all: documentation and tests are made from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.deciding.document import MalformedPolicy, parse
from sts_emulator.policy.linting import condition_rules as lint_conditions
from sts_emulator.policy.linting import document_rules as lint_documents
from sts_emulator.policy.linting import presence_rules as lint_presence
from sts_emulator.policy.linting import principal_rules as lint_principals
from sts_emulator.policy.linting import subject_rules as lint_subjects
from sts_emulator.policy.linting import time_rules as lint_times
from sts_emulator.policy.linting import token_rules as lint_tokens
from sts_emulator.policy.linting.findings import Finding, Known, LintKind, Rule, Severity, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RULES", "Finding", "Known", "Rule", "lint"]

RULES: tuple[Rule, ...] = (
    *lint_principals.RULES,
    *lint_conditions.RULES,
    *lint_presence.RULES,
    *lint_times.RULES,
    *lint_subjects.RULES,
    *lint_tokens.RULES,
    *lint_documents.RULES,
)
REFUSED = "refused-on-save"
MALFORMED = "malformed"
ORDER: Mapping[Severity, int] = {"error": 0, "security": 1, "warning": 2, "suggestion": 3}


def lint(
    text: str, *, kind: LintKind = "trust", role_account: str = "", known: Known | None = None, now: float | None = None
) -> list[Finding]:
    """All findings, the gravest first.

    `role_account` (12 digits) lets own and foreign accounts be told apart; `known` lets missing principals be found,
    and `now` (seconds since 1970) times that are over. What cannot be read at all gives the single finding `malformed`;
    that saving fails is said only where no other error explains it.
    """
    try:
        subject = Subject(parse(text), kind, role_account, known or Known(), now)
    except MalformedPolicy as error:
        return [Finding(MALFORMED, "error", "", error.message, "see the grammar of the JSON policy language")]
    findings = [finding for rule in RULES for finding in rule.findings(subject)]
    if any(finding.severity == "error" and finding.rule != REFUSED for finding in findings):
        findings = [finding for finding in findings if finding.rule != REFUSED]
    return sorted(dict.fromkeys(findings), key=lambda finding: ORDER[finding.severity])
