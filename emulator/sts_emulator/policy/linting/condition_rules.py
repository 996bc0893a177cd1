"""Owns the lint rules about conditions: operators, keys, values and what happens when a key is absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sts_emulator.policy.caller_keys import meant
from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.deciding.operators import TAKES_VARIABLES
from sts_emulator.policy.deciding.variables import LANGUAGE_WITH_VARIABLES, template
from sts_emulator.policy.federated import GITHUB
from sts_emulator.policy.issued import never_on_github
from sts_emulator.policy.keys import TYPES, is_claim, is_multivalued, misspelt
from sts_emulator.policy.linting.examples import (
    ACCOUNT,
    AUDIENCE,
    MAIN,
    PRIVATE,
    ROLE,
    admits,
    allow,
    by_token,
    policy,
    refuses,
)
from sts_emulator.policy.linting.findings import (
    EVERY_KIND,
    Hit,
    Rule,
    Subject,
    classes_named,
    condition_path,
    is_required,
    never_true,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sts_emulator.policy.deciding.conditions import Condition
    from sts_emulator.policy.deciding.document import Statement

FAMILY_OF_TYPE = {"bool": "Bool", "date": "Date…", "number": "Numeric…", "ip": "IpAddress"}
ALWAYS_PRESENT = frozenset(
    {"aws:currenttime", "aws:epochtime", "aws:securetransport", "aws:requestedregion", "sts:rolesessionname"}
)


def _unknown_operator(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        if condition.operator.family == "unknown":
            message = f"IAM has no operator {condition.operator.text} and refuses the policy"
            yield path, message, "use a documented operator"


def _literal_wildcard(subject: Subject) -> Iterator[Hit]:
    for condition, value, path in subject.values():
        op = condition.operator
        wild = any(wild and has_wildcard(text) for text, wild in value.template.pieces({}) or ())
        if wild and op.family in ("string", "ignore_case"):
            like = op.text.replace(op.base, "StringNotLike" if op.negated else "StringLike")
            yield path, f"{op.base} takes the wildcard in `{value.raw}` literally", f"use {like}"


def _old_variable(subject: Subject) -> Iterator[Hit]:
    if subject.document.version == LANGUAGE_WITH_VARIABLES or "${" not in subject.document.text:
        return
    message = "variables are plain text in this language version"
    yield "Version", message, f'write "Version": "{LANGUAGE_WITH_VARIABLES}"'


def _variable_place(subject: Subject) -> Iterator[Hit]:
    """Variables where IAM takes them as plain text (UG reference_policies_variables)."""
    for statement in subject.statements:
        name = "NotAction" if statement.not_action else "Action"
        for text in statement.actions.texts:
            if "${" in text:
                yield f"{statement.path}.{name}", f"`{text}`: an action takes no variables", "write the action out"
    for _, _, text, path in subject.principals():
        if "${" in text:
            yield path, f"`{text}`: a principal takes no variables", "name the account and test aws:PrincipalArn"
    for _, condition, path in subject.conditions():
        if "${" in condition.key:
            yield path, f"`{condition.key}`: a condition key takes no variables", "write the key out"
    for condition, value, path in subject.values():
        op = condition.operator
        if op.family not in TAKES_VARIABLES and template(value.raw, LANGUAGE_WITH_VARIABLES).variables:
            yield path, f"{op.text} takes no variables: `{value.raw}`", "write the value out"


def _type_mismatch(subject: Subject) -> Iterator[Hit]:
    for condition, value, path in subject.values():
        op = condition.operator
        if not value.valid and op.family != "unknown" and "${" not in value.raw:
            yield path, f"`{value.raw}` is no value that {op.text} can read", "correct the value"


def _operator_for_key(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        kind, family = TYPES.get(condition.name), condition.operator.family
        wanted = FAMILY_OF_TYPE.get(kind or "")
        fits = family in (kind, "null", "unknown") or (kind == "date" and family == "number")
        if wanted and not fits:
            message = f"{condition.key} holds a value of another type than {condition.operator.text} compares"
            yield path, message, f"use {wanted}"


def _audience_type(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        claim = condition.name.rpartition(":")[2]
        if claim == "aud" and condition.operator.family not in ("string", "like", "ignore_case", "null", "unknown"):
            yield path, "an audience is text", "use StringEquals"


def _set_on_single(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        if condition.operator.quantifier and is_multivalued(condition.name) is False:
            plain = condition.operator.text.partition(":")[2]
            yield path, f"{condition.key} has one value; {condition.operator.quantifier} is for several", f"use {plain}"


def _plain_on_multi(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        op = condition.operator
        if not op.quantifier and op.family not in ("null", "unknown") and is_multivalued(condition.name):
            message = f"{condition.key} may hold several values, and then a plain {op.text} does not match"
            yield path, message, f"use ForAnyValue:{op.text} or ForAllValues:{op.text}"


def open_when_absent(
    subject: Subject, is_open: Callable[[Condition], bool], asks: Callable[[Condition], bool]
) -> Iterator[tuple[Statement, Condition, str]]:
    """Conditions of Allow statements that hold without their key, where no other of the statement `asks` for it."""
    for statement, condition, path in subject.conditions(subject.allows):
        others = (other for other in statement.conditions if other.name == condition.name)
        if is_open(condition) and not any(map(asks, others)):
            yield statement, condition, path


def _for_all_open(subject: Subject) -> Iterator[Hit]:
    def is_open(condition: Condition) -> bool:
        return condition.operator.quantifier == "ForAllValues"

    def asks(condition: Condition) -> bool:
        return condition.operator.family == "null" and any(value.raw.lower() == "false" for value in condition.values)

    for _, condition, path in open_when_absent(subject, is_open, asks):
        message = f"ForAllValues is true when {condition.key} is absent (or misspelt), so the Allow is open then"
        yield path, message, f'add "Null": {{"{condition.key}": "false"}}'


def _negated_allow(subject: Subject) -> Iterator[Hit]:
    def is_open(condition: Condition) -> bool:
        op = condition.operator
        return op.negated and op.quantifier is None and condition.name not in ALWAYS_PRESENT

    def asks(condition: Condition) -> bool:
        return condition.operator.family == "null" or not condition.operator.negated

    for _, condition, path in open_when_absent(subject, is_open, asks):
        message = f"{condition.operator.text} is true when {condition.key} is absent, so the Allow is open then"
        yield path, message, f'say what is allowed, or add "Null": {{"{condition.key}": "false"}}'


def _session_arn(subject: Subject) -> Iterator[Hit]:
    for condition, value, path in subject.values():
        if condition.name == "aws:principalarn" and ":assumed-role/" in value.raw:
            message = "aws:PrincipalArn is the role's ARN, never the session's, so this never matches"
            yield path, message, "write arn:aws:iam::<account>:role/<path><name>"


def _root_arn(subject: Subject) -> Iterator[Hit]:
    for condition, value, path in subject.values():
        if condition.name == "aws:principalarn" and value.raw.endswith(":root"):
            message = "a root ARN in aws:PrincipalArn means the root user alone, not the account"
            yield path, message, "test aws:PrincipalAccount"


def _mfa(subject: Subject, statements: Iterable[Statement]) -> Iterator[tuple[Statement, Condition, str, bool]]:
    """Conditions on MFA, and whether they ask for it."""
    for statement, condition, path in subject.conditions(statements):
        if condition.name == "aws:multifactorauthpresent" and condition.operator.family == "bool":
            yield statement, condition, path, any(value.raw.lower() == "true" for value in condition.values)


def _mfa_deny(subject: Subject) -> Iterator[Hit]:
    for _, condition, path, wanted in _mfa(subject, subject.document.denies):
        if not wanted and not condition.operator.if_exists:
            message = "long-term access keys have no aws:MultiFactorAuthPresent, so this does not deny them"
            yield path, message, "use BoolIfExists"


def _mfa_allow(subject: Subject) -> Iterator[Hit]:
    for statement, condition, path, wanted in _mfa(subject, subject.allows):
        # Sessions of roles always have the key.
        of_roles = statement.principals and all(":role/" in text for _, text in statement.principals.entries)
        if wanted and condition.operator.if_exists and not of_roles:
            message = "long-term access keys have no aws:MultiFactorAuthPresent, so they get in without MFA"
            yield path, message, "use Bool"


def _ip_deny(subject: Subject) -> Iterator[Hit]:
    for statement, condition, path in subject.conditions(subject.document.denies):
        op, names = condition.operator, {other.name for other in statement.conditions}
        by_address = condition.name == "aws:sourceip" and op.family == "ip" and op.negated
        if by_address and "aws:viaawsservice" not in names:
            message = "AWS services that act for you, and calls through a VPC endpoint, come from no such address"
            fix = 'add "Bool": {"aws:ViaAWSService": "false"}, and except your VPC endpoints with aws:SourceVpce'
            yield path, message, fix


def _subjects(subject: Subject) -> Iterator[tuple[str, str]]:
    """JSON path and text of the patterns that GitHub's subjects are compared with."""
    return ((path, text) for path, issuer, text, wild in subject.claims("sub") if wild and issuer == GITHUB)


