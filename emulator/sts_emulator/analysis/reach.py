"""Who can assume a role, and what a principal can assume, also by way of other roles: each step decided by the engine.

A step is shown with what the caller must bring (MFA, an external id, a token's subject): the smallest request that the
search finds. Session tags are not chosen on a role's behalf; a role calls with its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Final, Literal

from sts_emulator.analysis import callers
from sts_emulator.analysis import descriptions as words
from sts_emulator.analysis.callers import Caller, Context
from sts_emulator.analysis.classes import classes, sessions_of
from sts_emulator.analysis.estate import Estate, Holder
from sts_emulator.analysis.search import BASE, Search, anything, applying, request
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.deciding.document import Document
from sts_emulator.policy.deciding.engine import PolicySet, decide
from sts_emulator.policy.deciding.matching import is_account
from sts_emulator.policy.federated import BUILT_IN, FederatedType, kind_of
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass

Kind = FederatedType | Literal["user", "role", "account", "anybody", "service"]

LONGEST_CHAIN: Final = 8
TRIES: Final = 1_500
"""Contexts that are tried before a principal is said to have no way in."""


@dataclass(frozen=True)
class Step:
    """One principal that can assume one role.

    `who` is an ARN, a service's name, or an account id, `whom` says in words which class of principals is meant where
    no instance is known; `brings` what it must bring, `when` the statement's conditions in words. `depends`: only if
    policies that are not known here allow it.
    """

    kind: Kind
    who: str
    role: str
    action: str
    brings: Mapping[str, tuple[str, ...]]
    when: tuple[str, ...]
    statement: str
    depends: bool = False
    whom: str = ""

    @property
    def key(self) -> tuple[Kind, str, str]:
        """What tells those who begin apart."""
        return self.kind, self.who, self.whom

    def to_json(self) -> dict[str, Json]:
        """The step as JSON data."""
        return {
            "kind": self.kind,
            "who": self.who,
            "whom": self.whom,
            "role": self.role,
            "action": self.action,
            "brings": {key: list(values) for key, values in self.brings.items()},
            "when": list(self.when),
            "statement": self.statement,
            "depends_on_unknown_policies": self.depends,
        }


@dataclass(frozen=True)
class Way:
    """How somebody gets to a role: the steps in order; the last one is into the role."""

    steps: tuple[Step, ...]

    @property
    def origin(self) -> Step:
        """The first step, which says who begins."""
        return self.steps[0]

    @property
    def role(self) -> str:
        """Where it leads."""
        return self.steps[-1].role

    def to_json(self) -> dict[str, Json]:
        """The way as JSON data."""
        return {
            "who": self.origin.who,
            "kind": self.origin.kind,
            "role": self.role,
            "steps": [s.to_json() for s in self.steps],
        }


class Reach:
    """Answers about one estate; `given` are condition keys that hold whatever a policy asks."""

    def __init__(self, estate: Estate, given: Context | None = None) -> None:
        self._estate = estate
        self._given = dict(given or {})

    # -- questions ----------------------------------------------------------------------------------------------------

    def who_can(self, role_arn: str, *, chains: bool = True) -> list[Way]:
        """The ways into a role, the shortest for each origin; direct ones first."""
        ways: list[Way] = []
        seen = {role_arn}
        front = [Way((step,)) for step in self.into(role_arn)]
        known = {way.origin.key for way in front}
        for _ in range(LONGEST_CHAIN):
            ways += front
            if not chains:
                break
            following: list[Way] = []
            for way in front:
                origin = way.origin
                if origin.kind == "role" and origin.who not in seen and origin.who in self._estate.roles:
                    seen.add(origin.who)
                    for step in self.into(origin.who, known):
                        following.append(Way((step, *way.steps)))
                        known.add(step.key)
            front = following
            if not front:
                break
        return ways

    def what_can(self, who: str, *, chains: bool = True) -> list[Way]:
        """The roles that a principal can get to, the shortest way to each."""
        ways: list[Way] = []
        seen: set[str] = {who}
        front = [Way((step,)) for step in self.out_of(who)]
        for _ in range(LONGEST_CHAIN):
            front = [way for way in front if way.role not in seen and not seen.add(way.role)]  # type: ignore[func-returns-value]  # add() says nothing, which is falsy
            ways += front
            if not chains or not front:
                break
            front = [Way((*way.steps, step)) for way in front for step in self.out_of(way.role, seen)]
        return ways

    # -- one step -----------------------------------------------------------------------------------------------------

    def into(self, role_arn: str, known: Collection[tuple[Kind, str, str]] = ()) -> Iterator[Step]:
        """Who can assume a role directly, but for those of whom a way is known already."""
        role = self._estate.roles[role_arn]
        trust = self._estate.shown_trust(role)
        seen: set[tuple[Kind, str, str]] = {*known}
        for statement in trust.allows:
            entries = statement.principals.entries if statement.principals else ()
            for kind, text in entries if not statement.not_principal else (("AWS", "*"),):
                for step in self._named(role, kind, text, seen):
                    if step.key not in seen:
                        seen.add(step.key)
                        yield step

    def _named(
        self, role: Mapping[str, object], kind: str, text: str, seen: Collection[tuple[Kind, str, str]]
    ) -> Iterator[Step]:
        estate = self._estate
        if kind in ("Federated", "Service"):
            caller = callers.federated(text) if kind == "Federated" else callers.service(text)
            yield from self._made_up(role, caller, "service" if kind == "Service" else kind_of(text).type)
        elif text == "*":
            for arn in estate.of_account(""):
                if _key(arn) not in seen:
                    yield from self._held(role, arn)
            yield from self._classes(role, "")
        elif is_account(text):
            account = text if ":" not in text else account_in(text)
            there = False
            for arn in estate.permitted(str(role["arn"]), account):
                there = there or _key(arn) in seen
                for step in self._held(role, arn) if _key(arn) not in seen else ():
                    there = True
                    yield step
            if not there and account not in estate.whole:
                yield from self._classes(role, account)
        elif _key(_without_session(text)) not in seen:
            yield from self._held(role, _without_session(text))

    def _classes(self, role: Mapping[str, object], account: str) -> Iterator[Step]:
        """The classes of principals of an account, or of any, that are let in; of those that overlap the widest."""
        estate = self._estate
        let_in: set[tuple[str, str]] = set()
        for group in classes(estate.shown_trust(role), account):
            owner = group.caller.principal.account
            if group.arn in estate.roles or group.arn in estate.users or (group.kind, owner) in let_in:
                continue
            caller = estate.class_caller(group.caller)
            kind: Kind = "account" if account else "anybody"
            for step in self._made_up(role, caller, kind, account or "*", owner):
                let_in.add((group.kind, owner))
                let_in |= {("named", owner)} if group.kind == "any" else set()
                whole = (group.arn, "") if group.arn else (step.who, group.words)
                yield replace(step, who=whole[0], whom=whole[1])
            if ("any", owner) in let_in and (account or owner == callers.FOREIGN):
                return

    def out_of(self, who: str, known: Collection[str] = ()) -> Iterator[Step]:
        """Which roles but those that are known a principal can assume directly.

        It is an ARN of the estate, a provider, a service or an account.
        """
        estate, trusting = self._estate, self._estate.trusting
        holder = estate.holder(who)
        if holder is not None:
            others = [arn for arn in trusting.get(holder.stored["account"], ()) if arn not in known]
            asked = [arn for arn in others if estate.may(who, arn)] if estate.may_any(who) else []
            named = [arn for name in (who, "*", *self._session_names(who)) for arn in trusting.get(name, ())]
            for arn in dict.fromkeys((*named, *asked)):
                if arn not in known:
                    yield from self._held(estate.roles[arn], who, holder)
            return
        if who.isdigit():
            for arn in dict.fromkeys((*trusting.get(who, ()), *trusting.get("*", ()))):
                yield from self._classes(estate.roles[arn], who)
            return
        is_provider = ":" in who or who in BUILT_IN
        caller = callers.federated(who) if is_provider else callers.service(who)
        kind: Kind = kind_of(who).type if is_provider else "service"
        for arn in trusting.get(who, ()):
            yield from self._made_up(estate.roles[arn], caller, kind, who)

    def _session_names(self, arn: str) -> list[str]:
        role = arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        return [name for name in self._estate.trusted_sessions if name.startswith(f"{role}/")]

    def _held(self, role: Mapping[str, object], who: str, known: Holder | None = None) -> Iterator[Step]:
        """A user or role of the estate, as far as its own policies are known."""
        holder = known or self._estate.holder(who)
        if holder is None:
            return
        if holder.arn == role["arn"] and not _names_itself(self._estate.shown_trust(role), holder.arn):
            return
        policies = self._estate.policies(role, holder)
        kind: Kind = "user" if holder.caller.principal.type == "user" else "role"
        own = (*holder.identity, holder.boundary) if holder.boundary else holder.identity
        for caller in sessions_of(holder.caller, self._estate.shown_trust(role)):
            answer = self._first(role, caller, policies, own)
            if answer is not None:
                yield self._step(role, caller, kind, holder.arn, answer, depends=holder.is_assumed)
                return

    def _made_up(
        self, role: Mapping[str, object], caller: Caller, kind: Kind, who: str = "", account: str = ""
    ) -> Iterator[Step]:
        """Somebody of whom only the name is known: what its own policies say is taken to be yes."""
        policies = self._estate.policies(role, None, (anything(),), account)
        answer = self._first(role, caller, policies, ())
        if answer is not None:
            depends = kind in ("account", "anybody")
            yield self._step(role, caller, kind, who or caller.named, answer, depends=depends)

    def _first(
        self, role: Mapping[str, object], caller: Caller, policies: PolicySet, own: tuple[Document, ...]
    ) -> tuple[Search, Context] | None:
        """The smallest context of the first that is allowed, or None."""
        assert policies.trust is not None  # every role has one
        action, arn = caller.action, str(role["arn"])
        speaking = [document for document in own if _speaks_of(document, action, arn)]
        search = Search([policies.trust, *speaking], self._estate.world.now())
        base = {**BASE, **self._estate.resource_keys(role), **self._given}

        def holds(context: Context) -> bool:
            return decide(request(caller, action, arn, {**context, **self._given}), policies).allowed

        for number, context in enumerate(search.contexts(caller, action, base)):
            if holds(context):
                return search, search.smallest(context, caller, action, holds)
            if number >= TRIES:
                break
        return None

    def _step(
        self,
        role: Mapping[str, object],
        caller: Caller,
        kind: Kind,
        who: str,
        answer: tuple[Search, Context],
        *,
        depends: bool,
    ) -> Step:
        search, context = answer
        asked = request(caller, caller.action, str(role["arn"]), {**context, **self._given})
        statement = applying(self._estate.trust(role), asked, "Allow")
        when, place = (words.conditions(statement), statement.label) if statement else ((), "")
        brought = search.chosen(context, caller, caller.action)
        plain = {**BASE, **search.clock}
        brings = {key: values for key, values in brought.items() if plain.get(key.lower()) != values}
        return Step(kind, who, str(role["arn"]), caller.action, brings, when, place, depends)


def _key(arn: str) -> tuple[Kind, str, str]:
    """As Step.key has it."""
    return ("user" if ":user/" in arn else "role"), arn, ""


def _speaks_of(document: Document, action: str, role_arn: str) -> bool:
    """Whether any statement of an identity policy concerns an action on a role, whatever its conditions."""
    lowered = action.lower()
    return any(
        statement.conditions
        and statement.actions.match(lowered) is not statement.not_action
        and statement.resources is not None
        and statement.resources.match(role_arn, {}) is not statement.not_resource
        for statement in document.statements
    )


def _names_itself(trust: Document, arn: str) -> bool:
    """Whether a role's trust names the role itself, without which it may not assume itself since 2023."""
    return any(
        arn in {text for _, text in statement.principals.entries} for statement in trust.allows if statement.principals
    )


def _without_session(arn: str) -> str:
    """The role of a session's ARN, as far as that tells it; other ARNs as they are."""
    if ":assumed-role/" not in arn:
        return arn
    return arn.replace(":sts:", ":iam:").replace(":assumed-role/", ":role/").rpartition("/")[0]
