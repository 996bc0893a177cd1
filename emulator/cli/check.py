"""`check`: tries what scenarios expect of themselves, without a server."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from emulator.core.terminal import printable

if TYPE_CHECKING:
    from emulator.scenario.judge import Outcome

_EPILOG = """\
exit codes: 0 all came as expected; 1 something did not; 2 a scenario cannot be used
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "check",
        help="try the expectations of scenarios, without a server",
        description="Try every `expect:` entry of scenario files: allow or deny, and because of what.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: trust_policies)")
    parser.add_argument("--quiet", "-q", action="store_true", help="print failures and the count only")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print a line an expectation, the tree of each failure, and a count."""
    unusable = passed = failed = 0
    for path in scenario_files(arguments.paths):
        try:
            outcomes = list(outcomes_of(path))
        except CommandError as error:
            print(error)
            unusable += 1
            continue
        if not arguments.quiet:
            print(path)
        for outcome in outcomes:
            passed, failed = passed + outcome.passed, failed + (not outcome.passed)
            if not arguments.quiet or not outcome.passed:
                print("\n".join(map(printable, report(outcome, tree=not outcome.passed))))
    print(f"{_counted(passed + failed, 'expectation')}: {passed} came as expected, {failed} did not")
    if unusable:
        print(f"{_counted(unusable, 'file')} could not be used")
        return UNUSABLE
    return REFUSED if failed else 0


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def scenario_files(paths: list[str]) -> list[Path]:
    """The scenario files that a command names. Raises CommandError."""
    from emulator.scenario import ScenarioError
    from emulator.scenario.watch import FOLDER, sources

    try:
        # Never the built-in one: a job in the wrong folder must not pass.
        return sources(tuple(paths) or (str(FOLDER),))
    except ScenarioError as error:
        raise CommandError(str(error), UNUSABLE) from None


def outcomes_of(path: Path) -> Iterator[Outcome]:
    """What came of each expectation of a file. Raises CommandError."""
    from emulator.app import create_server
    from emulator.scenario import ScenarioError, parse_file
    from emulator.scenario.rehearse import Rehearsal
    from emulator.settings import Settings

    server = create_server(Settings())
    try:
        yield from Rehearsal(server, parse_file(path)).outcomes()
    except ScenarioError as error:
        raise CommandError(str(error), UNUSABLE) from None
    finally:
        server.worlds.store.close()


def report(outcome: Outcome, *, tree: bool) -> Iterator[str]:
    """An outcome as lines; with its explanation when `tree`."""
    expectation = outcome.expectation
    where = expectation.where
    if outcome.passed:
        yield f"  ✓ {expectation.title}"
    else:
        yield f"  ✗ {expectation.title}"
        yield f"    {where.file}:{where.line}: {outcome.mismatch}"
    if tree:
        yield from (f"    {line}" for line in explanation(outcome))


def explanation(outcome: Outcome) -> list[str]:
    """The decision tree of an outcome, or what was refused before any policy was asked."""
    from emulator.policy.explain import text_of

    if outcome.tree is not None:
        return text_of(outcome.tree).splitlines()
    refused = f"{outcome.error.code}: {outcome.error.message}" if outcome.error else "allowed"
    return [f"no policy was asked: {refused}"]
