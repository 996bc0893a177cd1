"""The request that shows a finding of lint: a stranger who gets in, or a legitimate caller who cannot.

Who that is follows from the rule (analysis.strangers); whether it is so is for the engine to say, and what it does not
confirm is not told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any, Final, Literal

from sts_emulator.analysis.callers import Caller, Context
from sts_emulator.analysis.search import BASE, Search, anything, request
from sts_emulator.analysis.strangers import KEPT_OUT, LET_IN, Case, Suspect
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.document import Document, MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import PolicySet, Request, decide
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.linting.findings import Finding, LintKind, Subject
from sts_emulator.policy.saving.validate import validate

TRIES: Final = 200
"""Contexts that are tried for one suspect."""
MOST: Final = 24
"""Suspects of one finding."""
_TRUSTING: Final = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"%s"},"Action":"sts:*"}]}'
_INDEX = re.compile(r"Statement\[([0-9]+)\]")
Outcome = Literal["gets in", "is kept out", "is refused"]


@dataclass(frozen=True, slots=True)
class Witness:
    """What shows a finding: `who` in words, and the request that the engine decided, or IAM's refusal to save.

    `chosen` are the condition keys that matter, `asked` is None where it is the policy that is refused.
    """

    outcome: Outcome
    who: str
    chosen: Mapping[str, tuple[str, ...]]
    asked: Request | None = None

    @property
    def words(self) -> str:
        """For people."""
        if self.asked is None:
            return f"saving it: {self.who}"
        keys = ", ".join(f"{name} = {', '.join(values) or '(absent)'}" for name, values in self.chosen.items())
        return f"{self.who} {self.outcome}{f' with {keys}' if keys else ''}"

    def of_role(self, role_arn: str) -> Witness:
        """The same witness, asking for another role that trusts in the same words."""
        if self.asked is None or ":role/" not in self.asked.resource or self.asked.resource.endswith(":role/any"):
            return self
        return replace(self, asked=replace(self.asked, resource=role_arn))

    def naming(self, made_up: Mapping[str, str]) -> Witness:
        """The same witness, its words naming what made-up values stand for."""
        chosen = {key: tuple(naming(value, made_up) for value in values) for key, values in self.chosen.items()}
        return replace(self, who=naming(self.who, made_up), chosen=chosen)

    def to_json(self) -> dict[str, Json]:
        """As JSON data."""
        told: dict[str, Any] = {"outcome": self.outcome, "who": self.who}
        if self.asked is None:
            return told
        return {
            **told,
            "principal": {"type": self.asked.principal.type, "value": self.asked.principal.value},
            "action": self.asked.action,
            "resource": self.asked.resource,
            "decision": "allow" if self.outcome == "gets in" else "deny",
            "chosen": {name: list(values) for name, values in self.chosen.items()},
            "context": {name: list(values) for name, values in sorted(self.asked.context.items())},
        }


def naming(text: str, made_up: Mapping[str, str]) -> str:
    """A text with what made-up values stand for in their place, as `${name}`."""
    for value in sorted(made_up, key=len, reverse=True):
        text = text.replace(value, f"${{{made_up[value]}}}")
    return text


class Witnesses:
    """Witnesses of the findings about one policy; `role_arn` is the role that a trust policy is of."""

    def __init__(self, text: str, kind: LintKind, role_arn: str, clock: Context) -> None:
        self._text = text
        self._kind = kind
        self._role_arn = role_arn
        self._account = account_in(role_arn)
        self._clock = clock

    @cached_property
    def _document(self) -> Document:
        return parse(self._text)

    @cached_property
    def _search(self) -> Search:
        return Search([self._document])

    def of(self, finding: Finding) -> Witness | None:
        """The witness of a finding; None where it concerns nobody, or nobody of whom the engine confirms it."""
        place = _INDEX.match(finding.path)
        index = int(place[1]) if place else 0
        try:
            subject = Subject(self._document, self._kind, self._account)
        except MalformedPolicy as refused:
            return Witness("is refused", f"{refused.code}: {refused.message}", {})
        for outcome, suspects in (("gets in", LET_IN), ("is kept out", KEPT_OUT)):
            suspected = suspects.get(finding.rule)
            for suspect in islice(suspected(Case(subject, finding, index)), MOST) if suspected else ():
                context = self._shown(suspect, index, allowed=outcome == "gets in")
                if context is not None:
                    return self._witness(outcome, suspect, context)  # type: ignore[arg-type]  # one of the two above
        return self._refusal() if finding.severity == "error" else None

    def _witness(self, outcome: Outcome, suspect: Suspect, context: Context) -> Witness:
        asked = self._request(suspect, context)
        spelling = self._search.spelling
        brought = {**self._search.chosen(context, suspect.caller, suspect.action), **suspect.shown(spelling)}
        plain = {spelling.get(name, name): values for name, values in {**BASE, **self._clock}.items()}
        chosen = {name: values for name, values in brought.items() if plain.get(name) != values}
        return Witness(outcome, suspect.who, chosen, asked)

    def _refusal(self) -> Witness | None:
        """That IAM would not save the policy."""
        try:
            validate(self._kind, self._text)
        except MalformedPolicy as refused:
            return Witness("is refused", f"{refused.code}: {refused.message}", {})
        return None

    def _shown(self, suspect: Suspect, index: int, *, allowed: bool) -> Context | None:
        """A context in which the engine says of the suspect what the finding says."""
        caller = replace(suspect.caller, context={**self._clock, **suspect.caller.context, **suspect.keys})

        def holds(context: Context) -> bool:
            return self._allows(suspect, context)

        best = {**self._best(index, caller, suspect.action), **caller.context}
        if not allowed:
            return None if holds(best) else best
        for context in (best, *islice(self._search.contexts(caller, suspect.action), TRIES)):
            if holds(context):
                return self._search.smallest(context, caller, suspect.action, holds)
        return None

    def _best(self, index: int, caller: Caller, action: str) -> Context:
        return self._search.best(index, caller, action) if self._document.statements else caller.context

    def _request(self, suspect: Suspect, context: Context) -> Request:
        return request(suspect.caller, suspect.action, suspect.resource or self._role_arn, context)

    def _allows(self, suspect: Suspect, context: Context) -> bool:
        asked, document = self._request(suspect, context), self._document
        if self._kind == "trust":
            beside = () if document.allows else document.statements
            trust = parse(self._text) if not beside else _with_allow(document)
            policies = PolicySet(trust=trust, identity=(anything(),), resource_account=self._account)
        else:
            trust = parse(_TRUSTING % suspect.caller.principal.account)
            own = (document,) if document.allows else (anything(), document)
            scps = ((anything(), document),) if self._kind == "scp" else ()
            account = account_in(asked.resource)
            policies = PolicySet(
                trust=trust, identity=(anything(),) if scps else own, scps=scps, resource_account=account
            )
        return decide(asked, policies).allowed


def _with_allow(document: Document) -> Document:
    """A policy that only denies, as part of one that allows what it leaves."""
    import json

    allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"}
    listed = [*(statement.source for statement in document.statements), allow]
    return parse(json.dumps({"Version": document.version, "Statement": listed}))
