"""Who comes into question for a finding of lint, rule by rule: strangers who may get in, callers who may be kept out.

These are guesses; the engine confirms them (analysis.witnesses). A key with no values is one that the caller lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import product
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
from sts_emulator.policy.federated import COGNITO, GITHUB, OIDC, issuer_of
from sts_emulator.policy.issued import AUDIENCES, SUBJECTS, form_of, may_issue, never_on_github
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.linting.findings import Finding, Subject

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
_UUID: Final = "9b2d4c6e-1f0e-4d56-9a4e-2b1c7e9f0a11"
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


@dataclass(frozen=True, eq=False)
class Case:
    """A finding about a policy, and the number of the statement that it is about."""

    subject: Subject
    finding: Finding
    index: int

    @property
    def account(self) -> str:
        """The role's account."""
        return self.subject.role_account or FOREIGN

    @property
    def statement(self) -> Statement | None:
        statements = self.subject.statements
        return statements[self.index] if self.index < len(statements) else None

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The principals of the statement, kind and text."""
        return self.statement.principals.entries if self.statement and self.statement.principals else ()

    @cached_property
    def callers(self) -> list[Caller]:
        """Those whom the statement means; of a policy without principals any user and role."""
        if not self.named or (self.statement and self.statement.not_principal):
            return [self.somebody, callers.user(self.account, SOMEBODY, self.account)]
        return [caller for kind, text in self.named for caller in callers.of(kind, text, self.subject.role_account)]

    @property
    def somebody(self) -> Caller:
        """Any role of the account."""
        return callers.role(self.account, SOMEBODY, self.account)

    @property
    def with_token(self) -> Iterator[tuple[Caller, str]]:
        """Callers with a token, each with its issuer."""
        for caller in self.callers:
            if caller.principal.type == "oidc":
                yield caller, issuer_of(caller.principal.value).lower()

    @cached_property
    def condition(self) -> Condition | None:
        """The condition that the finding is about."""
        place = steps(self.finding.path)
        if self.statement is None or "Condition" not in place:
            return None
        operator, key = (str(step) for step in place[-2:])
        listed = self.statement.conditions
        return next((item for item in listed if item.operator.text == operator and item.key == key), None)

    @property
    def key(self) -> str:
        """The condition's key; empty where the finding is about none."""
        return self.condition.name if self.condition else ""

    @property
    def values(self) -> list[str]:
        """What the condition asks for."""
        return [value.raw for value in self.condition.values] if self.condition else []


Suspects = Callable[[Case], Iterator[Suspect]]


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


# -- strangers who get in ----------------------------------------------------------------------------------------------


def _anybody(case: Case) -> Iterator[Suspect]:
    for group in classes(case.subject.document, ""):
        if group.caller.principal.account != case.subject.role_account:
            yield _of(group.caller, who=f"{_named(group.caller)}, which is somebody else's,")


def _any_certificate(case: Case) -> Iterator[Suspect]:
    for caller in case.callers:
        keys = {"aws:principaltag/x509subject/cn": ("somebody",)}
        yield _of(caller, keys, "any certificate of the trust anchor")


def _namesake(case: Case) -> Iterator[Suspect]:
    for value, caller in product(case.values, case.callers):
        text = value.replace("*", "AROA2EXAMPLE22EXAMPLE", 1)
        yield _of(caller, {case.key: (text,)}, f"{_named(caller)}, whoever took it and named the session so")


def _named_callers(case: Case) -> Iterator[Suspect]:
    return map(_of, case.callers)


def _without_external_id(case: Case) -> Iterator[Suspect]:
    for caller in case.callers:
        if caller.principal.account != case.subject.role_account:
            yield _of(caller, {"sts:externalid": ABSENT})


def _any_source(case: Case) -> Iterator[Suspect]:
    for caller in case.callers:
        if caller.principal.type == "service" and f"{caller.principal.value} " in case.finding.message:
            who = f"{caller.principal.value} on behalf of account {FOREIGN}"
            yield _of(caller, {"aws:sourceaccount": (FOREIGN,)}, who)


