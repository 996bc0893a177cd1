"""Classes of principals that a trust policy could mean where no instance is known: "any role called deploy".

A class is a caller made up from the values that the policy asks of it; whether it gets in is for the engine to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, product
from typing import Final

from sts_emulator.analysis import callers
from sts_emulator.analysis.callers import SESSION, SOMEBODY, Caller
from sts_emulator.policy.arns import parse_arn
from sts_emulator.policy.deciding.conditions import Condition
from sts_emulator.policy.deciding.document import Document
from sts_emulator.policy.deciding.matching import has_wildcard
from sts_emulator.policy.light_dataclass import dataclass

MOST: Final = 60
"""Callers that are tried for one principal of a policy."""


@dataclass(frozen=True)
class Class:
    """A caller that stands for all of its kind; `words` say which, `arn` is its own where it is the only one.

    `kind` is `any` where nothing is asked of it.
    """

    caller: Caller
    words: str
    kind: str
    arn: str = ""


@dataclass(frozen=True)
class _Name:
    """What a policy asks of a principal's ARN; without `account` that of any, `is_whole` without a wildcard."""

    kind: str
    account: str
    path: str
    name: str
    is_whole: bool = False


def classes(trust: Document, account: str) -> Iterator[Class]:
    """The classes that a trust policy could mean by `*` (no account) or by an account, the widest first."""
    conditions = [condition for statement in trust.statements for condition in statement.conditions]
    identities = [_Name("role", "", *_parts(SOMEBODY)), _Name("user", "", *_parts(SOMEBODY))]
    identities += _named(conditions)
    asked = [text for text in _values(conditions, "aws:principalaccount") if text.isdigit()]
    asked += [name.account for name in identities if name.account]
    accounts = [account] if account else list(dict.fromkeys([callers.FOREIGN, *asked]))
    sessions, ids = _sessions(conditions)
    made: dict[tuple[str, str, str], Class] = {}
    for name, owner, session, identifier in product(identities, accounts, sessions, ids):
        if name.account and owner not in (name.account, callers.FOREIGN):
            continue
        if account and name.account and name.account != account:
            continue
        if name.kind == "user" and session != SESSION:
            continue
        population = _class(
            name, name.account or owner, session, identifier, is_any=not account and owner == callers.FOREIGN
        )
        made.setdefault((*population.caller.key, population.caller.principal.id), population)
    yield from islice(made.values(), MOST)


def _class(name: _Name, account: str, session: str, identifier: str, *, is_any: bool) -> Class:
    if name.kind == "user":
        caller = callers.user(account, name.name, account, name.path)
    else:
        caller = callers.role(account, name.name, account, name.path, session)
    if identifier:
        whole = identifier if name.kind == "user" else f"{identifier}:{session}"
        caller = replace(
            caller, principal=replace(caller.principal, id=whole), context={**caller.context, "aws:userid": (whole,)}
        )
    arn = str(caller.context["aws:principalarn"][0]) if name.is_whole else ""
    where = "in any AWS account" if is_any and not name.account else f"of account {account}"
    noun = (
        "principal"
        if (name.name, session, identifier) == (SOMEBODY, SESSION, "") and name.kind == "role"
        else name.kind
    )
    called = "" if name.name == SOMEBODY else f" called {name.path.lstrip('/')}{name.name}"
    known = f" with the id {identifier}" if identifier else ""
    during = "" if session == SESSION else f" with the session {session}"
    kind = "any" if noun == "principal" else f"{name.kind} {name.path}{name.name}"
    return Class(caller, f"any {noun}{called}{known} {where}{during}", kind, arn)


def sessions_of(caller: Caller, trust: Document) -> Iterator[Caller]:
    """A role's caller under each session name that a trust policy asks for; others as they are."""
    yield caller
    role = caller.principal.role_arn
    if caller.principal.type != "assumed-role" or not role:
        return
    start = caller.principal.value.rpartition("/")[0]
    conditions = [condition for statement in trust.statements for condition in statement.conditions]
    entries = [
        entry for statement in trust.statements if statement.principals for entry in statement.principals.entries
    ]
    named = [text[len(start) + 1 :] for _, text in entries if text.startswith(f"{start}/")]
    for session in dict.fromkeys((*named, *_sessions(conditions)[0])):
        identifier = f"{caller.principal.id.partition(':')[0]}:{session}"
        principal = replace(caller.principal, value=f"{start}/{session}", id=identifier)
        if session != SESSION:
            yield replace(caller, principal=principal, context={**caller.context, "aws:userid": (identifier,)})


def _named(conditions: Iterable[Condition]) -> Iterator[_Name]:
    listed = list(conditions)
    for raw in _values(listed, "aws:principalarn"):
        arn = parse_arn(raw)
        if "${" in raw:
            continue
        if arn is None:  # a wildcard stands for several parts
            yield from (_Name(known, "", *_parts(raw.rpartition("/")[2])) for known in ("role", "user"))
            continue
        kind, _, rest = arn.resource.partition("/")
        account = _account(arn.account) if has_wildcard(arn.account) else arn.account
        kinds = [known for known in ("role", "user") if kind == known or has_wildcard(kind)]
        yield from (_Name(known, account, *_parts(rest or "*"), not has_wildcard(raw)) for known in kinds)
        if kind == "assumed-role":
            yield _Name("role", account, *_parts(rest.partition("/")[0]))
    for raw in _values(listed, "aws:username"):
        yield _Name("user", "", *_parts(raw))


def _sessions(conditions: Iterable[Condition]) -> tuple[list[str], list[str]]:
    """The session names and unique ids that conditions ask for, beside any."""
    sessions, ids = [SESSION], [""]
    for raw in _values(conditions, "aws:userid"):
        identifier, colon, session = raw.partition(":")
        if colon and session.strip("*"):
            sessions.append(_filled(session))
        if identifier.strip("*?"):
            ids.append(_filled(identifier))
    return list(dict.fromkeys(sessions)), list(dict.fromkeys(ids))


def _values(conditions: Iterable[Condition], key: str) -> list[str]:
    """What positive conditions ask of a key."""
    return [
        value.raw
        for condition in conditions
        if condition.name == key and condition.operator.family != "null"
        for value in condition.values
    ]


def _parts(name: str) -> tuple[str, str]:
    """Path and name, wildcards filled; `*` alone is anybody's."""
    path, _, last = name.rpartition("/")
    return f"/{_filled(path)}/" if path else "/", SOMEBODY if not last.strip("*") else _filled(last)


def _account(pattern: str) -> str:
    """An account that fits a pattern; empty where any does."""
    start = pattern.partition("*")[0].replace("?", "0")
    return start.ljust(12, "0") if start.strip("0") else ""


def _filled(pattern: str) -> str:
    return pattern.replace("*", "x").replace("?", "x")
