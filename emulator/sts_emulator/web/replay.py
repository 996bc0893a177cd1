"""An attempt's question asked again with a change: who asks, with which keys, of which policies, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sts_emulator.core import clock
from sts_emulator.core.errors import AwsError
from sts_emulator.pages.routes import page
from sts_emulator.pages.visit import Visit
from sts_emulator.policy.deciding.document import Document, MalformedPolicy, parse
from sts_emulator.policy.deciding.engine import PolicySet, Principal, Request
from sts_emulator.policy.deciding.matching import CALLER_TYPES
from sts_emulator.policy.explaining.explain import Explanation, explain
from sts_emulator.policy.explaining.report import VERDICTS
from sts_emulator.policy.explaining.single_changes import State
from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.vending import denials, questions
from sts_emulator.vending.context import Consulted
from sts_emulator.web import again, copies
from sts_emulator.web.attempt import found, layers
from sts_emulator.web.attempts import Attempt, attempt
from sts_emulator.web.differences import differences
from sts_emulator.web.frame import refused, view
from sts_emulator.web.proofs import exchange_of, lifetime, shown_exchange
from sts_emulator.wire.http import Response

CURRENT: Final = ("aws:currenttime", "aws:epochtime")
MOST_KEYS: Final = 500
_MEMBERS: Final = ("value", "account", "role_arn", "user_arn", "id")


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the names behind the unique ids in its trust policy."""

    consulted: Consulted
    names: Mapping[str, str]

    @property
    def state(self) -> State:
        """What can be changed of it."""
        return State(self.consulted.request, self.consulted.policies)

    def texts(self, state: State) -> dict[str, str]:
        """Its documents by uri, as they are shown."""
        consulted = Consulted(state.request, state.policies, self.consulted.decision)
        return {policy["uri"]: policy["text"] for policy in denials.policies(consulted, self.names)}


class WrongChange(ValueError):  # noqa: N818 # it is the visitor's mistake: its text is shown beside the form
    """A change that cannot be asked about."""


@page("GET", "/_emulator/attempts/{identifier}/replay", refusal=refused, own=True)
async def show(visit: Visit, identifier: str) -> Response:
    """The question as it was put, or with one of the changes that would allow it."""
    question = _question(visit, identifier, visit.query.get("question", "0"))
    state = question.state
    if "change" in visit.query:
        state = await asyncio.to_thread(_mended, question, visit.query["change"])
    return await _page(visit, identifier, question, state, answered="change" in visit.query)


@page("POST", "/_emulator/attempts/{identifier}/replay", refusal=refused, own=True)
async def ask(visit: Visit, identifier: str) -> Response:
    """The question as the form has it."""
    posted = visit.posted
    question = _question(visit, identifier, posted.get("question", "0"))
    try:
        state = _changed(question, posted)
    except WrongChange as wrong:
        return await _page(visit, identifier, question, question.state, answered=False, wrong=str(wrong), posted=posted)
    return await _page(visit, identifier, question, state, answered=True, posted=posted)


def _question(visit: Visit, identifier: str, number: str) -> Question:
    decisions = found(visit, identifier).record()["additionalEventData"]["decisions"]
    if not (number.isascii() and number.isdigit() and int(number[:6]) < len(decisions)):
        raise AwsError("NotFound", "That attempt put no such question to the policy engine.", status=404)
    kept = decisions[int(number)]
    if "explanation" in kept:
        raise AwsError("Refused", "That attempt is from before questions were kept.", status=400)
    return Question(questions.restored(kept), kept.get("names", {}))


def _mended(question: Question, change: str) -> State:
    state = question.state
    changes = explain(state.request, state.policies, question.names).remedy.changes
    if not (change.isascii() and change.isdigit() and int(change[:6]) < len(changes)):
        raise AwsError("NotFound", "There is no such change.", status=404)
    for edit in changes[int(change)].edits:
        state = edit.apply(state)
    return state


# -- the form --------------------------------------------------------------------------------------------------------


def _changed(question: Question, posted: Mapping[str, str]) -> State:
    request, policies = question.state
    kind = posted.get("type", request.principal.type)
    if kind not in CALLER_TYPES and kind != request.principal.type:
        raise WrongChange(f"`{kind[:80]}` is no type of caller; there are {', '.join(sorted(CALLER_TYPES))}")
    members = {name: posted.get(name, getattr(request.principal, name)).strip() for name in _MEMBERS}
    context = _context(posted.get("context", ""))
    if moment := posted.get("clock", "").strip():
        context = {**context, **_moment(moment)}
    principal = Principal(kind, **members)
    asked = Request(
        posted.get("action", request.action).strip(),
        posted.get("resource", request.resource).strip(),
        principal,
        context,
    )
    return State(asked, _policies(question, policies, posted))


def _context(text: str) -> dict[str, tuple[str, ...]]:
    """`key = value` a line; a key on several lines has several values."""
    context: dict[str, tuple[str, ...]] = {}
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > MOST_KEYS:
        raise WrongChange(f"more than {MOST_KEYS} lines of context")
    for line in lines:
        key, equals, value = line.partition("=")
        if not equals or not key.strip():
            raise WrongChange(f"`{line[:120]}`: write `key = value`")
        name = key.strip().lower()
        context[name] = (*context.get(name, ()), value.strip())
    return context


