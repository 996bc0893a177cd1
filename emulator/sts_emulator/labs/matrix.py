"""Which method fits a situation, and why not the others: questions, reasons and situations, read from `matrix.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from sts_emulator.policy.light_dataclass import dataclass
from sts_emulator.scenario.load import load

_FILE: Final = Path(__file__).with_name("matrix.yaml")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a question: it leads to the question `next`, or to `method`."""

    means: str
    next: str = ""
    method: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and its closed set of answers by name."""

    name: str
    ask: str
    answers: Mapping[str, Answer]


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason, and to which questions it needs which answers."""

    because: str
    when: Mapping[str, str]

    def counts(self, answers: Mapping[str, str]) -> bool:
        return self.when.items() <= answers.items()


@dataclass(frozen=True, slots=True)
class Method:
    """A way to get credentials: what it is called, what proves who somebody is, and what speaks for and against it."""

    name: str
    title: str
    proof: str
    page: str
    lab: str
    care: str
    pro: tuple[Reason, ...]
    contra: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What comes up at work, how the questions are answered there, and which method fits."""

    name: str
    told: str
    answers: Mapping[str, str]
    method: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The method that fits what was answered, the argument for it and, by method, against each of the others."""

    answers: Mapping[str, str]
    method: Method
    because: str
    notes: tuple[str, ...]
    others: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Matrix:
    """All of it; `begin` names the first question."""

    begin: str
    questions: Mapping[str, Question]
    methods: Mapping[str, Method]
    situations: Mapping[str, Situation]

    def choose(self, answers: Mapping[str, str]) -> Choice | Question:
        """What fits, or the first question that is open. What was answered without being asked does not count."""
        given: dict[str, str] = {}
        notes: list[str] = []
        name = self.begin
        while name:
            question = self.questions[name]
            if name not in answers:
                return question
            given[name] = answers[name]
            answer = question.answers[answers[name]]
            notes += [answer.note] if answer.note else []
            name = answer.next
        return self._argued(given, self.methods[answer.method], notes)

    def paths(self, given: Mapping[str, str] | None = None) -> Iterator[Choice]:
        """Every choice that the questions lead to."""
        given = given or {}
        chosen = self.choose(given)
        if isinstance(chosen, Choice):
            yield chosen
            return
        for answer in chosen.answers:
            yield from self.paths({**given, chosen.name: answer})

    def _argued(self, given: Mapping[str, str], method: Method, notes: list[str]) -> Choice:
        others = {
            other.name: _first(other.contra, given) for other in self.methods.values() if other.name != method.name
        }
        return Choice(given, method, _first(method.pro, given), tuple(notes), others)


@cache
def matrix() -> Matrix:
    """The one that comes with the package."""
    told: Any = load(_FILE.read_bytes(), _FILE.name).plain()
    return Matrix(
        begin=told["begin"],
        questions={
            name: Question(name, row["ask"], {answer: Answer(**ends) for answer, ends in row["answers"].items()})
            for name, row in told["questions"].items()
        },
        methods={name: _method(name, row) for name, row in told["methods"].items()},
        situations={name: Situation(name, **row) for name, row in told["situations"].items()},
    )


def _method(name: str, row: Mapping[str, Any]) -> Method:
    said = {part: row[part] for part in ("title", "proof", "page", "lab", "care")}
    return Method(name, **said, pro=_reasons(row["for"]), contra=_reasons(row["against"]))


def _reasons(rows: list[dict[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(row["because"], row.get("when") or {}) for row in rows)


def _first(reasons: tuple[Reason, ...], answers: Mapping[str, str]) -> str:
    """The first that counts; the last of each list counts always, which a test holds."""
    return next(reason.because for reason in reasons if reason.counts(answers))
