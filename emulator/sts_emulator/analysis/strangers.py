"""Who comes into question for a finding of lint, rule by rule: strangers who may get in, callers who may be kept out.

These are guesses; the engine confirms them (analysis.witnesses). A key with no values is one that the caller lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from sts_emulator.analysis import callers
from sts_emulator.analysis.callers import FOREIGN, SESSION, SOMEBODY, Caller
from sts_emulator.analysis.classes import classes
from sts_emulator.analysis.condition_values import ABSENT, STRANGER, Values, filled
from sts_emulator.importers.places import steps
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.conditions import Condition
from sts_emulator.policy.deciding.document import Statement
from sts_emulator.policy.deciding.matching import is_account
from sts_emulator.policy.federated import GITHUB
from sts_emulator.policy.issued import AUDIENCES, SUBJECTS, form_of, may_issue, never_on_github
from sts_emulator.policy.linting.findings import Finding, Subject
from sts_emulator.policy.values import dataclass

_EVIL_GITHUB: Final = "repo:evil/x:ref:refs/heads/main"
_TAILS: Final = (
    "",
    "/x:ref:refs/heads/main",
    ":ref:refs/heads/main",
    "/x:ref_type:branch:ref:main",
    ":ref_type:branch:ref:main",
    ":project:x:workspace:x:run_phase:apply",
    ":workspace:x:run_phase:apply",
    ":pipeline:x:ref:refs/heads/main:commit:0a1b2c:step:x",
    ":ref:refs/heads/main:commit:0a1b2c:step:x",
    ":x",
)
_SPELT: Final = {
    "aws:principaltag/x509subject/cn": "aws:PrincipalTag/x509Subject/CN",
    "aws:multifactorauthpresent": "aws:MultiFactorAuthPresent",
    "aws:sourceaccount": "aws:SourceAccount",
    "aws:sourceip": "aws:SourceIp",
    "sts:externalid": "sts:ExternalId",
}
_KINDS: Final = {"user": "the user", "assumed-role": "the role"}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A caller with what it brings: `keys` by lower-cased name; `resource` is what it asks for, empty: the role."""

    caller: Caller
    keys: Mapping[str, Values]
    who: str
    action: str
    resource: str = ""

    def shown(self, spelling: Mapping[str, str]) -> dict[str, Values]:
        """The keys as the policy spells them."""
        return {spelling.get(name, _SPELT.get(name, name)): values for name, values in self.keys.items()}


Suspects = Callable[[Subject, Finding, int], Iterator[Suspect]]


def _of(caller: Caller, keys: Mapping[str, Values] | None = None, who: str = "", action: str = "") -> Suspect:
    return Suspect(caller, keys or {}, who or _named(caller), action or caller.action)


def _named(caller: Caller) -> str:
    """A caller in words."""
    principal = caller.principal
    if principal.type in _KINDS:
        arn = principal.user_arn or principal.role_arn or principal.value
        if principal.value.endswith(f"{SOMEBODY}/{SESSION}") or arn.endswith(f"/{SOMEBODY}"):
            return f"any {'user' if principal.type == 'user' else 'role'} of account {principal.account}"
        return f"{_KINDS[principal.type]} {arn}"
    if principal.type == "service":
        return principal.value
    return f"a token of {principal.value.partition('-provider/')[2] or principal.value}"


def _callers(subject: Subject, index: int) -> list[Caller]:
    """The callers whom a statement means; of a policy without principals any user and role."""
    statements = subject.statements
    statement = statements[index] if index < len(statements) else None
    entries = statement.principals.entries if statement and statement.principals else ()
    if not entries or (statement and statement.not_principal):
        account = subject.role_account or FOREIGN
        return [callers.role(account, SOMEBODY, account), callers.user(account, SOMEBODY, account)]
    return [caller for kind, text in entries for caller in callers.of(kind, text, subject.role_account)]


