"""Proves a lab: unsolved at its start, solved by its own solution, its hints true, its wrong ways refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

from sts_emulator.labs import shelf
from sts_emulator.labs.hands import Hands
from sts_emulator.labs.lab import Lab
from sts_emulator.policy.json_types import Json

_SECRET = re.compile(r"\b(?:secret|password): *[^,}\n]+(?:\}\}[^,}\n]*)?")


class Learner(Protocol):
    """Whoever does labs in a world: see cli.learner."""

    def start(self, lab: str) -> dict[str, Json]:
        """Begin it; what it tells then."""

    def predict(self, lab: str, step: str, answer: str, layer: str) -> dict[str, Any]:
        """Predict."""

    def check(self, lab: str) -> dict[str, Any]:
        """Check it: `checks`, `solved`, and what it tells then in `told`."""

    def read(self, lab: str) -> dict[str, Any]:
        """What it tells."""

    def values(self, lab: str) -> dict[str, str]:
        """The values of its placeholders."""

    def hands(self, lab: str) -> Hands:
        """Hands in the world."""

    def untrue(self, lab: str, *, solved: bool) -> list[str]:
        """What its hints say that is not so."""


def solve(learner: Learner, lab: str, tell: object = lambda _: None) -> None:
    """Do a lab that has begun, step by step, and say what is done (`tell(step)`)."""
    read = shelf.lab(lab, learner.values(lab))
    with closing(learner.hands(lab)) as hands:
        _walk(hands, lab, read, tell=tell)


def _walk(hands: Hands, lab: str, read: Lab, *, instead: str = "", way: str = "", tell: Any = lambda _: None) -> None:
    for name, step in read.steps.items():
        tell(step)
        if function := shelf.function(lab, way if name == instead else name):
            function(hands)


def faults(learner: Learner, name: str) -> Iterator[str]:
    """What is wrong with a lab, in lines; nothing, when all that it says is so.

    Raises:
        ScenarioError: its file, or its scenario, cannot be read.
    """
    yield from _unwritten(name)
    learner.start(name)
    read = shelf.lab(name, learner.values(name))
    if learner.check(name)["solved"]:
        yield "it is solved before anything was done"
    yield from (f"not so at the start: {wrong}" for wrong in learner.untrue(name, solved=False))
    with closing(learner.hands(name)) as hands:
        yield from _solved(learner, hands, name, read)
    yield from (f"not so when it is solved: {wrong}" for wrong in learner.untrue(name, solved=True))
    for way in read.wrong:
        yield from _refused(learner, name, way)


def _unwritten(name: str) -> Iterator[str]:
    """Functions that are named and missing, and placeholders that nothing fills."""
    lab = shelf.lab(name)
    steps = [step for step, there in lab.steps.items() if there.commands or there.solution]
    for wanted in (*lab.checks, *lab.wrong, *steps, *(claim for hint in lab.hints for claim in hint.so)):
        if shelf.function(name, wanted) is None:
            yield f"{lab.module}.py has no function `{wanted.replace('-', '_')}`"
    texts = [lab.story, lab.learned, *(hint.text for hint in lab.hints), *lab.environment.values(), *lab.buckets]
    for step in lab.steps.values():
        texts += [step.text, step.commands, step.solution]
    yield from (f"nothing fills {place}" for text in texts for place in shelf.unfilled(text))
    for told in _SECRET.finditer(shelf.scenario(name, shelf.UNFILLED)):
        if f"{{{{{shelf.SECRET}}}}}" not in told[0]:
            yield f"scenario.yaml: `{told[0].strip()}` is the same in all worlds: write {{{{{shelf.SECRET}}}}} into it"


def _solved(learner: Learner, hands: Hands, name: str, read: Lab) -> Iterator[str]:
    """Walk the whole way, predicting what the lab says is right."""
    for step_name, step in read.steps.items():
        if step.predict is not None:
            learner.predict(name, step_name, step.predict.answer, step.predict.layer or "")
        if function := shelf.function(name, step_name):
            function(hands)
        if step.predict is not None:
            told = next(told for told in learner.read(name)["steps"] if told["name"] == step_name)["prediction"]
            if told["score"] != "right":
                yield f"step {step_name}: the answer is said to be `{step.predict.answer}`, but it is {told['score']}"
    for check in learner.check(name)["checks"]:
        if not check["is_passed"]:
            yield f"its own solution does not pass `{check['name']}`: {check['wrong']}"


def _refused(learner: Learner, name: str, way: str) -> Iterator[str]:
    learner.start(name)
    read = shelf.lab(name, learner.values(name))
    wrong = read.wrong[way]
    with closing(learner.hands(name)) as hands:
        _walk(hands, name, read, instead=wrong.instead, way=way)
    if next(check for check in learner.check(name)["checks"] if check["name"] == wrong.refused_by)["is_passed"]:
        yield f"the wrong way `{way}` passes `{wrong.refused_by}`"
