"""Owns the lint rules about the subjects of tokens: what an issuer composes, and patterns that cut a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.federated import GITHUB
from sts_emulator.policy.issued import SUBJECTS, form_of, may_issue, never_on_github
from sts_emulator.policy.linting.examples import AUDIENCE, by_token
from sts_emulator.policy.linting.findings import Hit, Rule, Subject

if TYPE_CHECKING:
    from collections.abc import Iterator


class SubjectForm(NamedTuple):
    """How an issuer composes its subjects: their start, and what ends the name of an owner and of a project."""

    start: str
    owner_ends: str
    project_ends: str
    owner: str
    project: str


# Source: docs/aws/oidc-issuers.md, "Other issuers", and the claims that the presets of the lab issuers are tested with.
FORMS = {
    "gitlab.com": SubjectForm("project_path:", "/", ":", "group", "project"),
    "app.terraform.io": SubjectForm("organization:", ":", ":workspace:", "organization", "project"),
    "agent.buildkite.com": SubjectForm("organization:", ":", ":ref:", "organization", "pipeline"),
    "oidc.circleci.com": SubjectForm("org/", "/", "/user/", "organization", "project"),
    "oidc.eks": SubjectForm("system:serviceaccount:", ":", "", "namespace", "service account"),
}


def _form(issuer: str) -> SubjectForm | None:
    return FORMS["oidc.eks"] if issuer.startswith("oidc.eks.") else FORMS.get(issuer.partition("/")[0])


def _open(subject: Subject) -> Iterator[Hit]:
    for path, issuer, pattern, wild in subject.claims("sub"):
        form, issued = _form(issuer), form_of(issuer, SUBJECTS)
        if form is None or not wild or not pattern.strip("*") or (issued and not may_issue(issued, pattern, wild=True)):
            continue  # `*` alone is the business of like-everything, what is never issued that of impossible-token
        owner, ended, rest = pattern.removeprefix(form.start).partition(form.owner_ends)
        if not pattern.startswith(form.start) or has_wildcard(owner) or not ended:
            message = f"`{pattern}` also admits another {form.owner}: whose name only starts or ends like yours"
            yield path, message, f"write {form.start}<{form.owner}>{form.owner_ends}…"
            continue
        project = rest.partition(form.project_ends)[0] if form.project_ends else rest
        if has_wildcard(project) and not project.endswith((":*", "/*")) and project != "*":
            message = f"`{pattern}` also admits a {form.project} whose name only starts or ends like yours"
            yield path, message, f"write the {form.project}'s whole name"


def _impossible(subject: Subject) -> Iterator[Hit]:
    for path, issuer, text, _ in subject.claims("sub"):
        why = never_on_github(text) if issuer == GITHUB else ""
        if why:
            message = f"GitHub never issues the subject `{text}`: {why}"
            fix = "write repo:<owner>/<repository>:ref:refs/heads/<branch>, …:environment:<name> or …:pull_request"
            yield path, message, fix


RULES = (
    Rule(
        "open-subject",
        "The token's subject also admits other owners or projects",
        "security",
        by_token(
            "gitlab.com",
            StringLike={"sub": "project_path:acme/shop*:ref_type:branch:ref:main"},
            StringEquals={"aud": AUDIENCE},
        ),
        by_token(
            "gitlab.com",
            StringLike={"sub": "project_path:acme/shop:ref_type:branch:ref:*"},
            StringEquals={"aud": AUDIENCE},
        ),
        _open,
    ),
    Rule(
        "impossible-github-subject",
        "GitHub never issues such a subject",
        "error",
        by_token(GITHUB, StringEquals={"sub": "repo:octo-org/octo-repo:branch:main", "aud": AUDIENCE}),
        by_token(GITHUB, StringEquals={"sub": "repo:octo-org/octo-repo:ref:refs/heads/main", "aud": AUDIENCE}),
        _impossible,
    ),
)