def _any_subject(case: Case) -> Iterator[Suspect]:
    for caller, issuer in case.with_token:
        form = form_of(issuer, SUBJECTS)
        strangers = form.strangers if form else ()
        for text in (*((_EVIL_GITHUB,) if issuer == GITHUB else strangers), STRANGER):
            yield _of(caller, {f"{issuer}:sub": (text,)})
        if issuer == COGNITO:
            yield _of(caller, {f"{issuer}:amr": ("unauthenticated",)}, "a guest of the identity pool")


def _any_audience(case: Case) -> Iterator[Suspect]:
    for caller, issuer in case.with_token:
        if issuer in case.finding.message.lower():
            yield _of(caller, {f"{issuer}:aud": ("another-audience",)})


def _other_audience(case: Case) -> Iterator[Suspect]:
    for (caller, issuer), value in product(case.with_token, case.values):
        yield _of(caller, {f"{issuer}:aud": (value.replace("*", "evil").replace("?", "x"),)})


def _other_subject(case: Case) -> Iterator[Suspect]:
    told = [text for text in case.values if f"`{text}`" in case.finding.message] or case.values
    for caller, issuer in case.with_token:
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


def _same_names(case: Case) -> Iterator[Suspect]:
    for (caller, issuer), value in product(case.with_token, case.values):
        if f"`{value}`" in case.finding.message:
            who = "whoever registers these names once they are given up"
            yield from (_of(caller, {f"{issuer}:sub": (text,)}, who) for text in filled(value))


def _without_key(case: Case) -> Iterator[Suspect]:
    for caller in case.callers if case.key else ():
        yield _of(caller, {case.key: ABSENT})


def _any_value(case: Case) -> Iterator[Suspect]:
    for caller in case.callers if case.key else ():
        yield _of(caller, {case.key: (STRANGER,)})


def _plain_key(case: Case) -> Iterator[Suspect]:
    """A user with a long-term access key, who has no MFA to tell of."""
    for caller in (*case.callers, callers.user(case.account, SOMEBODY, case.account)):
        if caller.principal.type == "user":
            yield _of(caller, {"aws:multifactorauthpresent": ABSENT}, f"{_named(caller)} with a plain access key")


def _everywhere(case: Case) -> Iterator[Suspect]:
    resource = f"arn:aws:iam::{FOREIGN}:role/any"
    yield Suspect(case.somebody, {}, f"who holds it, asking for {resource},", "sts:AssumeRole", resource)


def _what_is_left(case: Case) -> Iterator[Suspect]:
    for caller, action in product(case.callers, ("sts:SetSourceIdentity", "sts:TagSession", "sts:AssumeRole")):
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


def _meant(case: Case) -> Iterator[Suspect]:
    """The callers whom the statement names, with what the condition asks for."""
    return (_of(caller, _asked(case.condition, caller)) for caller in case.callers)


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


def _right_key(case: Case) -> Iterator[Suspect]:
    """The callers with the key that was meant, without the one that there is not."""
    right = case.finding.fix.removeprefix("write ").lower()
    for caller in case.callers if case.values else ():
        keys: dict[str, Values] = {case.key: ABSENT}
        if case.finding.fix.startswith("write ") and callers.presence(right, caller, "") != "never":
            keys[right] = (_plain(case.values[0]),)
        yield _of(caller, keys)


def _all_asked(case: Case) -> Iterator[Suspect]:
    """The callers with everything that the statement's conditions ask for."""
    conditions = case.statement.conditions if case.statement else ()
    for caller in case.callers:
        keys: dict[str, Values] = {}
        for condition in conditions:
            keys |= _asked(condition, caller) if condition.operator.family != "null" else {}
        yield _of(caller, keys)


def _variable_put_in(case: Case) -> Iterator[Suspect]:
    """Somebody called alice, for whom the variable was to stand."""
    for statement, condition, _ in case.subject.conditions():
        for value in condition.values if "${" in str(condition.values) else ():
            text = re.sub(r"\$\{[^{}]*\}", "alice", value.raw)
            for caller in replace(case, index=statement.index).callers:
                yield _of(caller, {condition.name: (text,)})


def _taken(case: Case) -> Iterator[Suspect]:
    """The callers with the nearest value that STS takes."""
    for caller in case.callers if case.values else ():
        text = re.sub(r"[^A-Za-z0-9_+=,.@-]", "-", case.values[0]).ljust(2, "x")
        yield _of(caller, {case.key: (text,)})


