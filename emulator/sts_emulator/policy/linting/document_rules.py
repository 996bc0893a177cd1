"""Owns the lint rules about whole documents: language, size, statements that can never matter, and too much at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.deciding.document import MalformedPolicy
from sts_emulator.policy.deciding.matching import glob
from sts_emulator.policy.federated import GITHUB
from sts_emulator.policy.linting.examples import ACCOUNT, MAIN, ROLE, admits, allow, by_token, deny, policy
from sts_emulator.policy.linting.findings import EVERY_KIND, IDENTITY_KINDS, Hit, Rule, Subject
from sts_emulator.policy.saving.validate import QUOTAS, validate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sts_emulator.policy.deciding.document import Statement

ANYWHERE = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
ONE_ROLE = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}
MOST_COMPARED = 100
"""Deny statements that every Allow is compared with."""


def _version(subject: Subject) -> Iterator[Hit]:
    if "Version" not in subject.document.source:
        message = "without a version the policy is of the 2008-10-17 language, which has no variables"
        yield "Version", message, ('write "Version": "2012-10-17"')


def _size(subject: Subject) -> Iterator[Hit]:
    quota = QUOTAS.get(subject.kind)
    if quota is not None and subject.document.size > quota:
        yield "", f"{subject.document.size} characters without white space; the quota is {quota}", "split or shorten it"


def _refused(subject: Subject) -> Iterator[Hit]:
    try:
        validate(subject.kind, subject.document.text, quota=len(subject.document.text))
    except MalformedPolicy as error:
        yield "", f"saving it fails: {error.code}: {error.message}", "correct what the message names"


def _unreachable(subject: Subject) -> Iterator[Hit]:
    """Allow statements that an unconditional Deny covers whole."""
    wide = [statement for statement in subject.document.denies if _is_wide(statement)][:MOST_COMPARED]
    for statement in subject.allows:
        other = next((denial for denial in wide if _covers(denial, statement)), None)
        if other is not None:
            message = f"{other.path} denies all that this statement allows, so it never matters"
            yield statement.path, message, "remove it, or give the Deny a condition"


def _is_wide(statement: Statement) -> bool:
    return not (statement.conditions or statement.not_action or statement.not_principal or statement.not_resource)


def _covers(wide: Statement, narrow: Statement) -> bool:
    """Whether whatever `narrow` applies to, `wide` applies to; in doubt it does not."""
    if narrow.not_action or narrow.not_principal:
        return False
    return (
        all(wide.actions.match(text.lower()) for text in narrow.actions.texts)
        and _principals_covered(wide, narrow)
        and (wide.resources is None or _resources_covered(wide, narrow))
    )


def _principals_covered(wide: Statement, narrow: Statement) -> bool:
    if wide.principals is None or narrow.principals is None:
        return wide.principals is narrow.principals
    if wide.principals.everyone or wide.principals.any_aws:
        return True
    return set(narrow.principals.entries) <= set(wide.principals.entries)


def _resources_covered(wide: Statement, narrow: Statement) -> bool:
    if wide.resources is None or narrow.resources is None or narrow.not_resource:
        return False
    patterns = [glob(text) for text in wide.resources.texts]
    return all(any(pattern.matches(text) for pattern in patterns) for text in narrow.resources.texts)


def _repeated(subject: Subject) -> Iterator[Hit]:
    seen: dict[str, Statement] = {}
    for statement in subject.statements:
        body = repr(sorted((name, element) for name, element in statement.source.items() if name != "Sid"))
        if body in seen:
            yield statement.path, f"it says the same as {seen[body].path}", "remove one of them"
        seen.setdefault(body, statement)


def _contradiction(subject: Subject) -> Iterator[Hit]:
    """Conditions of one statement that cannot be true together."""
    for statement in subject.statements:
        absent = {
            condition.name
            for condition in statement.conditions
            if condition.operator.family == "null" and {value.raw.lower() for value in condition.values} == {"true"}
        }
        for condition in statement.conditions:
            op = condition.operator
            needs_it = op.family not in ("null", "unknown") and not op.negated and not op.if_exists
            if condition.name in absent and needs_it and op.quantifier != "ForAllValues":
                message = f"Null asks for {condition.key} to be absent, {op.text} for a value: never both"
                yield statement.path, message, "drop one of the two conditions"


def _assume_anything(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        everywhere = statement.resources is not None and "*" in statement.resources.texts
        assumes = statement.actions.match("sts:assumerole") and not statement.not_action
        if everywhere and assumes and not statement.not_resource and not statement.conditions:
            message = "it lets the caller assume every role, in every account, whose trust policy names its account"
            yield f"{statement.path}.Resource", message, "list the roles"


RULES = (
    Rule(
        "missing-version",
        "The policy does not say its language version",
        "suggestion",
        {"Statement": allow({"AWS": ROLE})},
        admits({"AWS": ROLE}),
        _version,
        EVERY_KIND,
    ),
    Rule(
        "too-large",
        "The policy exceeds its quota",
        "error",
        policy(*(allow({"AWS": f"arn:aws:iam::{ACCOUNT}:role/team/{number:04}/Deployer"}) for number in range(20))),
        admits({"AWS": ACCOUNT}, ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/team/*/Deployer"}),
        _size,
        EVERY_KIND,
    ),
    Rule(
        "refused-on-save",
        "IAM refuses to save the policy",
        "error",
        admits({"AWS": ROLE}, "s3:GetObject"),
        admits({"AWS": ROLE}),
        _refused,
        EVERY_KIND,
    ),
    Rule(
        "unreachable-statement",
        "A statement that never matters",
        "warning",
        policy(allow({"AWS": ROLE}), deny({"AWS": "*"}, "sts:*")),
        policy(allow({"AWS": ROLE}), deny({"AWS": "*"}, "sts:*", Bool={"aws:SecureTransport": "false"})),
        _unreachable,
        EVERY_KIND,
    ),
    Rule(
        "repeated-statement",
        "The same statement twice",
        "suggestion",
        policy(allow({"AWS": ROLE}), allow({"AWS": ROLE})),
        admits({"AWS": ROLE}),
        _repeated,
        EVERY_KIND,
    ),
    Rule(
        "contradiction",
        "Conditions that are never true together",
        "error",
        by_token(GITHUB, Null={"sub": "true"}, StringEquals={"sub": MAIN}),
        by_token(GITHUB, StringEquals={"sub": MAIN}),
        _contradiction,
        EVERY_KIND,
    ),
    Rule(
        "assume-any-role",
        "The caller may assume every role that lets it",
        "security",
        policy(ANYWHERE),
        policy(ONE_ROLE),
        _assume_anything,
        IDENTITY_KINDS,
    ),
)