def _open_github(subject: Subject) -> Iterator[Hit]:
    for path, pattern in _subjects(subject):
        owner, slash, rest = pattern.removeprefix("repo:").partition("/")
        repository = rest.partition(":")[0]
        if not pattern.startswith("repo:") or has_wildcard(owner) or not slash:
            yield (
                path,
                f"`{pattern}` also admits repositories of other owners, such as `{owner.rstrip('*') or 'x'}-evil/…`",
                "write repo:<owner>/<repository>:…",
            )
        elif has_wildcard(repository) and repository != "*":
            message = f"`{pattern}` also admits repositories whose name only starts like yours"
            yield path, message, "write the repository's whole name"


def _whole_owner(subject: Subject) -> Iterator[Hit]:
    for path, pattern in _subjects(subject):
        owner, _, rest = pattern.removeprefix("repo:").partition("/")
        if pattern.startswith("repo:") and not has_wildcard(owner) and rest.partition(":")[0] == "*":
            yield path, f"every repository of {owner} may assume the role", "write repo:<owner>/<repository>:…"


def _mutable_github(subject: Subject) -> Iterator[Hit]:
    for statement, condition, path in subject.conditions(subject.allows):
        names = {other.name for other in statement.conditions}
        if names & {f"{GITHUB}:repository_id", f"{GITHUB}:repository_owner_id"}:
            continue
        if condition.name != f"{GITHUB}:sub" or condition.operator.negated:
            continue
        for text in (value.raw for value in condition.values):
            owner, slash, _ = text.removeprefix("repo:").partition("/")
            if text.startswith("repo:") and slash and "@" not in owner and not never_on_github(text):
                message = f"`{text}`: somebody else can register these names once they are given up"
                fix = "use the immutable subject repo:<owner>@<id>/<repository>@<id>:…, or test repository_id"
                yield path, message, fix


