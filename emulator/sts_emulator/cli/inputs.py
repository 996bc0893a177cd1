"""What commands are given: files, folders and NAME=VALUE options; a mistake in any of them ends the command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sts_emulator.cli.control import add_server_options
from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import Options, Run, add_json, counted
from sts_emulator.core.terminal import printable
from sts_emulator.settings import pairs

FOLDER: Final = "trust_policies"


@contextmanager
def scenario_mistakes() -> Iterator[None]:
    """Raises CommandError for the mistakes of a scenario, or of a file that is imported."""
    from sts_emulator.scenario import ScenarioError

    try:
        yield
    except ScenarioError as error:
        raise CommandError(str(error), UNUSABLE) from None


@contextmanager
def file_trouble(file: object, what: str = "cannot be read") -> Iterator[None]:
    """Raises CommandError for a file of which the system says no, or else that it cannot be what is wanted."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{file}: {(error.strerror or what).lower()}", UNUSABLE) from None


def named_values(flag: str, given: Iterable[str], form: str = "NAME=VALUE") -> list[tuple[str, str]]:
    """What NAME=VALUE options say. Raises CommandError."""
    try:
        return list(pairs(given, form))
    except ValueError as error:
        raise CommandError(f"{flag} {error}", UNUSABLE) from None


def finish_action(parser: argparse.ArgumentParser, run: Run, *, world: bool = True) -> None:
    """What every action has that asks a running emulator and prints its answer, behind its own options."""
    add_json(parser)
    add_server_options(parser, world=world)
    parser.set_defaults(run=run)


# -- imports ---------------------------------------------------------------------------------------------------------


def add_account_options(group: Options) -> None:
    """Give a command the options about what an import leaves open."""
    group.add_argument("--account", default="", metavar="ID", help="the account of what does not say where it lives")
    group.add_argument(
        "--parameter", action="append", default=[], metavar="NAME=VALUE", help="of a CloudFormation template"
    )


def account_options(arguments: argparse.Namespace) -> tuple[str, dict[str, str]]:
    """The account and the parameters that those options say. Raises CommandError."""
    from sts_emulator.core.names import is_account_id

    account: str = arguments.account
    if account and not is_account_id(account):
        raise CommandError(f"--account takes an account id of twelve digits, got `{account}`", UNUSABLE)
    return account, dict(named_values("--parameter", arguments.parameter))


def untold(notes: Sequence[str]) -> Iterator[str]:
    """In one line what an imported file does not tell."""
    if notes:
        more = f" (and {counted(len(notes) - 1, 'more note')}: `sts-emulator import` tells them)"
        yield printable(f"{notes[0]}{more if len(notes) > 1 else ''}")


# -- scenarios -------------------------------------------------------------------------------------------------------


def scenario_files(paths: list[str]) -> list[Path]:
    """The scenario files that a command names. Raises CommandError.

    Of a folder those that hold nothing are left out, and it is said which.
    """
    from sts_emulator.scenario.problems import NOTHING
    from sts_emulator.scenario.watch import sources

    named = named_paths(paths)
    with scenario_mistakes():
        files = sources(tuple(named))
    empty = [path for path in files if str(path) not in named and _holds_nothing(path)]
    files = [path for path in files if path not in empty]
    if not files:
        told = f"; {empty[0]} {NOTHING}" if empty else _json_in(named)
        raise CommandError(f"no scenario in {', '.join(named)}{told}", UNUSABLE)
    for path in empty:
        print(printable(f"{path}: holds nothing, and is left out"), file=sys.stderr)
    return files


def _holds_nothing(path: Path) -> bool:
    """Whether a file has comments and white space alone; one that cannot be read is told of by whoever reads it."""
    try:
        with path.open("rb") as lines:
            return all(
                line.lstrip(b"\xef\xbb\xbf \t").startswith((b"#", b"\n", b"\r")) or not line.strip() for line in lines
            )
    except OSError:
        return False


def _json_in(folders: Sequence[str]) -> str:
    """A hint where a folder holds what could be imported; which of it is meant is not for us to say."""
    first = next((path for folder in folders for path in sorted(Path(folder).glob("*.json"))), None)
    return f"; files to import are named themselves, such as {first}" if first else ""


def named_paths(paths: list[str]) -> list[str]:
    """What a command names, or the folder that it takes where nothing is named. Raises CommandError."""
    if not paths and not Path(FOLDER).exists():
        # Never the built-in scenario: a job in the wrong folder must not pass.
        raise CommandError(f"there is no folder `{FOLDER}` here; name files or folders", UNUSABLE)
    return paths or [FOLDER]
