"""`who-can`: everybody who can assume a role, directly and by way of other roles, as a table, JSON or a drawing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sts_emulator.cli import inputs, screen
from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.core import spelling
from sts_emulator.core.terminal import printable, printable_json

if TYPE_CHECKING:
    from sts_emulator.analysis.estate import Estate
    from sts_emulator.analysis.reach import Reach, Way

EPILOG = """\
examples:
  sts-emulator who-can deploy    in the scenarios of trust_policies/
  sts-emulator who-can arn:aws:iam::111122223333:role/deploy account.json
  sts-emulator who-can deploy plan.json --format svg > deploy.svg
  sts-emulator who-can deploy --key aws:SourceIp=203.0.113.7

Each step is decided by the policy engine. WITH is what the caller must bring, WHEN are the conditions of the statement
that lets it in. `?` marks what depends on policies that are not in the files.

exit codes: 0 somebody can; 1 nobody can; 2 the files, or the role, cannot be used
"""
FORMATS: Final = ("table", "json", "svg")


HELP = "say who can assume a role, also by way of other roles"
DESCRIPTION = "Say who can assume a role, directly and by way of other roles, and what it takes."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("role", metavar="ROLE", help="its name or ARN")
    add_estate_options(parser)


def add_estate_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options about which files it is about, and how it answers."""
    parser.add_argument(
        "paths",
        nargs="*",
        default=[],
        metavar="PATH",
        help="scenarios, plans, templates, account dumps (default: trust_policies)",
    )
    parser.add_argument(
        "--in", dest="files", action="append", default=[], metavar="PATH", help="the same; several times"
    )
    parser.add_argument("--direct", action="store_true", help="without chains of roles")
    parser.add_argument("--format", choices=FORMATS, default="table", help="of the output (default: table)")
    screen.add_json_format(parser)
    screen.add_wide(parser)
    parser.add_argument(
        "--key", action="append", default=[], metavar="NAME=VALUE", help="a condition key that holds; several times"
    )
    parser.add_argument(
        "--origin", metavar="SUBJECT", default="", help="who it is originally (aws:OriginIdentity/Subject)"
    )
    inputs.add_account_options(parser.add_argument_group("imports"))


def run(arguments: argparse.Namespace) -> int:
    with estate(arguments) as accounts:
        names = (name for arn, role in accounts.roles.items() for name in (arn, role["name"]))
        (arn,) = one_of(accounts.named(arguments.role, ("roles",)), f"role `{arguments.role}`", names)
        with screen.patience("trying everybody"):
            ways = reach(accounts, arguments).who_can(arn, chains=not arguments.direct)
    return show(arguments, ways, arn, title=f"Who can assume {arn}", none=f"nobody can assume {arn}")


def estate(arguments: argparse.Namespace) -> Estate:
    """What the files of a command declare. Raises CommandError."""
    from sts_emulator.analysis.estate import Estate

    given = inputs.account_options(arguments)
    with inputs.scenario_mistakes(), screen.patience("reading files"):
        accounts = Estate.of_files(inputs.scenario_files([*arguments.paths, *arguments.files]), *given)
    if arguments.format == "table":
        tell_notes(accounts)
    return accounts


def tell_notes(accounts: Estate) -> None:
    """Say on standard error what the files do not tell."""
    for notes in accounts.notes:
        print("".join(f"{line}\n" for line in inputs.untold(notes)), end="", file=sys.stderr)


def reach(accounts: Estate, arguments: argparse.Namespace) -> Reach:
    """What answers, with the keys that the command says hold. Raises CommandError."""
    from sts_emulator.analysis.reach import Reach

    keys: dict[str, tuple[str, ...]] = {}
    for name, value in inputs.named_values("--key", arguments.key):
        keys[name.lower()] = (*keys.get(name.lower(), ()), value)
    if arguments.origin:
        keys["aws:originidentity/subject"] = (arguments.origin,)
    return Reach(accounts, keys)


def one_of(matches: Sequence[str], what: str, names: Iterable[str] = ()) -> Sequence[str]:
    """The only one of what was found. Raises CommandError, with the nearest of all names where there is none."""
    if len(matches) == 1:
        return matches
    meant = "" if matches else spelling.meant(what.split("`")[1], names)
    told = f"more than one {what}; write its ARN: {', '.join(matches)}" if matches else f"no {what}{meant}"
    raise CommandError(told, UNUSABLE)


def show(arguments: argparse.Namespace, ways: Sequence[Way], target: str, *, title: str, none: str) -> int:
    """Print ways in one of the formats, or that there are none; returns the exit code."""
    if arguments.format == "json":
        print(printable_json({"schema": 1, "ways": [way.to_json() for way in ways]}))
    elif arguments.format == "svg":
        from sts_emulator.analysis.graph import draw

        print(draw(ways, title, targets=[target]), end="")
    else:
        print("\n".join(_table(ways, screen.room(arguments))) if ways else none)
    return 0 if ways else REFUSED


def _table(ways: Sequence[Way], room: int | None) -> Iterator[str]:
    """A table as wide as it wants to be, or one that fits, with what else there is to say below its lines."""
    rows = [tuple(map(printable, row)) for row in (_HEADS, *map(_row, ways))]
    whole = list(screen.table(rows, None))
    if room is None or max(map(len, whole)) <= room:
        yield from whole
        return
    heads, *lines = screen.table([row[:3] for row in rows], room)
    yield heads
    for line, row in zip(lines, rows[1:], strict=True):
        yield line
        for label, text in zip(_HEADS[3:], row[3:], strict=True):
            yield from screen.below(label.lower(), text, room)


_HEADS: Final = ("WHO", "ROLE", "BY WAY OF", "WITH", "WHEN")


def _row(way: Way) -> tuple[str, str, str, str, str]:
    from sts_emulator.analysis import descriptions as words

    origin = way.origin
    depends = " ?" if any(step.depends for step in way.steps) else ""
    who = origin.whom or origin.who
    brings = "; then ".join(told for step in way.steps if (told := words.chosen(step.brings)))
    when = "; then ".join(told for step in way.steps if (told := " and ".join(step.when)))
    return f"{who}{depends}", way.role, " → ".join(step.role for step in way.steps[:-1]), brings, when


def save(path: Path, lines: Iterable[str]) -> None:
    """Write a file. Raises CommandError."""
    with inputs.file_trouble(path, "cannot be written"), path.open("w", encoding="utf-8") as stream:
        stream.writelines(lines)
