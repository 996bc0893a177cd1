"""Owns the lint rules about what an issuer's tokens can say: subjects and audiences that never come, or only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.issued import AUDIENCES, SUBJECTS, form_of, may_issue, once
from sts_emulator.policy.linting.examples import ACCOUNT, AUDIENCE, admits, by_token
from sts_emulator.policy.linting.findings import EVERY_KIND, Hit, Rule, Subject
from sts_emulator.policy.linting.principal_rules import ROLES_ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sts_emulator.policy.issued import Form

CERTIFICATE = "aws:principaltag/x509"


def _impossible(subject: Subject) -> Iterator[Hit]:
    for claim, noun, forms in (("sub", "subject", SUBJECTS), ("aud", "audience", AUDIENCES)):
        for path, issuer, text, wild in subject.claims(claim):
            form = form_of(issuer, forms)
            if form and _never(form, text, wild=wild):
                yield path, f"{form.issuer} never issues the {noun} `{text}`", f"write {form.shown}"


def _never(form: Form, text: str, *, wild: bool) -> bool:
    """Whether no token has what a value asks for; a wildcard that is taken literally has a rule of its own."""
    if "${" in text or (not wild and ("*" in text or "?" in text)):
        return False
    return not may_issue(form, text, wild=wild)


def _once(subject: Subject) -> Iterator[Hit]:
    for path, issuer, text, wild in subject.claims("sub"):
        form = form_of(issuer, SUBJECTS)
        if form and form.changes and once(form, text, wild=wild):
            message = f"`{text}` fits one {form.changes} only, and the next has another"
            yield path, message, f"use StringLike with `*` in the place of the {form.changes}"


def _open_audience(subject: Subject) -> Iterator[Hit]:
    for path, issuer, text, wild in subject.claims("aud"):
        if wild and has_wildcard(text) and text.strip("*"):
            message = f"`{text}` also takes tokens that {issuer or 'the issuer'} made for other audiences"
            yield path, message, "write the audience whole"


def _any_certificate(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        services = statement.principals.services if statement.principals else ()
        assumes = statement.actions.match("sts:assumerole") is not statement.not_action
        asked = {condition.name for condition in statement.conditions}
        values = [value for condition in statement.conditions for value in condition.values]
        asked |= {variable.name for value in values for variable in value.template.variables}
        if assumes and ROLES_ANYWHERE in services and not any(name.startswith(CERTIFICATE) for name in asked):
            message = "every certificate that the trust anchor vouches for may assume the role"
            yield statement.path, message, "test aws:PrincipalTag/x509Subject/CN, or another part of the certificate"


_STEPS = "organization:acme:pipeline:shop:ref:refs/heads/main:commit:"


def _chosen_name(subject: Subject) -> Iterator[Hit]:
    for statement, condition, path in subject.conditions(subject.allows):
        op = condition.operator
        if op.negated or op.family not in ("string", "like"):
            continue
        federated = any(
            kind == "Federated" for kind, _ in (statement.principals.entries if statement.principals else ())
        )
        for value in condition.values:
            if condition.name == "aws:userid":
                name = value.raw.rpartition(":")[2] if ":" in value.raw else ""
            else:
                name = value.raw if condition.name == "sts:rolesessionname" and federated else ""
            # An instance's session is named by EC2, which nobody chooses.
            if name.strip("*") and "${" not in name and not name.startswith("i-"):
                yield (
                    path,
                    f"whoever assumes the role chooses the session name `{name}`",
                    "test aws:OriginIdentity/Subject, which nobody chooses, where the identity provider propagates it",
                )


_FOR_ANYWHERE = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]

RULES = (
    Rule(
        "open-audience",
        "The audience also admits tokens for others",
        "security",
        by_token(
            "gitlab.com",
            StringEquals={"sub": "project_path:acme/shop:ref_type:branch:ref:main"},
            StringLike={"aud": "https://*"},
        ),
        by_token(
            "gitlab.com",
            StringEquals={"sub": "project_path:acme/shop:ref_type:branch:ref:main", "aud": "https://gitlab.com"},
        ),
        _open_audience,
    ),
    Rule(
        "any-certificate",
        "Every certificate of the trust anchor is admitted",
        "suggestion",
        admits({"Service": ROLES_ANYWHERE}, _FOR_ANYWHERE),
        admits({"Service": ROLES_ANYWHERE}, _FOR_ANYWHERE, StringEquals={"aws:PrincipalTag/x509Subject/CN": "build-7"}),
        _any_certificate,
    ),
    Rule(
        "session-name-for-origin",
        "A session name says who somebody is",
        "suggestion",
        admits({"AWS": f"arn:aws:iam::{ACCOUNT}:role/ci"}, StringLike={"aws:userid": "*:jane"}),
        admits(
            {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ci"}, StringEquals={"aws:OriginIdentity/Subject": "jane@corp.example"}
        ),
        _chosen_name,
        EVERY_KIND,
    ),
    Rule(
        "impossible-token",
        "The issuer never issues such a token",
        "error",
        by_token(
            "gitlab.com",
            StringEquals={"sub": "project_path:acme/shop:ref_type:branch:ref:refs/heads/main", "aud": AUDIENCE},
        ),
        by_token(
            "gitlab.com", StringEquals={"sub": "project_path:acme/shop:ref_type:branch:ref:main", "aud": AUDIENCE}
        ),
        _impossible,
    ),
    Rule(
        "subject-of-one-run",
        "The subject changes with every run",
        "warning",
        by_token(
            "agent.buildkite.com",
            StringEquals={"sub": f"{_STEPS}9f3c1e5a7b2d4c6e8f0a1b3c5d7e9f1a2b4c6d8e:step:deploy", "aud": AUDIENCE},
        ),
        by_token("agent.buildkite.com", StringLike={"sub": f"{_STEPS}*:step:deploy"}, StringEquals={"aud": AUDIENCE}),
        _once,
    ),
)
