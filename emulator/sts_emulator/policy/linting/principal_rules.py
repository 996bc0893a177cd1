"""Owns the lint rules about who a policy names and which actions it lets them use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.arns import account_in
from sts_emulator.policy.caller_keys import WITH_SOURCE
from sts_emulator.policy.deciding.document import texts
from sts_emulator.policy.deciding.matching import has_wildcard, is_account
from sts_emulator.policy.federated import ACTIONS, BUILT_IN, COGNITO, GITHUB, issuer_of, kind_of
from sts_emulator.policy.linting.examples import (
    ACCOUNT,
    MAIN,
    OTHER,
    PRIVATE,
    ROLE,
    SAML_ARN,
    admits,
    allow,
    by_token,
    policy,
    refuses,
)
from sts_emulator.policy.linting.findings import EVERY_KIND, Hit, Known, Rule, Subject, is_required, never_true
from sts_emulator.policy.shared_issuers import unguarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sts_emulator.policy.deciding.conditions import Condition
    from sts_emulator.policy.deciding.document import Statement

LIMITING_KEYS = ("aws:principalorg", "aws:principalaccount", "aws:source", "aws:vpce")
"""Starts of keys that say who may call, so that a wide principal is narrowed again; an external id is no secret."""
GUARD_KEYS = frozenset({"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"})
ROLES_ANYWHERE, POD_IDENTITY = "rolesanywhere.amazonaws.com", "pods.eks.amazonaws.com"
NEEDED_ACTIONS = {
    ROLES_ANYWHERE: ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"),
    POD_IDENTITY: ("sts:AssumeRole", "sts:TagSession"),
}
FEDERATED_ACTIONS = {**ACTIONS, "aws": "sts:AssumeRole"}


def _kind_of(kind: str, principal: str) -> str:
    """The kind of provider that a principal is, `aws` for the others."""
    if kind != "Federated":
        return "aws"
    return kind_of(principal).type


def _covers(statement: Statement, action: str) -> bool:
    return statement.actions.match(action.lower()) is not statement.not_action


def _resource(subject: Subject) -> Iterator[Hit]:
    for statement in subject.statements:
        if statement.resources is not None:
            name = "NotResource" if statement.not_resource else "Resource"
            message = f"a trust policy has no {name}: the role is the resource"
            yield f"{statement.path}.{name}", message, f"remove {name}"


def _not_principal(subject: Subject) -> Iterator[Hit]:
    for statement in subject.statements:
        if statement.not_principal:
            yield (
                f"{statement.path}.NotPrincipal",
                "IAM refuses NotPrincipal here, and it always denies callers that have a permissions boundary",
                "deny with a condition such as ArnNotEquals on aws:PrincipalArn",
            )


def _bare_star(subject: Subject) -> Iterator[Hit]:
    for _, kind, _, path in subject.principals():
        if kind == "*":
            message = "IAM refuses a principal that is plain text"
            yield path, message, 'write {"AWS": …}, {"Federated": …} or {"Service": …}'


def _anybody(subject: Subject) -> Iterator[Hit]:
    for statement, kind, text, path in subject.principals():
        if kind != "AWS" or text != "*" or statement.effect == "Deny":
            continue
        if not any(map(_limits, statement.conditions)):
            told = ", ".join(condition.key for condition in statement.conditions)
            others = f": whatever {told} asks for, somebody else's account can have" if told else ""
            message = f"every AWS principal of every account may assume the role{others}"
            yield path, message, "name accounts, or test aws:PrincipalOrgID"


def _limits(condition: Condition) -> bool:
    """Whether a condition says of which account or organization a caller must be, or from where it must call."""
    if not is_required(condition) and condition.operator.family != "null":
        return condition.operator.negated and condition.name.startswith("aws:source")
    if condition.name == "aws:principalarn":
        return all(is_account(_account_of(value.raw)) for value in condition.values)
    if condition.name == "aws:userid":
        return not any(has_wildcard(value.raw.partition(":")[0]) for value in condition.values)
    return condition.operator.family != "null" and condition.name.startswith(LIMITING_KEYS)


def _wildcard(subject: Subject) -> Iterator[Hit]:
    for _, kind, text, path in subject.principals():
        if kind != "*" and text != "*" and has_wildcard(text):
            message = f"`{text}`: a wildcard inside a principal never matches, and IAM refuses it"
            yield path, message, "name the account and test aws:PrincipalArn with ArnLike"
        elif kind in ("Federated", "Service") and text == "*":
            yield path, f'"{kind}": "*" is refused', "name the provider or the service"


def _mismatch(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        if statement.principals is None:
            continue
        for kind, principal in statement.principals.entries:
            wanted = FEDERATED_ACTIONS[_kind_of(kind, principal)]
            wrong = [action for action in FEDERATED_ACTIONS.values() if action != wanted and _covers(statement, action)]
            if kind != "*" and wrong and not _covers(statement, wanted):
                message = f"`{principal}` calls {wanted}, but the statement allows {wrong[0]}"
                yield f"{statement.path}.Action", message, f"allow {wanted}"


def _needed_actions(subject: Subject) -> Iterator[Hit]:
    for service, needed in NEEDED_ACTIONS.items():
        naming = [named for named in subject.allows if named.principals and service in named.principals.services]
        missing = [action for action in needed if not any(_covers(named, action) for named in naming)]
        if naming and missing:
            message = f"{service} also calls {', '.join(missing)}, without which nothing is issued"
            yield f"{naming[0].path}.Action", message, f"allow {', '.join(needed)}"


def _shared_issuer(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        complaint = unguarded(statement.source)
        if complaint:
            yield statement.path, complaint, "test the claim with a value that is not only wildcards"


def _claims(subject: Subject, claim: str) -> Iterator[tuple[Statement, str]]:
    """Allow statements that admit an OIDC provider without testing one of its claims."""
    for statement in subject.allows:
        if statement.principals is None or not _covers(statement, FEDERATED_ACTIONS["oidc"]):
            continue
        tested = {
            condition.name
            for condition in statement.conditions
            if not condition.operator.negated and condition.operator.family != "null" and _asks_something(condition)
        }
        if any(is_required(condition) for condition, _, _ in never_true(statement)):
            continue  # nobody gets in, which key-never-there says
        for provider in sorted(statement.principals.federated):
            issuer = issuer_of(provider)
            if _kind_of("Federated", provider) == "oidc" and f"{issuer}:{claim}".lower() not in tested:
                yield statement, issuer


def _asks_something(condition: Condition) -> bool:
    """Whether a condition is more than `*`."""
    return any(value.raw.strip("*") for value in condition.values)


def _subject(subject: Subject) -> Iterator[Hit]:
    for statement, issuer in _claims(subject, "sub"):
        tested = {condition.name for condition in statement.conditions if _asks_something(condition)}
        own = f"{issuer.lower()}:"
        if f"{own}sub" in {condition.name for condition in statement.conditions} and unguarded(statement.source):
            continue  # it is `*`, which shared-issuer-guard says
        if any(name.startswith(own) and name != f"{own}aud" for name in tested):
            continue
        if issuer == COGNITO:
            message = "guests of the identity pool may assume the role too, where it has any"
            yield statement.path, message, f"test {issuer}:amr, with ForAnyValue:StringLike"
        else:
            yield statement.path, f"every subject of {issuer} may assume the role", f"test {issuer}:sub"


def _audience(subject: Subject) -> Iterator[Hit]:
    for statement, issuer in _claims(subject, "aud"):
        if issuer.lower() not in ("www.amazon.com", "graph.facebook.com"):
            yield statement.path, f"tokens that {issuer} made for another audience are taken too", f"test {issuer}:aud"


def _provider_domain(subject: Subject) -> Iterator[Hit]:
    for _, kind, text, path in subject.principals():
        if kind == "Federated" and ":" not in text and text != "*" and text not in BUILT_IN:
            message = f"`{text}` is no built-in provider, so no caller ever matches it"
            yield path, message, f"write arn:aws:iam::<account>:oidc-provider/{text}"


def _root_trust(subject: Subject) -> Iterator[Hit]:
    for statement, kind, text, path in subject.principals():
        own = kind == "AWS" and is_account(text) and _account_of(text) == subject.role_account
        if own and statement.effect == "Allow" and not statement.conditions:
            message = "everybody in the account whose own policies allow it may assume the role"
            yield path, message, "name the roles or users, or test aws:PrincipalArn"


def _account_of(principal: str) -> str:
    return account_in(principal) or (principal if is_account(principal) else "")


def _external_id(subject: Subject) -> Iterator[Hit]:
    if not subject.role_account:
        return
    for statement, kind, text, path in subject.principals():
        foreign = kind == "AWS" and _account_of(text) not in ("", subject.role_account)
        names = {c.name for c in statement.conditions if is_required(c) or c.operator.if_exists}  # see if-exists-open
        if foreign and statement.effect == "Allow" and not names & {"sts:externalid", "aws:principalorgid"}:
            yield (
                path,
                f"`{text}` belongs to another account: who can make it act for somebody else reaches this role",
                "test sts:ExternalId (not a secret, but the other side's own id for you) or aws:PrincipalOrgID",
            )


def _confused_deputy(subject: Subject) -> Iterator[Hit]:
    for statement, kind, text, path in subject.principals():
        if kind != "Service" or statement.effect == "Deny" or text not in WITH_SOURCE:
            continue
        if not any(condition.name in GUARD_KEYS for condition in statement.conditions):
            message = f"{text} may assume the role on behalf of anybody's resources"
            yield path, message, "test aws:SourceAccount and aws:SourceArn, which the service sends"


def _stale(subject: Subject) -> Iterator[Hit]:
    for _, kind, text, path in subject.principals():
        if kind == "AWS" and text.startswith(("AIDA", "AROA")) and ":" not in text:
            yield (
                path,
                f"`{text}` is what IAM shows in place of a user or role that was deleted: a new one has another id",
                "name the new principal by its ARN",
            )


def _unknown(subject: Subject) -> Iterator[Hit]:
    known = subject.known
    for _, kind, text, path in subject.principals():
        is_covered = kind == "AWS" and text.startswith("arn:") and _account_of(text) in known.accounts
        if not is_covered or ":iam:" not in text or is_account(text) or text in known.arns:
            continue
        other = _alike(known, _account_of(text), f"/{text.rpartition('/')[2]}")  # only where one is missing
        yield (
            path,
            f"`{text}` does not exist" + (": its path is missing or wrong" if other else ""),
            f"write {other}" if other else "create it first, or correct the name (upper and lower case count)",
        )


def _alike(known: Known, account: str, end: str) -> str | None:
    """The first that exists in an account and ends like this, upper and lower case aside."""
    alike = (arn for arn in known.arns if f"::{account}:" in arn and arn.lower().endswith(end.lower()))
    return min(alike, default=None)


def _unknown_provider(subject: Subject) -> Iterator[Hit]:
    known = subject.known
    for _, kind, text, path in subject.principals():
        is_covered = kind == "Federated" and text.startswith("arn:") and _account_of(text) in known.provider_accounts
        if not is_covered or has_wildcard(text) or text in known.arns:
            continue
        other = _alike(known, _account_of(text), text.rpartition(":")[2])
        message = f"there is no identity provider `{text}`, so nobody whom it vouches for gets in"
        yield path, message, f"write {other}" if other else "create it first, or name one that there is"


def _sts_wildcard(subject: Subject) -> Iterator[Hit]:
    for statement in subject.statements:
        if "sts:*" in [text.lower() for text in texts(statement.source.get("Action", []))]:
            message = "sources disagree on whether IAM accepts sts:* here"
            yield f"{statement.path}.Action", message, "list the STS actions"


def _not_action(subject: Subject) -> Iterator[Hit]:
    for statement in subject.allows:
        if statement.not_action:
            message = "an Allow with NotAction also allows whatever is added later"
            yield f"{statement.path}.NotAction", message, "list what is allowed under Action"


RULES = (
    Rule(
        "trust-resource",
        "A trust policy has no Resource",
        "error",
        policy({**allow({"AWS": ROLE}), "Resource": "*"}),
        admits({"AWS": ROLE}),
        _resource,
    ),
    Rule(
        "trust-not-principal",
        "NotPrincipal is refused in a trust policy",
        "error",
        policy({"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "sts:AssumeRole"}),
        refuses({"AWS": "*"}, ArnNotEquals={"aws:PrincipalArn": ROLE}),
        _not_principal,
    ),
    Rule(
        "trust-bare-star",
        "A bare * is refused as principal of a trust policy",
        "error",
        admits("*"),
        admits({"AWS": "*"}, StringEquals={"aws:PrincipalOrgID": "o-a1b2c3d4e5"}),
        _bare_star,
    ),
    Rule(
        "anybody",
        "The role is open to every AWS account",
        "security",
        admits({"AWS": "*"}),
        admits({"AWS": "*"}, StringEquals={"aws:PrincipalOrgID": "o-a1b2c3d4e5"}),
        _anybody,
    ),
    Rule(
        "wildcard-principal",
        "A wildcard inside a principal never matches",
        "error",
        admits({"AWS": f"arn:aws:iam::{ACCOUNT}:role/ci/*"}),
        admits({"AWS": ACCOUNT}, ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/ci/*"}),
        _wildcard,
    ),
    Rule(
        "action-principal-mismatch",
        "This kind of principal uses another assume operation",
        "error",
        admits({"Federated": SAML_ARN}, "sts:AssumeRoleWithWebIdentity"),
        admits({"Federated": SAML_ARN}, "sts:AssumeRoleWithSAML"),
        _mismatch,
    ),
    Rule(
        "service-needs-more-actions",
        "Roles Anywhere and EKS Pod Identity also tag the session",
        "error",
        admits({"Service": ROLES_ANYWHERE}, "sts:AssumeRole"),
        admits({"Service": ROLES_ANYWHERE}, list(NEEDED_ACTIONS[ROLES_ANYWHERE])),
        _needed_actions,
    ),
    Rule(
        "shared-issuer-guard",
        "A shared OIDC issuer needs a test of the claim that tells its tenants apart",
        "error",
        by_token(GITHUB),
        by_token(GITHUB, StringEquals={"sub": MAIN}),
        _shared_issuer,
    ),
    Rule(
        "oidc-subject",
        "Every subject of the OIDC provider is admitted",
        "security",
        by_token(PRIVATE, StringEquals={"aud": "my-app"}),
        by_token(PRIVATE, StringEquals={"aud": "my-app", "sub": "alice"}),
        _subject,
    ),
    Rule(
        "oidc-audience",
        "Tokens made for another audience are admitted",
        "security",
        by_token(PRIVATE, StringEquals={"sub": "alice"}),
        by_token(PRIVATE, StringEquals={"aud": "my-app", "sub": "alice"}),
        _audience,
    ),
    Rule(
        "provider-without-arn",
        "A provider of your own is named by its ARN",
        "error",
        admits({"Federated": PRIVATE}, "sts:AssumeRoleWithWebIdentity"),
        by_token(PRIVATE),
        _provider_domain,
    ),
    Rule(
        "root-trust",
        "The whole account is trusted",
        "suggestion",
        admits({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        admits({"AWS": ROLE}),
        _root_trust,
    ),
    Rule(
        "missing-external-id",
        "Another account is trusted without an external id",
        "warning",
        admits({"AWS": f"arn:aws:iam::{OTHER}:root"}),
        admits({"AWS": f"arn:aws:iam::{OTHER}:root"}, StringEquals={"sts:ExternalId": "Vendor-42"}),
        _external_id,
    ),
    Rule(
        "confused-deputy",
        "A service may act for anybody's resources",
        "warning",
        admits({"Service": "scheduler.amazonaws.com"}),
        admits({"Service": "scheduler.amazonaws.com"}, StringEquals={"aws:SourceAccount": ACCOUNT}),
        _confused_deputy,
    ),
    Rule(
        "stale-principal",
        "The principal was deleted",
        "warning",
        admits({"AWS": "AROAEXAMPLE0000000001"}),
        admits({"AWS": ROLE}),
        _stale,
    ),
    Rule(
        "unknown-principal",
        "The principal does not exist",
        "error",
        admits({"AWS": f"arn:aws:iam::{ACCOUNT}:role/Deployer"}),
        admits({"AWS": ROLE}),
        _unknown,
    ),
    Rule(
        "unknown-provider",
        "The identity provider does not exist",
        "warning",
        admits(
            {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/okta"},
            "sts:AssumeRoleWithSAML",
            StringEquals={"SAML:aud": "https://signin.aws.amazon.com/saml"},
        ),
        admits(
            {"Federated": SAML_ARN},
            "sts:AssumeRoleWithSAML",
            StringEquals={"SAML:aud": "https://signin.aws.amazon.com/saml"},
        ),
        _unknown_provider,
    ),
    Rule(
        "sts-wildcard",
        "sts:* may be refused in a trust policy",
        "warning",
        admits({"AWS": ROLE}, "sts:*"),
        admits({"AWS": ROLE}, ["sts:AssumeRole", "sts:TagSession"]),
        _sts_wildcard,
    ),
    Rule(
        "allow-not-action",
        "Allow with NotAction",
        "warning",
        policy({"Effect": "Allow", "Principal": {"AWS": ROLE}, "NotAction": "sts:TagSession"}),
        admits({"AWS": ROLE}),
        _not_action,
        EVERY_KIND,
    ),
)