def _moment(text: str) -> dict[str, tuple[str, ...]]:
    try:
        at = clock.parse_iso(text)
        return dict(zip(CURRENT, ((clock.iso(at),), (str(int(at)),)), strict=True))
    except (ValueError, OverflowError, OSError):
        raise WrongChange(f"`{text[:80]}` is no time such as 2026-11-23T20:00:00Z") from None


def _policies(question: Question, policies: PolicySet, posted: Mapping[str, str]) -> PolicySet:
    """The documents as the form has them; one without text is left out."""
    shown = question.texts(question.state)

    def read(uri: str, document: Document) -> Iterator[Document]:
        text = posted.get(f"policy {uri}", shown[uri])
        if text.replace("\r\n", "\n").strip() == shown[uri].replace("\r\n", "\n").strip():
            yield document  # as it is stored, with unique ids
        elif text.strip():
            try:
                yield parse(text)
            except MalformedPolicy as wrong:
                raise WrongChange(f"{uri}: {wrong.message}") from None

    def several(layer: str, documents: tuple[Document, ...], level: int = 0) -> tuple[Document, ...]:
        return tuple(
            kept
            for index, document in enumerate(documents)
            for kept in read(denials.policy_uri(layer, level, index), document)
        )

    def single(layer: str, document: Document | None) -> Document | None:
        return None if document is None else next(read(denials.policy_uri(layer, 0, 0), document), None)

    return replace(
        policies,
        trust=single("trust", policies.trust),
        identity=several("identity", policies.identity),
        boundary=single("boundary", policies.boundary),
        session=None if policies.session is None else several("session", policies.session),
        scps=tuple(several("scp", level, number) for number, level in enumerate(policies.scps)),
        rcps=tuple(several("rcp", level, number) for number, level in enumerate(policies.rcps)),
    )


# -- the answer ------------------------------------------------------------------------------------------------------


async def _page(
    visit: Visit,
    identifier: str,
    question: Question,
    state: State,
    *,
    answered: bool,
    wrong: str = "",
    posted: Mapping[str, str] | None = None,
) -> Response:
    posted = posted or {}
    before = await asyncio.to_thread(_explained, question, question.state)
    after = await asyncio.to_thread(_explained, question, state) if answered else before
    texts, told = question.texts(state), after.to_json()
    shown = {uri: posted.get(f"policy {uri}", texts.get(uri, "")) for uri in question.texts(question.state)}
    context = "\n".join(f"{key} = {value}" for key, values in state.request.context.items() for value in values)
    known = attempt(found(visit, identifier))
    return view(
        visit,
        "replay.html",
        "",
        status=400 if wrong else 200,
        attempt=known,
        number=posted.get("question") or visit.query.get("question", "0"),
        wrong=wrong,
        answered=answered,
        request=state.request,
        members={name: posted.get(name, getattr(state.request.principal, name)) for name in _MEMBERS},
        types=sorted({*CALLER_TYPES, state.request.principal.type}),
        context=posted.get("context", context) if wrong else context,
        clock=posted.get("clock", "") if wrong else "",
        now=clock.iso(visit.world.now()),
        policies=shown,
        before=VERDICTS[before.decision.verdict],
        after=VERDICTS[after.decision.verdict],
        is_allowed=after.decision.allowed,
        differences=differences(before.to_json(), told),
        layers=list(layers(told, texts, "after")),
        changes=told["changes"],
        proof=_proof(visit, known.id, state.request),
        copies=_copies(visit, known, question, state, after) if answered else {},
    )


def _copies(visit: Visit, known: Attempt, question: Question, state: State, after: Explanation) -> dict[str, str]:
    """The replay to take away: the call with the change where a call carries it, and the expectation."""
    call = again.of_attempt(visit.world, known, shown_exchange(visit, known.id))
    copied: dict[str, str] = {}
    if call is not None:
        before, now = question.texts(question.state), question.texts(state)
        texts = {uri: now.get(uri, "") for uri in before if now.get(uri, "") != before[uri]}
        changed = again.replayed(call, visit.world, question.state, state, texts, allowed=after.decision.allowed)
        copied = copies.of_call(visit, changed)
    return copied | copies.of_question(visit.world, state.request, after.to_json())


def _explained(question: Question, state: State) -> Explanation:
    tree = explain(state.request, state.policies, question.names)
    _ = tree.remedy  # what takes time is done here, beside the loop
    return tree


def _proof(visit: Visit, identifier: str, request: Request) -> str:
    """What would become of the proof itself at the time that is asked about."""
    kept = exchange_of(visit.server, identifier)
    begins, ends = lifetime(kept.request) if kept else (None, None)
    try:
        at = float(request.context.get("aws:epochtime", ("",))[0])
    except ValueError:
        return ""
    if ends is not None and at >= ends:
        return f"At that time the token would be refused before any policy is asked: it is over at {clock.iso(ends)}."
    if begins is not None and at < begins:
        return f"At that time the token would be refused before any policy is asked: it begins at {clock.iso(begins)}."
    return ""
