"""Compares two versions of a trust policy: who gains and who loses access, with a request that shows it.

Every witness is decided by the engine under both versions. How much a version allows has three grades, because in one
account a policy that names the caller itself asks nothing more, and one that names the account asks for more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any, Final, Literal

from sts_emulator.analysis.callers import ALONG, FOREIGN, Caller, Context, named_in, presence
from sts_emulator.analysis.classes import classes, sessions_of
from sts_emulator.analysis.search import Search, anything, applying, request
from sts_emulator.core import clock
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.document import Document
from sts_emulator.policy.deciding.engine import PolicySet, Request, decide
from sts_emulator.policy.deciding.matching import is_account
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass

MOST_WITNESSES: Final = 5
"""For one caller and action."""


class Grade(IntEnum):
    """How much a trust policy allows."""

    NO = 0
    IF_OWN_POLICIES_ALLOW = 1
    YES = 2

    @property
    def words(self) -> str:
        """For people."""
        return ("denied", "allowed if the caller's own policies allow it", "allowed")[self]


@dataclass(frozen=True)
class Witness:
    """A request that the two versions decide differently; `chosen` are the keys that the caller brought."""

    caller: Caller
    action: str
    request: Request
    chosen: Mapping[str, tuple[str, ...]]
    before: Grade
    after: Grade
    statement: str

    @property
    def direction(self) -> Literal["gains", "loses"]:
        """Whether more is allowed afterwards."""
        return "gains" if self.after > self.before else "loses"

    def to_json(self) -> dict[str, Json]:
        """The witness as JSON data."""
        return {
            "direction": self.direction,
            "principal": {"type": self.request.principal.type, "value": self.request.principal.value},
            "named_as": self.caller.named,
            "action": self.action,
            "before": self.before.words,
            "after": self.after.words,
            "statement": self.statement,
            "chosen": {key: list(values) for key, values in self.chosen.items()},
            "context": {key: list(values) for key, values in sorted(self.request.context.items())},
        }


def compare(old: Document | None, new: Document | None, role_arn: str, given: Context | None = None) -> list[Witness]:
    """The differences that the search finds, gains first; None stands for a role that is not there.

    `given` are keys that callers have where they can have them at all.
    """
    documents = [document for document in (old, new) if document is not None]
    account = account_in(role_arn)
    search = Search(documents, clock.real())

    def of(caller: Caller) -> list[Witness]:
        own = {key: values for key, values in (given or {}).items() if presence(key, caller, caller.action) != "never"}
        bringing = replace(caller, context={**caller.context, **own})
        actions = (caller.action, *ALONG)
        return [witness for action in actions for witness in _of(search, bringing, action, old, new, role_arn)]

    named = named_in(documents, account)
    witnesses = [witness for caller in named for witness in of(caller)]
    told: set[tuple[str, str]] = {(witness.caller.named, witness.direction) for witness in witnesses}
    for group in _unnamed(documents, named):
        if all((group.text, direction) in told for direction in ("gains", "loses")):
            continue
        shown = [
            witness
            for witness in of(group.caller)
            if not told & {(group.text, witness.direction), (group.key, witness.direction)}
        ]
        told |= {(mark, witness.direction) for witness in shown for mark in group.stands_for}
        witnesses += shown
    return sorted(_once(witnesses), key=lambda witness: witness.direction)


@dataclass(frozen=True)
class _Unnamed:
    """A caller whom a principal of a policy (`text`) means only because of what the conditions ask of it."""

    text: str
    key: str
    caller: Caller
    is_anybody: bool = False

    @property
    def stands_for(self) -> tuple[str, ...]:
        """Of whom nothing more is to be said once this caller shows it."""
        return (self.key, self.text) if self.is_anybody else (self.key,)


def _unnamed(documents: list[Document], named: list[Caller]) -> Iterator[_Unnamed]:
    """The sessions of roles that are named, and the classes of those whom `*` or an account means."""
    for caller in named:
        for document in documents if caller.named.startswith("arn:") else ():
            for session in sessions_of(caller, document):
                if session.key != caller.key:
                    key = session.principal.value
                    yield _Unnamed(caller.named, key, replace(session, named=key))
    for text in dict.fromkeys(text for document in documents for text in _populations(document)):
        owner = account_in(text) if ":" in text else text.strip("*")
        for document in documents:
            for group in classes(document, owner):
                account = group.caller.principal.account
                caller = replace(group.caller, named=group.arn or group.words)
                is_anybody = group.kind == "any" and account == (owner or FOREIGN)
                yield _Unnamed(text, f"{text} {group.kind} {account}", caller, is_anybody)


def _populations(document: Document) -> Iterator[str]:
    """The principals of a policy that stand for many: `*` and accounts."""
    for statement in document.statements:
        if statement.not_principal:
            yield "*"
        elif statement.principals is not None:
            yield from (
                text
                for kind, text in statement.principals.entries
                if kind in ("AWS", "*") and (text == "*" or is_account(text))
            )


def grade(document: Document | None, asked: Request) -> Grade:
    """How much a trust policy allows of a request."""
    if document is None:
        return Grade.NO
    if decide(asked, PolicySet(trust=document)).allowed:
        return Grade.YES
    generous = PolicySet(trust=document, identity=(anything(),))
    return Grade.IF_OWN_POLICIES_ALLOW if decide(asked, generous).allowed else Grade.NO


def _of(
    search: Search, caller: Caller, action: str, old: Document | None, new: Document | None, role_arn: str
) -> Iterator[Witness]:
    seen: set[tuple[Any, ...]] = set()

    def grades(context: Context) -> tuple[Grade, Grade]:
        asked = request(caller, action, role_arn, context)
        return grade(old, asked), grade(new, asked)

    for context in search.contexts(caller, action):
        both = grades(context)
        if both[0] == both[1]:
            continue
        small = search.smallest(context, caller, action, lambda other, both=both: grades(other) == both)  # type: ignore[misc]  # a lambda's default has no type
        chosen = search.chosen(small, caller, action)
        mark = (both, search.kind_of(small, caller, action))
        if mark in seen:
            continue
        seen.add(mark)
        asked = request(caller, action, role_arn, small)
        yield Witness(caller, action, asked, chosen, *both, _deciding(old, new, both, asked))
        if len(seen) >= MOST_WITNESSES:
            return


def _deciding(old: Document | None, new: Document | None, both: tuple[Grade, Grade], asked: Request) -> str:
    """The statement by which one version says something else than the other."""
    more, less, names = (new, old, ("new", "old")) if both[1] > both[0] else (old, new, ("old", "new"))
    if denial := applying(less, asked, "Deny"):
        return f"{names[1]} {denial.path} denies it"
    allowing = applying(more, asked, "Allow")
    return f"{names[0]} {allowing.label} allows it" if allowing else ""


def _once(witnesses: list[Witness]) -> Iterator[Witness]:
    """Leave out repetitions: session tags beside the assuming itself, an account's users beside its roles."""
    assumes = {(*witness.caller.key, witness.direction) for witness in witnesses if witness.action not in ALONG}
    told: set[tuple[Any, ...]] = set()
    for witness in witnesses:
        mark = (
            witness.caller.named,
            witness.action,
            witness.before,
            witness.after,
            tuple(sorted(witness.chosen.items())),
        )
        if mark not in told and (
            witness.action not in ALONG or (*witness.caller.key, witness.direction) not in assumes
        ):
            told.add(mark)
            yield witness