def _like_everything(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions(subject.allows):
        op = condition.operator
        everything = [value for value in condition.values if value.raw and not value.raw.strip("*")]
        if op.family == "like" and not op.negated and everything:
            message = f"`*` takes every {condition.key}: it only asks for the key to be there"
            yield path, message, "write the values that are allowed"


def _misspelt(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        spelling = misspelt(condition.name)
        if spelling:
            yield path, f"there is no key {condition.key}; IAM accepts it, and it is always absent", f"write {spelling}"


def _own_claim(name: str, issuers: list[str]) -> tuple[str, str]:
    """The issuer whose key this is, as the policy writes it, and the claim; empty for another key."""
    written = next((issuer for issuer in issuers if name.startswith(f"{issuer.lower()}:")), "")
    return written, name[len(written) + 1 :] if written else ""


def _unknown_claim(subject: Subject) -> Iterator[Hit]:
    for statement in subject.statements:
        if statement.principals is None:
            continue
        named = [caller.issuer for caller in classes_named(statement) if caller.issuer]
        for condition in statement.conditions:
            written, claim = _own_claim(condition.name, named)
            if written and not is_claim(written.lower(), claim):
                yield (
                    condition_path(statement, condition),
                    f"AWS makes no condition key of the claim {claim}, so {condition.key} is always absent",
                    f"test {written}:sub, which some issuers can be told to compose",
                )


def _never_there(subject: Subject) -> Iterator[Hit]:
    for statement in subject.statements:
        for condition, caller, why in never_true(statement):
            own = condition.name.startswith(f"{caller.issuer.lower()}:") if caller.issuer else False
            claim = condition.name.rpartition(":")[2]
            if own and not is_claim(caller.issuer.lower(), claim):
                continue  # claim-without-key says so
            outcome = "never true" if is_required(condition) else "always true"
            wanted = meant(condition.key, caller)
            yield (
                condition_path(statement, condition),
                f"{why}; the condition is {outcome}",
                f"test {wanted}" if wanted else "remove the condition, or test a key that these callers have",
            )


def _empty(subject: Subject) -> Iterator[Hit]:
    for _, condition, path in subject.conditions():
        if not condition.values:
            yield path, "an empty list equals nothing", "list the values, or remove the condition"


RULES = (
    Rule(
        "unknown-operator",
        "There is no such operator",
        "error",
        admits({"AWS": ROLE}, **{"ForSomeValues:StringEquals": {"aws:TagKeys": "team"}}),
        admits({"AWS": ROLE}, **{"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}),
        _unknown_operator,
        EVERY_KIND,
    ),
    Rule(
        "literal-wildcard",
        "A wildcard without a Like operator",
        "error",
        by_token(GITHUB, StringEquals={"sub": "repo:octo-org/octo-repo:*", "aud": AUDIENCE}),
        by_token(GITHUB, StringLike={"sub": "repo:octo-org/octo-repo:*"}, StringEquals={"aud": AUDIENCE}),
        _literal_wildcard,
        EVERY_KIND,
    ),
    Rule(
        "variable-in-old-version",
        "Variables need the 2012-10-17 language",
        "error",
        policy(allow({"AWS": ROLE}, StringEquals={"sts:RoleSessionName": "${aws:username}"}), version="2008-10-17"),
        admits({"AWS": ROLE}, StringEquals={"sts:RoleSessionName": "${aws:username}"}),
        _old_variable,
        EVERY_KIND,
    ),
    Rule(
        "variable-out-of-place",
        "Variables are not read here",
        "error",
        admits({"AWS": ROLE}, DateLessThan={"aws:CurrentTime": "${aws:TokenIssueTime}"}),
        admits({"AWS": ROLE}, DateLessThan={"aws:CurrentTime": "2027-01-01T00:00:00Z"}),
        _variable_place,
        EVERY_KIND,
    ),
    Rule(
        "type-mismatch",
        "A value that its operator cannot read",
        "error",
        admits({"AWS": ROLE}, IpAddress={"aws:SourceIp": "203.0.113.0/33"}),
        admits({"AWS": ROLE}, IpAddress={"aws:SourceIp": "203.0.113.0/24"}),
        _type_mismatch,
        EVERY_KIND,
    ),
    Rule(
        "operator-for-key",
        "The key holds another type",
        "error",
        admits({"AWS": ROLE}, StringEquals={"aws:SourceIp": "203.0.113.0/24"}),
        admits({"AWS": ROLE}, IpAddress={"aws:SourceIp": "203.0.113.0/24"}),
        _operator_for_key,
        EVERY_KIND,
    ),
    Rule(
        "audience-type",
        "An audience is text",
        "error",
        by_token(PRIVATE, NumericEquals={"aud": 42}),
        by_token(PRIVATE, StringEquals={"aud": "42"}),
        _audience_type,
    ),
    Rule(
        "set-operator-on-single-value",
        "A set operator on a key with one value",
        "warning",
        admits({"AWS": ROLE}, **{"ForAnyValue:StringEquals": {"sts:ExternalId": "Vendor-42"}}),
        admits({"AWS": ROLE}, StringEquals={"sts:ExternalId": "Vendor-42"}),
        _set_on_single,
        EVERY_KIND,
    ),
    Rule(
        "plain-operator-on-several-values",
        "A key with several values needs a set operator",
        "error",
        admits({"AWS": ROLE}, "sts:TagSession", StringEquals={"aws:TagKeys": ["team", "cost"]}),
        admits({"AWS": ROLE}, "sts:TagSession", **{"ForAnyValue:StringEquals": {"aws:TagKeys": ["team", "cost"]}}),
        _plain_on_multi,
        EVERY_KIND,
    ),
    Rule(
        "for-all-values-open",
        "ForAllValues in an Allow is true for an absent key",
        "security",
        by_token(GITHUB, **{"ForAllValues:StringEquals": {"sub": MAIN}}),
        by_token(GITHUB, **{"ForAllValues:StringEquals": {"sub": MAIN}, "Null": {"sub": "false"}}),
        _for_all_open,
        EVERY_KIND,
    ),
    Rule(
        "negated-allow",
        "A negated condition in an Allow is true for an absent key",
        "security",
        admits({"AWS": ACCOUNT}, StringNotEquals={"aws:PrincipalTag/team": "guests"}),
        admits({"AWS": ACCOUNT}, StringEquals={"aws:PrincipalTag/team": "staff"}),
        _negated_allow,
        EVERY_KIND,
    ),
    Rule(
        "session-arn-in-principal-arn",
        "aws:PrincipalArn never holds a session",
        "error",
        admits({"AWS": ACCOUNT}, ArnLike={"aws:PrincipalArn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/*"}),
        admits({"AWS": ACCOUNT}, ArnLike={"aws:PrincipalArn": ROLE}),
        _session_arn,
        EVERY_KIND,
    ),
    Rule(
        "root-arn-in-principal-arn",
        "A root ARN in aws:PrincipalArn is the root user",
        "warning",
        admits({"AWS": "*"}, ArnEquals={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:root"}),
        admits({"AWS": "*"}, StringEquals={"aws:PrincipalAccount": ACCOUNT}),
        _root_arn,
        EVERY_KIND,
    ),
    Rule(
        "mfa-deny-misses-keys",
        "A Deny without MFA that misses long-term keys",
        "security",
        refuses({"AWS": "*"}, Bool={"aws:MultiFactorAuthPresent": "false"}),
        refuses({"AWS": "*"}, BoolIfExists={"aws:MultiFactorAuthPresent": "false"}),
        _mfa_deny,
        EVERY_KIND,
    ),
    Rule(
        "mfa-allow-takes-keys",
        "An Allow with MFA that takes long-term keys",
        "security",
        admits({"AWS": ACCOUNT}, BoolIfExists={"aws:MultiFactorAuthPresent": "true"}),
        admits({"AWS": ACCOUNT}, Bool={"aws:MultiFactorAuthPresent": "true"}),
        _mfa_allow,
        EVERY_KIND,
    ),
    Rule(
        "source-ip-deny",
        "A Deny by address that hits AWS services",
        "warning",
        refuses({"AWS": "*"}, NotIpAddress={"aws:SourceIp": "203.0.113.0/24"}),
        refuses({"AWS": "*"}, NotIpAddress={"aws:SourceIp": "203.0.113.0/24"}, Bool={"aws:ViaAWSService": "false"}),
        _ip_deny,
        EVERY_KIND,
    ),
    Rule(
        "open-github-subject",
        "The GitHub subject also admits other owners or repositories",
        "security",
        by_token(GITHUB, StringLike={"sub": "repo:octo-org*"}, StringEquals={"aud": AUDIENCE}),
        by_token(GITHUB, StringLike={"sub": "repo:octo-org/octo-repo:*"}, StringEquals={"aud": AUDIENCE}),
        _open_github,
    ),
    Rule(
        "whole-github-owner",
        "Every repository of an owner is admitted",
        "suggestion",
        by_token(GITHUB, StringLike={"sub": "repo:octo-org/*"}, StringEquals={"aud": AUDIENCE}),
        by_token(GITHUB, StringLike={"sub": "repo:octo-org/octo-repo:*"}, StringEquals={"aud": AUDIENCE}),
        _whole_owner,
    ),
    Rule(
        "mutable-github-subject",
        "Names on GitHub can change hands",
        "suggestion",
        by_token(GITHUB, StringEquals={"sub": MAIN, "aud": AUDIENCE}),
        by_token(GITHUB, StringEquals={"sub": "repo:octo-org@1/octo-repo@2:ref:refs/heads/main", "aud": AUDIENCE}),
        _mutable_github,
    ),
    Rule(
        "like-everything",
        "A condition that takes every value",
        "warning",
        admits({"AWS": ROLE}, StringLike={"sts:ExternalId": "*"}),
        admits({"AWS": ROLE}, StringEquals={"sts:ExternalId": "Vendor-42"}),
        _like_everything,
        EVERY_KIND,
    ),
    Rule(
        "misspelt-key",
        "There is no such condition key",
        "error",
        admits({"AWS": "*"}, StringEquals={"aws:PrincipalOrgld": "o-a1b2c3d4e5"}),
        admits({"AWS": "*"}, StringEquals={"aws:PrincipalOrgID": "o-a1b2c3d4e5"}),
        _misspelt,
        EVERY_KIND,
    ),
    Rule(
        "claim-without-key",
        "AWS makes no condition key of this claim",
        "error",
        by_token(PRIVATE, StringEquals={"groups": "admins"}),
        by_token(PRIVATE, StringEquals={"sub": "alice"}),
        _unknown_claim,
    ),
    Rule(
        "key-never-there",
        "The key does not exist for these callers",
        "error",
        by_token(GITHUB, StringEquals={"sub": MAIN}, ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:*"}),
        by_token(GITHUB, StringEquals={"sub": MAIN, "aud": AUDIENCE}),
        _never_there,
    ),
    Rule(
        "empty-values",
        "A condition without values",
        "error",
        admits({"AWS": ROLE}, StringEquals={"sts:ExternalId": []}),
        admits({"AWS": ROLE}, StringEquals={"sts:ExternalId": "Vendor-42"}),
        _empty,
        EVERY_KIND,
    ),
)
