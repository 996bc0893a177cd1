"""`check`: tries what scenarios expect of themselves, without a server."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from sts_emulator.cli import inputs
from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json_format, counted, painted, patience
from sts_emulator.core.terminal import printable, printable_json

if TYPE_CHECKING:
    from sts_emulator.analysis.reports.message import Message
    from sts_emulator.analysis.trials import Plan, Trial
    from sts_emulator.scenario.judge import Outcome

FORMATS: Final = ("text", "json", "junit", "sarif", "github")
EPILOG = """\
examples:
  sts-emulator check                                 those in trust_policies/
  sts-emulator check --import plan.json access.yaml  a Terraform plan
  sts-emulator check --mutate --coverage             what nothing notices
  sts-emulator check --format github --report junit=results.xml

exit codes:
  0  all came as expected
  1  something did not, or a score is below --min-score or --min-coverage
  2  a file cannot be used, or none was named
"""


HELP = "try the expectations of scenarios, without a server"
DESCRIPTION = "Try every `expect:` entry of scenario files: allow or deny, and because of what."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: trust_policies)")
    parser.add_argument("--quiet", "-q", action="store_true", help="print failures and the count only")
    add_import_options(parser)
    deeper = parser.add_argument_group("how good the expectations are")
    deeper.add_argument("--mutate", action="store_true", help="weaken the policies and see which weakening is noticed")
    deeper.add_argument("--min-score", type=_percent, metavar="N", help="fail below N percent noticed (with --mutate)")
    deeper.add_argument("--coverage", action="store_true", help="say which statements and conditions were exercised")
    deeper.add_argument("--min-coverage", type=_percent, metavar="N", help="fail below N percent (with --coverage)")
    output = parser.add_argument_group("output")
    output.add_argument("--format", choices=FORMATS, default="text", help="of what is printed (default: text)")
    add_json_format(output)
    output.add_argument(
        "--report", action="append", default=[], metavar="FORMAT=FILE", help="write a report too; several times"
    )
    output.add_argument("--jobs", "-j", type=int, default=0, metavar="N", help="processes (default: one a processor)")


def add_import_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that say what is imported, and how."""
    group = parser.add_argument_group("imports")
    group.add_argument(
        "--import",
        dest="imports",
        action="append",
        default=[],
        metavar="FILE",
        help="a plan, template, account dump or policy that is there before each PATH; several times",
    )
    inputs.add_account_options(group)


def run(arguments: argparse.Namespace) -> int:
    """Print a line an expectation, the tree of each failure, and a count."""
    paths, plan = inputs.scenario_files(arguments.paths), _plan(arguments)
    reports = [_report(report) for report in arguments.report]
    text = arguments.format == "text"
    trials: list[Trial] = []
    with _Progress(len(paths)) as told:
        for trial in _trials(paths, plan, arguments.jobs):
            trials.append(trial)
            told(trial)
            if text:
                _print_trial(trial, quiet=arguments.quiet, told=told)
    for form, file in reports:
        _write(file, _FORMATS[form](trials))
    if text:
        print("\n".join(_summary(trials, arguments)))
    else:
        print(_FORMATS[arguments.format](trials), end="")
    return _code(trials, arguments)


def _plan(arguments: argparse.Namespace) -> Plan:
    from sts_emulator.analysis.trials import Plan

    account, parameters = inputs.account_options(arguments)
    return Plan(
        imports=tuple(Path(file) for file in arguments.imports),
        account=account,
        parameters=parameters,
        mutate=arguments.mutate or arguments.min_score is not None,
        coverage=arguments.coverage or arguments.min_coverage is not None,
    )


def _percent(text: str) -> float:
    value = float(text.removesuffix("%"))
    if not 0 <= value <= 100:  # noqa: PLR2004 - percent
        raise argparse.ArgumentTypeError("must be from 0 to 100")
    return value


def _report(text: str) -> tuple[str, Path]:
    form, equals, file = text.partition("=")
    if not equals or form not in FORMATS or not file:
        raise CommandError(f"--report takes FORMAT=FILE with one of {', '.join(FORMATS)}, got `{text}`", UNUSABLE)
    return form, Path(file)