def _issued_subject(case: Case) -> Iterator[Suspect]:
    """Tokens that the issuer does issue."""
    claim = case.key.rpartition(":")[2]
    for caller, issuer in case.with_token if case.key else ():
        for text in map(_mended, case.values) if issuer == GITHUB else ():
            yield _of(caller, {f"{issuer}:sub": (text,)})
        form = form_of(issuer, SUBJECTS if claim == "sub" else AUDIENCES)
        if form is None:
            continue
        corrected = (re.sub(r"refs/(?:heads|tags)/", "", value) for value in case.values)
        issued = (text for text in corrected if may_issue(form, text, wild=False))
        for text in (*issued, *_examples(form.strangers, form.texts)):
            yield _of(caller, {f"{issuer}:{claim}": (text,)})


def _mended(value: str) -> str:
    words = value.removeprefix("https://").removeprefix("repo:").removeprefix("github.com/")
    name = words.partition(":")[0].removesuffix(".git")
    owner, _, repository = name.partition("/")
    return f"repo:{owner or 'acme'}/{repository.partition('/')[0] or 'shop'}:ref:refs/heads/main"


def _examples(strangers: tuple[str, ...], texts: tuple[str, ...]) -> Iterator[str]:
    yield from (text.replace("evil", "acme") for text in strangers)
    yield from (text.replace("<uuid>", _UUID) for text in texts[:1])


def _next_run(case: Case) -> Iterator[Suspect]:
    """The same job a second time."""
    for (caller, issuer), value in product(case.with_token, case.values):
        head, colon, last = value.rpartition(":step:")
        if colon:
            start, commit, _ = head.rpartition(":commit:")
            yield _of(caller, {f"{issuer}:sub": (f"{start}{commit}0a1b2c3d{colon}{last}",)}, "the next run")
        elif value.startswith("{"):
            text = f"{value.rpartition(':')[0]}:{{{_UUID}}}"
            yield _of(caller, {f"{issuer}:sub": (text,)}, "the next run")


def _role_in_pattern(case: Case) -> Iterator[Suspect]:
    """The role or user that a wildcard, or a session's ARN, was written for."""
    texts = case.values if case.condition else [text for _, text in case.named]
    for text in texts:
        filled = text.replace("*", "x").replace("?", "x")
        arn = parse_arn(filled)
        meant = str(arn._replace(account=FOREIGN)) if arn and arn.account == "x" else filled
        if not is_account(text):
            yield from map(_of, callers.of("AWS", meant, case.subject.role_account))
    if any(text.endswith(":root") for text in texts):
        yield _of(case.somebody)


def _recreated(case: Case) -> Iterator[Suspect]:
    caller = callers.role(case.account, "recreated", "")
    yield _of(caller, who="a role that is made again under the old name")


def _own_action(case: Case) -> Iterator[Suspect]:
    for caller in case.callers:
        yield _of(caller, who=f"{_named(caller)}, by {caller.action},")


def _more_actions(case: Case) -> Iterator[Suspect]:
    for caller, action in product(case.callers, ("sts:TagSession", "sts:SetSourceIdentity")):
        service = caller.principal.value
        if case.finding.message.startswith(service) and action in case.finding.message:
            yield _of(caller, who=f"{service}, which calls {action},", action=action)


def _with_arn(case: Case) -> Iterator[Suspect]:
    for _, text in case.named:
        if ":" not in text:
            yield _of(callers.federated(OIDC.arn(case.account, text)))


def _other_path(case: Case) -> Iterator[Suspect]:
    """The principal that exists under another path, or in other letters."""
    text = case.finding.fix.removeprefix("write ")
    kind = "Federated" if case.finding.rule == "unknown-provider" else "AWS"
    yield from map(_of, callers.of(kind, text, case.subject.role_account) if text.startswith("arn:") else ())


def _for_you(case: Case) -> Iterator[Suspect]:
    """A call that an AWS service makes on somebody's behalf, from its own address."""
    caller = replace(case.somebody, context={**case.somebody.context, "aws:viaawsservice": ("true",)})
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