def _condition(subject: Subject, finding: Finding, index: int) -> Condition | None:
    """The condition that a finding is about."""
    place = steps(finding.path)
    if index >= len(subject.statements) or "Condition" not in place:
        return None
    operator, key = (str(step) for step in place[-2:])
    listed = subject.statements[index].conditions
    return next((item for item in listed if item.operator.text == operator and item.key == key), None)


# -- strangers who get in ----------------------------------------------------------------------------------------------


def _anybody(subject: Subject, _finding: Finding, _index: int) -> Iterator[Suspect]:
    for group in classes(subject.document, ""):
        if group.caller.principal.account != subject.role_account:
            yield _of(group.caller, who=f"{_named(group.caller)}, which is somebody else's,")


def _any_certificate(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        keys = {"aws:principaltag/x509subject/cn": ("somebody",)}
        yield _of(caller, keys, "any certificate of the trust anchor")


def _namesake(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    condition = _condition(subject, finding, index)
    if condition is None:
        return
    for value in condition.values:
        for caller in _callers(subject, index):
            text = value.raw.replace("*", "AROA2EXAMPLE22EXAMPLE", 1)
            yield _of(caller, {condition.name: (text,)}, f"{_named(caller)}, whoever took it and named the session so")


def _named_callers(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        yield _of(caller)


def _without_external_id(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        if caller.principal.account != subject.role_account:
            yield _of(caller, {"sts:externalid": ABSENT})


def _any_source(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        if caller.principal.type == "service" and f"{caller.principal.value} " in finding.message:
            who = f"{caller.principal.value} on behalf of account {FOREIGN}"
            yield _of(caller, {"aws:sourceaccount": (FOREIGN,)}, who)


def _any_subject(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    for caller, issuer in _federated(subject, index):
        form = form_of(issuer, SUBJECTS)
        strangers = form.strangers if form else ()
        for text in (*((_EVIL_GITHUB,) if issuer == GITHUB else strangers), STRANGER):
            yield _of(caller, {f"{issuer}:sub": (text,)})
        if issuer == "cognito-identity.amazonaws.com":
            yield _of(caller, {f"{issuer}:amr": ("unauthenticated",)}, "a guest of the identity pool")


def _any_audience(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    for caller, issuer in _federated(subject, index):
        if issuer in finding.message.lower():
            yield _of(caller, {f"{issuer}:aud": ("another-audience",)})


def _other_audience(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    condition = _condition(subject, finding, index)
    for caller, issuer in _federated(subject, index):
        for value in condition.values if condition else ():
            yield _of(caller, {f"{issuer}:aud": (value.raw.replace("*", "evil").replace("?", "x"),)})


def _federated(subject: Subject, index: int) -> Iterator[tuple[Caller, str]]:
    for caller in _callers(subject, index):
        if caller.principal.type == "oidc":
            yield caller, _host(caller.principal.value)


def _host(provider: str) -> str:
    return (provider.partition(":oidc-provider/")[2] or provider).lower()


def _other_subject(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    condition = _condition(subject, finding, index)
    texts = [value.raw for value in condition.values] if condition else []
    told = [text for text in texts if f"`{text}`" in finding.message] or texts
    for caller, issuer in _federated(subject, index):
        for text in (stranger for pattern in told for stranger in _strange(pattern, issuer)):
            yield _of(caller, {f"{issuer}:sub": (text,)})


def _strange(pattern: str, issuer: str) -> Iterator[str]:
    """Subjects of others that a pattern may admit: those that the issuer can compose first."""
    form = form_of(issuer, SUBJECTS)
    made: dict[str, None] = {}
    for filler in ("-evil", "evil"):
        head, star, rest = pattern.replace("?", "x").partition("*")
        fill = f"evil{filler}" if not head else filler
        whole = f"{head}{fill if star else ''}{rest.replace('*', 'main')}"
        for tail in _TAILS if pattern.endswith("*") else ("",):
            made[f"{whole.removesuffix('main') if rest.endswith('*') else whole}{tail}"] = None
    listed = [*made, *filled(pattern)]
    issued = [text for text in listed if _is_issued(text, issuer) and "--" not in text and "/-" not in text]
    yield from issued
    yield from (text for text in listed if form is None and text not in issued)


def _is_issued(text: str, issuer: str) -> bool:
    if issuer == GITHUB:
        name = text.removeprefix("repo:").partition(":")[0]
        return text.startswith("repo:") and name.count("/") == 1 and not never_on_github(text)
    form = form_of(issuer, SUBJECTS)
    return form is not None and may_issue(form, text, wild=False)


def _same_names(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    condition = _condition(subject, finding, index)
    for caller, issuer in _federated(subject, index) if condition else ():
        for value in condition.values if condition else ():
            if f"`{value.raw}`" in finding.message:
                who = "whoever registers these names once they are given up"
                yield from (_of(caller, {f"{issuer}:sub": (text,)}, who) for text in filled(value.raw))


def _without_key(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    condition = _condition(subject, finding, index)
    for caller in _callers(subject, index) if condition else ():
        yield _of(caller, {condition.name: ABSENT} if condition else {})


def _any_value(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    condition = _condition(subject, finding, index)
    for caller in _callers(subject, index) if condition else ():
        yield _of(caller, {condition.name: (STRANGER,)} if condition else {})


def _plain_key(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    """A user with a long-term access key, who has no MFA to tell of."""
    account = subject.role_account or FOREIGN
    for caller in (*_callers(subject, index), callers.user(account, SOMEBODY, account)):
        if caller.principal.type == "user":
            yield _of(caller, {"aws:multifactorauthpresent": ABSENT}, f"{_named(caller)} with a plain access key")


def _everywhere(subject: Subject, _finding: Finding, _index: int) -> Iterator[Suspect]:
    caller = callers.role(subject.role_account or FOREIGN, SOMEBODY, "")
    resource = f"arn:aws:iam::{FOREIGN}:role/any"
    yield Suspect(caller, {}, f"who holds it, asking for {resource},", "sts:AssumeRole", resource)


def _what_is_left(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        for action in ("sts:SetSourceIdentity", "sts:TagSession", "sts:AssumeRole"):
            yield _of(caller, action=action, who=f"{_named(caller)}, asking for {action},")


LET_IN: Mapping[str, Suspects] = {
    "allow-not-action": _what_is_left,
    "any-certificate": _any_certificate,
    "anybody": _anybody,
    "assume-any-role": _everywhere,
    "confused-deputy": _any_source,
    "denied-once": _named_callers,
    "for-all-values-open": _without_key,
    "if-exists-open": _without_key,
    "like-everything": _any_value,
    "mfa-allow-takes-keys": _plain_key,
    "mfa-deny-misses-keys": _plain_key,
    "missing-external-id": _without_external_id,
    "mutable-github-subject": _same_names,
    "negated-allow": _without_key,
    "oidc-audience": _any_audience,
    "open-audience": _other_audience,
    "oidc-subject": _any_subject,
    "open-github-subject": _other_subject,
    "open-subject": _other_subject,
    "root-trust": _named_callers,
    "session-name-for-origin": _namesake,
    "shared-issuer-guard": _any_subject,
    "whole-github-owner": _other_subject,
}


# -- callers who are kept out ------------------------------------------------------------------------------------------


def _meant(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    """The callers whom the statement names, with what the condition asks for."""
    condition = _condition(subject, finding, index)
    for caller in _callers(subject, index):
        yield _of(caller, _asked(condition, caller))


def _asked(condition: Condition | None, caller: Caller) -> dict[str, Values]:
    if condition is None or condition.name in caller.context or not condition.values:
        return {}
    if callers.presence(condition.name, caller, caller.action) == "never":
        return {}  # nobody of that kind can bring it
    return {condition.name: (_plain(condition.values[0].raw),)}


def _plain(raw: str) -> str:
    """What somebody brings for whom a value was written: an address of a network, a text that a pattern takes."""
    address, slash, bits = raw.partition("/")
    return address if slash and bits.isdigit() and address.replace(".", "").isdigit() else filled(raw)[0]


def _right_key(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    """The callers with the key that was meant, without the one that there is not."""
    condition = _condition(subject, finding, index)
    for caller in _callers(subject, index) if condition and condition.values else ():
        keys: dict[str, Values] = {condition.name: ABSENT} if condition else {}
        right = finding.fix.removeprefix("write ").lower()
        if condition and finding.fix.startswith("write ") and callers.presence(right, caller, "") != "never":
            keys[right] = (_plain(condition.values[0].raw),)
        yield _of(caller, keys)


def _all_asked(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    """The callers with everything that the statement's conditions ask for."""
    conditions = subject.statements[index].conditions
    for caller in _callers(subject, index):
        keys: dict[str, Values] = {}
        for condition in conditions:
            keys |= _asked(condition, caller) if condition.operator.family != "null" else {}
        yield _of(caller, keys)


def _variable_put_in(subject: Subject, _finding: Finding, _index: int) -> Iterator[Suspect]:
    """Somebody called alice, for whom the variable was to stand."""
    for statement in subject.statements:
        for condition in statement.conditions:
            for value in condition.values if "${" in str(condition.values) else ():
                text = re.sub(r"\$\{[^{}]*\}", "alice", value.raw)
                for caller in _callers(subject, statement.index):
                    yield _of(caller, {condition.name: (text,)})


def _taken(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    """The callers with the nearest value that STS takes."""
    condition = _condition(subject, finding, index)
    for caller in _callers(subject, index) if condition and condition.values else ():
        text = re.sub(r"[^A-Za-z0-9_+=,.@-]", "-", condition.values[0].raw if condition else "").ljust(2, "x")
        yield _of(caller, {condition.name if condition else "": (text,)})


def _issued_subject(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    """Tokens that the issuer does issue."""
    condition = _condition(subject, finding, index)
    claim = condition.name.rpartition(":")[2] if condition else ""
    for caller, issuer in _federated(subject, index) if condition else ():
        if issuer == GITHUB and condition:
            for text in _mended(condition):
                yield _of(caller, {f"{issuer}:sub": (text,)})
        form = form_of(issuer, SUBJECTS if claim == "sub" else AUDIENCES)
        for value in condition.values if form and condition else ():
            text = re.sub(r"refs/(?:heads|tags)/", "", value.raw)
            if form and may_issue(form, text, wild=False):
                yield _of(caller, {f"{issuer}:{claim}": (text,)})
        for text in _examples(form.strangers, form.texts) if form else ():
            yield _of(caller, {f"{issuer}:{claim}": (text,)})


def _mended(condition: Condition) -> Iterator[str]:
    for value in condition.values:
        words = value.raw.removeprefix("https://").removeprefix("repo:").removeprefix("github.com/")
        name = words.partition(":")[0].removesuffix(".git")
        owner, _, repository = name.partition("/")
        yield f"repo:{owner or 'acme'}/{repository.partition('/')[0] or 'shop'}:ref:refs/heads/main"


def _examples(strangers: tuple[str, ...], texts: tuple[str, ...]) -> Iterator[str]:
    uuid = "9b2d4c6e-1f0e-4d56-9a4e-2b1c7e9f0a11"
    yield from (text.replace("evil", "acme") for text in strangers)
    yield from (text.replace("<uuid>", uuid) for text in texts[:1])


def _next_run(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    """The same job a second time."""
    condition = _condition(subject, finding, index)
    for caller, issuer in _federated(subject, index) if condition else ():
        for value in condition.values if condition else ():
            head, colon, last = value.raw.rpartition(":step:")
            if colon:
                start, commit, _ = head.rpartition(":commit:")
                yield _of(caller, {f"{issuer}:sub": (f"{start}{commit}0a1b2c3d{colon}{last}",)}, "the next run")
            elif value.raw.startswith("{"):
                start = value.raw.rpartition(":")[0]
                text = f"{start}:{{9b2d4c6e-1f0e-4d56-9a4e-2b1c7e9f0a11}}"
                yield _of(caller, {f"{issuer}:sub": (text,)}, "the next run")


def _role_in_pattern(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    """The role or user that a wildcard, or a session's ARN, was written for."""
    statement = subject.statements[index] if index < len(subject.statements) else None
    condition = _condition(subject, finding, index)
    texts = [value.raw for value in condition.values] if condition else _principals(statement)
    for text in texts:
        filled = text.replace("*", "x").replace("?", "x")
        arn = parse_arn(filled)
        meant = str(arn._replace(account=FOREIGN)) if arn and arn.account == "x" else filled
        for caller in callers.of("AWS", meant, subject.role_account):
            if not is_account(text):
                yield _of(caller)
    account = subject.role_account or FOREIGN
    if any(text.endswith(":root") for text in texts):
        yield _of(callers.role(account, SOMEBODY, account))


def _principals(statement: Statement | None) -> list[str]:
    return [text for _, text in statement.principals.entries] if statement and statement.principals else []


def _recreated(subject: Subject, _finding: Finding, _index: int) -> Iterator[Suspect]:
    caller = callers.role(subject.role_account or FOREIGN, "recreated", "")
    yield _of(caller, who="a role that is made again under the old name")


def _own_action(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        yield _of(caller, who=f"{_named(caller)}, by {caller.action},")


def _more_actions(subject: Subject, finding: Finding, index: int) -> Iterator[Suspect]:
    for caller in _callers(subject, index):
        if finding.message.startswith(caller.principal.value):
            for action in ("sts:TagSession", "sts:SetSourceIdentity"):
                if action in finding.message:
                    yield _of(caller, who=f"{caller.principal.value}, which calls {action},", action=action)


def _with_arn(subject: Subject, _finding: Finding, index: int) -> Iterator[Suspect]:
    account = subject.role_account or FOREIGN
    for text in _principals(subject.statements[index]):
        if ":" not in text:
            yield _of(callers.federated(f"arn:aws:iam::{account}:oidc-provider/{text}"))


def _other_path(subject: Subject, finding: Finding, _index: int) -> Iterator[Suspect]:
    """The principal that exists under another path, or in other letters."""
    text = finding.fix.removeprefix("write ")
    kind = "Federated" if finding.rule == "unknown-provider" else "AWS"
    yield from (_of(caller) for caller in callers.of(kind, text, subject.role_account) if text.startswith("arn:"))


def _for_you(subject: Subject, _finding: Finding, _index: int) -> Iterator[Suspect]:
    """A call that an AWS service makes on somebody's behalf, from its own address."""
    account = subject.role_account or FOREIGN
    caller = callers.role(account, SOMEBODY, account)
    caller = replace(caller, context={**caller.context, "aws:viaawsservice": ("true",)})
    keys = {"aws:sourceip": ("198.51.100.99",)}
    yield _of(caller, keys, f"{_named(caller)}, for whom an AWS service calls from its own address,")


KEPT_OUT: Mapping[str, Suspects] = {
    "action-principal-mismatch": _own_action,
    "audience-type": _meant,
    "claim-without-key": _right_key,
    "contradiction": _all_asked,
    "empty-values": _meant,
    "impossible-github-subject": _issued_subject,
    "impossible-token": _issued_subject,
    "key-never-there": _meant,
    "literal-wildcard": _meant,
    "misspelt-key": _right_key,
    "operator-for-key": _meant,
    "plain-operator-on-several-values": _meant,
    "provider-without-arn": _with_arn,
    "root-arn-in-principal-arn": _role_in_pattern,
    "service-needs-more-actions": _more_actions,
    "session-arn-in-principal-arn": _role_in_pattern,
    "source-ip-deny": _for_you,
    "stale-principal": _recreated,
    "subject-of-one-run": _next_run,
    "time-is-over": _named_callers,
    "type-mismatch": _meant,
    "unknown-principal": _other_path,
    "unknown-provider": _other_path,
    "unreachable-statement": _named_callers,
    "value-never-taken": _taken,
    "variable-in-old-version": _variable_put_in,
    "variable-out-of-place": _named_callers,
    "wildcard-principal": _role_in_pattern,
}