def _write(file: Path, text: str) -> None:
    with inputs.file_trouble(file, "cannot be written"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


# -- trying ----------------------------------------------------------------------------------------------------------


def _trials(paths: Sequence[Path], plan: Plan, jobs: int) -> Iterator[Trial]:
    """What came of each file, in order; in several processes when there is enough to do for them."""
    from sts_emulator.analysis.parallel import spread
    from sts_emulator.analysis.trials import try_file

    if len(paths) == 1:  # which has no progress of its own to show
        with patience("trying expectations"):
            tried = [try_file(paths[0], plan)]
        yield from tried
    else:
        yield from spread(try_file, paths, plan, jobs=jobs)


class _Progress:
    """A line on a terminal's standard error that says how far it is; nothing elsewhere."""

    _WIDTH = 28

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = self._tried = self._failed = 0
        self._shown = sys.stderr.isatty() and total > 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __call__(self, trial: Trial) -> None:
        self._done += 1
        self._tried += len(trial.cases)
        self._failed += trial.failed + bool(trial.problems)
        if self._shown:
            full = self._WIDTH * self._done // self._total
            bar = "█" * full + "░" * (self._WIDTH - full)
            failed = f" · {self._failed} failed" if self._failed else ""
            told = f"{bar} {self._done}/{self._total} files · {counted(self._tried, 'expectation')}{failed}"
            print(f"\r\033[K{told}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


# -- telling ---------------------------------------------------------------------------------------------------------


def _print_trial(trial: Trial, *, quiet: bool, told: _Progress) -> None:
    lines = list(_lines(trial, quiet=quiet))
    if lines:
        told.clear()
        print(painted("\n".join(map(printable, lines))))


def _lines(trial: Trial, *, quiet: bool) -> Iterator[str]:
    if trial.problems:
        yield from map(str, trial.problems)
        return
    if not quiet:
        yield trial.file
        yield from (f"  · {line}" for line in trial.imported)
        yield from (f"  · {line}" for line in trial.notes)
    for case in trial.cases:
        if not case.passed:
            yield f"  ✗ {case.title}"
            yield f"    {case.file}:{case.line}: {case.mismatch}"
            yield from (f"    {line}" for line in case.tree)
        elif not quiet:
            yield f"  ✓ {case.title}"
    yield from _mutation_lines(trial)
    yield from _coverage_lines(trial)


def _mutation_lines(trial: Trial) -> Iterator[str]:
    for mutant in trial.mutated:
        if mutant.outcome == "missed":
            yield f"  ~ {mutant.file}:{mutant.line}: {mutant.label}: nothing notices: {mutant.words}"
            yield from (f"      {line}" for line in mutant.suggestion)


def _coverage_lines(trial: Trial) -> Iterator[str]:
    for covered in trial.covered:
        if not covered.times:
            yield f"  ○ {covered.file}:{covered.line}: {covered.label}: never: {covered.words}"


def _summary(trials: Sequence[Trial], arguments: argparse.Namespace) -> Iterator[str]:
    cases, failed = sum(len(trial.cases) for trial in trials), sum(trial.failed for trial in trials)
    unusable = sum(bool(trial.problems) for trial in trials)
    if cases or not unusable:
        yield f"{counted(cases, 'expectation')}: {cases - failed} came as expected, {failed} did not"
    if arguments.mutate or arguments.min_score is not None:
        noticed, missed, other = _score(trials)
        told = f"{percent(noticed, noticed + missed):.0f} % of the weakenings noticed"
        yield f"{told}: {noticed} of {noticed + missed} ({other} more cannot do harm or would not be saved)"
    if arguments.coverage or arguments.min_coverage is not None:
        covered = [part.times > 0 for trial in trials for part in trial.covered]
        yield f"{percent(sum(covered), len(covered)):.0f} % of the policies exercised: {sum(covered)} of {len(covered)}"
    if unusable:
        yield f"{counted(unusable, 'file')} could not be used"


def _score(trials: Sequence[Trial]) -> tuple[int, int, int]:
    outcomes = [mutant.outcome for trial in trials for mutant in trial.mutated]
    noticed, missed = outcomes.count("noticed"), outcomes.count("missed")
    return noticed, missed, len(outcomes) - noticed - missed


def percent(part: int, whole: int) -> float:
    """A share in percent; of nothing it is all."""
    return 100 * part / whole if whole else 100.0


def _code(trials: Sequence[Trial], arguments: argparse.Namespace) -> int:
    if any(trial.problems for trial in trials):
        return UNUSABLE
    noticed, missed, _ = _score(trials)
    covered = [part.times > 0 for trial in trials for part in trial.covered]
    low = arguments.min_score is not None and percent(noticed, noticed + missed) < arguments.min_score
    low = low or (arguments.min_coverage is not None and percent(sum(covered), len(covered)) < arguments.min_coverage)
    return REFUSED if low or any(trial.failed for trial in trials) else 0


# -- formats ---------------------------------------------------------------------------------------------------------


def _as_json(trials: Sequence[Trial]) -> str:
    cases, failed = sum(len(trial.cases) for trial in trials), sum(trial.failed for trial in trials)
    files = [
        {
            "file": trial.file,
            "problems": [{"file": p.file, "line": p.line, "message": p.message} for p in trial.problems],
            "imported": list(trial.imported),
            "notes": list(trial.notes),
            "expectations": [case.to_json() for case in trial.cases],
            "mutants": [mutant.to_json() for mutant in trial.mutated],
            "coverage": [covered.to_json() for covered in trial.covered],
        }
        for trial in trials
    ]
    totals = {"expectations": cases, "failed": failed, "unusable": sum(bool(trial.problems) for trial in trials)}
    return printable_json({"schema": 1, "totals": totals, "files": files}) + "\n"


def _as_text(trials: Sequence[Trial]) -> str:
    return "\n".join(line for trial in trials for line in _lines(trial, quiet=False)) + "\n"


def _as_junit(trials: Sequence[Trial]) -> str:
    from sts_emulator.analysis.reports.junit import junit

    return junit(trials)


def _as_sarif(trials: Sequence[Trial]) -> str:
    from sts_emulator.analysis.reports.sarif import sarif

    return sarif(list(_messages(trials)), _RULES)


def _as_github(trials: Sequence[Trial]) -> str:
    from sts_emulator.analysis.reports.message import github

    return "".join(f"{line}\n" for line in github(_messages(trials)))


_RULES: Final[Mapping[str, tuple[str, str]]] = {
    "expectation": ("An expectation did not come as expected", "A request was decided otherwise than `expect:` says."),
    "unusable": ("A file cannot be used", "It has a mistake, or asks for what IAM refuses."),
    "mutant-missed": ("A weakening that no expectation notices", "Add the expectation that is suggested."),
    "not-covered": ("Never exercised", "No expectation makes this statement apply, or this condition decide."),
}


def _messages(trials: Sequence[Trial]) -> Iterator[Message]:
    from sts_emulator.analysis.reports.message import Message

    for trial in trials:
        for problem in trial.problems:
            yield Message(problem.file, problem.line, "error", "unusable", "cannot be used", problem.message)
        for case in trial.cases:
            if not case.passed:
                text = "\n".join((case.mismatch, *case.tree))
                yield Message(case.file, case.line, "error", "expectation", case.title, text)
        for mutant in trial.mutated:
            if mutant.outcome == "missed":
                text = "\n".join((f"nothing notices: {mutant.words}", *mutant.suggestion))
                yield Message(mutant.file, mutant.line, "warning", "mutant-missed", mutant.label, text)
        for covered in trial.covered:
            if not covered.times:
                text = f"never: {covered.words}"
                yield Message(covered.file, covered.line, "note", "not-covered", covered.label, text)


_FORMATS: Final[Mapping[str, Callable[[Sequence[Trial]], str]]] = {
    "text": _as_text,
    "json": _as_json,
    "junit": _as_junit,
    "sarif": _as_sarif,
    "github": _as_github,
}


def outcomes_of(path: Path, account: str = "", parameters: Mapping[str, str] | None = None) -> Iterator[Outcome]:
    """What came of each expectation of a file. Raises CommandError."""
    from sts_emulator.app import create_server
    from sts_emulator.scenario import parse_file
    from sts_emulator.scenario.rehearse import Rehearsal
    from sts_emulator.settings import Settings

    server = create_server(Settings())
    try:
        with inputs.scenario_mistakes():
            yield from Rehearsal(server, parse_file(path, account, parameters)).outcomes()
    finally:
        server.worlds.store.close()
