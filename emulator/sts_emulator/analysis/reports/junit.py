"""JUnit XML, which every CI server reads: a suite a file, a case an expectation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

from sts_emulator.analysis.trials import Case, Trial


def junit(trials: Sequence[Trial]) -> str:
    """The trials as one document."""
    return "\n".join(_document(trials)) + "\n"


def _document(trials: Sequence[Trial]) -> Iterator[str]:
    tests = sum(len(trial.cases) + bool(trial.problems) for trial in trials)
    failures, errors = sum(trial.failed for trial in trials), sum(bool(trial.problems) for trial in trials)
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites name="sts-emulator" tests="{tests}" failures="{failures}" errors="{errors}">'
    for trial in trials:
        yield from _suite(trial)
    yield "</testsuites>"


def _suite(trial: Trial) -> Iterator[str]:
    tests, errors = len(trial.cases) + bool(trial.problems), int(bool(trial.problems))
    name = quoteattr(_clean(trial.file))
    yield f'  <testsuite name={name} tests="{tests}" failures="{trial.failed}" errors="{errors}">'
    if trial.problems:
        told = "\n".join(map(str, trial.problems))
        yield f'    <testcase classname={name} name="can be used">'
        message = quoteattr(_clean(trial.problems[0].message))
        yield f'      <error type="unusable" message={message}>{_text(told)}</error>'
        yield "    </testcase>"
    for case in trial.cases:
        yield from _case(trial, case)
    yield "  </testsuite>"


def _case(trial: Trial, case: Case) -> Iterator[str]:
    place = f'file={quoteattr(_clean(case.file))} line="{case.line}"'
    opening = f"    <testcase classname={quoteattr(_clean(trial.file))} name={quoteattr(_clean(case.title))} {place}"
    if case.passed:
        yield f"{opening}/>"
        return
    told = "\n".join((f"{case.file}:{case.line}: {case.mismatch}", *case.tree))
    yield f"{opening}>"
    yield f'      <failure type="expectation" message={quoteattr(_clean(case.mismatch))}>{_text(told)}</failure>'
    yield "    </testcase>"


def _text(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold."""
    return "".join(
        character if character in "\t\n" or (character >= " " and character not in "\ufffe\uffff") else "\ufffd"
        for character in text
    )
