"""The mutation score: which weakenings of the policies the expectations notice, and for the others what they miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from sts_emulator.accounts import documents
from sts_emulator.analysis.compare import Witness, compare
from sts_emulator.analysis.mutants import Mutant, mutants
from sts_emulator.analysis.suggest import suggestion
from sts_emulator.core.world import World
from sts_emulator.policy.deciding.document import Document, MalformedPolicy, parse
from sts_emulator.policy.json_types import Json
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.policy.saving.validate import validate
from sts_emulator.scenario import ScenarioError
from sts_emulator.scenario import parse as parse_scenario
from sts_emulator.scenario.expect import ALLOW, Expectation, Permission
from sts_emulator.scenario.judge import Outcome
from sts_emulator.scenario.policy_texts import Held, held
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.vending.context import Consulted

NOTICED: Final = "noticed"
REFUSED: Final = "refused"
EQUIVALENT: Final = "equivalent"
MISSED: Final = "missed"
MOST_AUDIENCES: Final = 3
"""Of one provider, that are tried."""


@dataclass(frozen=True, slots=True)
class Mutated:
    """What became of one mutant.

    `outcome` is noticed (by the expectation `by`), refused (IAM would not save it, for the reason `by`), equivalent (no
    request was found that gets further with it; `by` is what else stops it) or missed; then `suggestion` is the
    expectation that would notice it, tried where its caller exists.
    """

    label: str
    file: str
    line: int
    path: str
    words: str
    outcome: str
    by: str = ""
    suggestion: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """As JSON data."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "suggestion"} | {
            "suggestion": "\n".join(self.suggestion)
        }


def mutation(rehearsal: Rehearsal, outcomes: Sequence[Outcome]) -> Iterator[Mutated]:
    """Try every mutant of every policy that any expectation had a decision about.

    Expectations that do not come as expected anyway notice nothing.
    """
    asked = _by_document([outcome for outcome in outcomes if outcome.passed])
    for policy in held(rehearsal.world, rehearsal.scenario):
        text, shown = policy.text(rehearsal.world), policy.shown(rehearsal.world)
        if text is None or shown is None or text not in asked:
            continue
        for mutant in mutants(shown):
            yield _tried(rehearsal, policy, text, shown, mutant, asked[text])


def _by_document(outcomes: Sequence[Outcome]) -> dict[str, list[Expectation]]:
    documents: dict[str, dict[int, Expectation]] = {}
    for number, outcome in enumerate(outcomes):
        for consulted in outcome.decisions:
            for document in documents_of(consulted):
                documents.setdefault(document.text, {})[number] = outcome.expectation
    return {text: list(expectations.values()) for text, expectations in documents.items()}


def documents_of(consulted: Consulted) -> Iterator[Document]:
    """Every document that had a say in a decision."""
    policies = consulted.policies
    yield from (document for document in (policies.trust, policies.boundary) if document is not None)
    yield from policies.identity
    yield from policies.session or ()
    for level in (*policies.scps, *policies.rcps):
        yield from level


def _tried(
    rehearsal: Rehearsal, policy: Held, text: str, shown: str, mutant: Mutant, expectations: list[Expectation]
) -> Mutated:
    def told(outcome: str, by: str = "", suggested: tuple[str, ...] = ()) -> Mutated:
        line = policy.line(mutant.path)
        return Mutated(policy.label, policy.file, line, mutant.path, mutant.words, outcome, by, suggested)

    try:
        validate(policy.kind, mutant.text, quota=len(mutant.text))
    except MalformedPolicy as refused:
        return told(REFUSED, refused.message)
    policy.replace(rehearsal.world, mutant.text)
    try:
        for expectation in expectations:
            if not rehearsal.outcome(expectation).passed:
                return told(NOTICED, expectation.title)
        if policy.kind != "trust":
            return told(MISSED, "", _elsewhere(rehearsal, expectations))
        return told(*_missed(rehearsal, policy, shown, mutant))
    finally:
        policy.put(rehearsal.world, text)


_OTHER: Final = "something-else"


def _elsewhere(rehearsal: Rehearsal, expectations: list[Expectation]) -> tuple[str, ...]:
    """The expectation that would notice what a permission now reaches: an allowed one's, of another resource."""
    for expectation in expectations:
        if expectation.may is None or expectation.result != ALLOW:
            continue
        head, colon, _ = expectation.may.resource.rpartition(":")
        elsewhere = Permission(expectation.may.action, f"{head}{colon}{_OTHER}")
        if rehearsal.outcome(replace(expectation, may=elsewhere, because=None)).verdict == ALLOW:
            words = f"{elsewhere.action} on {elsewhere.resource}"
            return (f"# like `{expectation.title}`, but", f'- {{may: "{words}", result: deny, …}}')
    return ()


def _missed(rehearsal: Rehearsal, policy: Held, shown: str, mutant: Mutant) -> tuple[str, str, tuple[str, ...]]:
    """Whether what no expectation noticed can be noticed at all, and by which one."""
    why = ""
    unsure: tuple[str, ...] = ()
    for witness in _gaining(rehearsal.world, parse(shown), parse(mutant.text), policy.role_arn):
        lines = tuple(suggestion(witness, rehearsal.world))
        try:
            expectation = parse_scenario("\n".join(["expect:", *lines])).expect[0]
            outcome = rehearsal.outcome(expectation)
        except ScenarioError:  # the caller stands for others, and is not one of the scenario's
            unsure = unsure or lines
            continue
        if outcome.verdict == ALLOW:
            return MISSED, "", lines
        why = f"{outcome.error.code}: {outcome.error.message}" if outcome.error else ""
    return (MISSED, "", unsure) if unsure else (EQUIVALENT, why, ())


def _gaining(world: World, old: Document, new: Document, role_arn: str) -> Iterator[Witness]:
    """Who gains: as they come, and with tokens for the audiences that the world's providers take.

    A witness whose token the provider refuses says nothing about the policy.
    """
    gains = [witness for witness in compare(old, new, role_arn) if witness.direction == "gains"]
    yield from gains
    for provider in world.page(documents.OIDC_PROVIDER) if gains else ():
        for audience in provider["client_ids"][:MOST_AUDIENCES]:
            given = {f"{provider['url']}:aud".lower(): (audience,)}
            again = compare(old, new, role_arn, given)
            yield from (witness for witness in again if witness.direction == "gains" and witness not in gains)
