"""`diff`: who gains and who loses access between two versions of policies, each shown by a request."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.cli import screen
from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.cli.inputs import account_options, add_account_options, scenario_files, scenario_mistakes
from sts_emulator.cli.who_can import tell_notes
from sts_emulator.core.terminal import printable, printable_json
from sts_emulator.policy.arns import account_in
from sts_emulator.policy.light_dataclass import dataclass

if TYPE_CHECKING:
    from sts_emulator.analysis.compare import Witness
    from sts_emulator.analysis.estate import Estate

EPILOG = """\
examples:
  sts-emulator diff old.json new.json                   a trust policy
  sts-emulator diff main/trust_policies trust_policies  role by role
  sts-emulator diff before.json plan.json --format markdown > comment.md
  git show main:trust.json | sts-emulator diff - trust.json

Every request that is shown was decided by the engine under both versions. They are searched for over the values in the
policies; that none is found is no proof that there is none.

exit codes: 0 no difference found (or none of --fail-on); 1 there is one; 2 the files cannot be used
"""


HELP = "say who gains and who loses access between two versions"
DESCRIPTION = (
    "Say who gains and who loses access to roles between two versions of their trust policies: bare "
    "policies, scenarios, plans, templates or account dumps."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="a file or folder; `-` is standard input")
    parser.add_argument("new", metavar="NEW", help="likewise")
    parser.add_argument("--role", default="", metavar="ROLE", help="only this role, by name or ARN")
    parser.add_argument(
        "--format", choices=tuple(_FORMATS), default="text", help="of the output; markdown is for a comment"
    )
    screen.add_json_format(parser)
    parser.add_argument(
        "--fail-on", choices=("any", "gains", "never"), default="any", help="exit with 1 for this (default: any)"
    )
    add_account_options(parser.add_argument_group("imports"))


@dataclass(frozen=True)
class Difference:
    """What changed about one role: `state` is changed, added or removed."""

    role: str
    state: str
    witnesses: tuple[Witness, ...]

    def to_json(self) -> dict[str, Any]:
        return {"role": self.role, "state": self.state, "witnesses": [witness.to_json() for witness in self.witnesses]}


def run(arguments: argparse.Namespace) -> int:
    if arguments.old == arguments.new == "-":
        raise CommandError("only one of the two can be standard input", UNUSABLE)
    with (
        screen.patience("comparing"),
        _estate(arguments.old, arguments) as old,
        _estate(arguments.new, arguments) as new,
    ):
        for accounts in (old, new) if arguments.format == "text" else ():
            tell_notes(accounts)
        differences = list(_differences(old, new, arguments.role))
    told = _FORMATS[arguments.format](differences)
    print(screen.painted(told) if arguments.format == "text" else told, end="")
    counted = [
        witness
        for difference in differences
        for witness in difference.witnesses
        if arguments.fail_on == "any" or witness.direction == "gains"
    ]
    return REFUSED if counted and arguments.fail_on != "never" else 0


def _estate(path: str, arguments: argparse.Namespace) -> Estate:
    from sts_emulator.analysis.estate import Estate
    from sts_emulator.scenario.model import parse_data

    given = account_options(arguments)
    with scenario_mistakes():
        if path == "-":
            return Estate([parse_data(sys.stdin.buffer.read(), "(standard input)", None, *given)])
        return Estate.of_files(scenario_files([path]), *given)


def _differences(old: Estate, new: Estate, only: str) -> Iterator[Difference]:
    before, after = _trusts(old, only), _trusts(new, only)
    if only and not before and not after:
        raise CommandError(f"no role `{only}`", UNUSABLE)
    if not only and len(before) == len(after) == 1 and not before.keys() & after.keys():
        # Two files of one role difference are two versions of it, whatever they are called.
        (arn,) = after
        before = {arn: next(iter(before.values()))}
    from sts_emulator.analysis.compare import compare
    from sts_emulator.policy.deciding.document import parse

    for arn in dict.fromkeys([*before, *after]):
        first, second = before.get(arn), after.get(arn)
        if first == second:
            continue
        old_trust, new_trust = (None if text is None else parse(text) for text in (first, second))
        witnesses = tuple(compare(old_trust, new_trust, arn))
        state = "added" if first is None else "removed" if second is None else "changed"
        if witnesses or state != "changed":
            yield Difference(arn, state, witnesses)


def _trusts(estate: Estate, only: str) -> dict[str, str]:
    return {
        arn: estate.shown_text(role)
        for arn, role in estate.roles.items()
        if arn not in estate.assumed and (not only or only in (arn, role["name"]))
    }


# -- output ----------------------------------------------------------------------------------------------------------


def _text(differences: Sequence[Difference]) -> str:
    lines = list(_text_lines(differences)) or ["no difference found"]
    return "".join(f"{printable(line)}\n" for line in lines)


def _text_lines(differences: Sequence[Difference]) -> Iterator[str]:
    for difference in differences:
        yield f"{difference.role}{'' if difference.state == 'changed' else f' ({difference.state})'}"
        for witness in difference.witnesses:
            sign = "+" if witness.direction == "gains" else "-"
            yield f"  {sign} {_who(witness)} {witness.direction} {witness.action}"
            yield f"      {witness.before.words} → {witness.after.words}"
            yield from (f"      with {key} = {', '.join(values)}" for key, values in witness.chosen.items())
            if witness.statement:
                yield f"      because {witness.statement}"


def _who(witness: Witness) -> str:
    named = witness.caller.named
    if named == "*":
        return "any AWS account"
    if witness.caller.principal.type in ("user", "assumed-role") and (named.isdigit() or named.endswith(":root")):
        return f"account {named if named.isdigit() else account_in(named)}"
    return named


def _markdown(differences: Sequence[Difference]) -> str:
    gains = sum(witness.direction == "gains" for difference in differences for witness in difference.witnesses)
    loses = sum(witness.direction == "loses" for difference in differences for witness in difference.witnesses)
    if not gains and not loses:
        return "**Trust policies:** no difference in who can assume which role was found.\n"
    lines = [f"**Trust policies:** {gains} gain{'s' * (gains != 1)}, {loses} loss{'es' * (loses != 1)} of access.", ""]
    for difference in differences:
        if not difference.witnesses:
            continue
        lines += [
            f"### `{_cell(difference.role)}`{'' if difference.state == 'changed' else f' ({difference.state})'}",
            "",
        ]
        lines += ["| | who | operation | before → after | witness |", "|---|---|---|---|---|"]
        lines += [_markdown_row(witness) for witness in difference.witnesses]
        lines.append("")
    return "\n".join([*lines, "Each witness is a request that the policy engine decided under both versions.", ""])


def _markdown_row(witness: Witness) -> str:
    sign = "🔓 gains" if witness.direction == "gains" else "🔒 loses"
    brought = "<br>".join(f"`{_cell(key)}` = `{_cell(', '.join(values))}`" for key, values in witness.chosen.items())
    change = f"{witness.before.words} → {witness.after.words}"
    return f"| {sign} | `{_cell(_who(witness))}` | `{witness.action}` | {change} | {brought or 'any request'} |"


def _cell(text: str) -> str:
    shown: str = printable(text)
    return shown.replace("|", "\\|").replace("`", "'")


def _json(differences: Sequence[Difference]) -> str:
    told = {"schema": 1, "differences": [difference.to_json() for difference in differences]}
    return printable_json(told) + "\n"


def _github(differences: Sequence[Difference]) -> str:
    from sts_emulator.analysis.reports.message import Message, github

    messages = [
        Message(
            difference.role.rpartition("/")[2],
            1,
            "warning" if witness.direction == "gains" else "note",
            "access",
            f"{_who(witness)} {witness.direction} access to {difference.role}",
            f"{witness.before.words} → {witness.after.words}; "
            + "; ".join(f"{key} = {', '.join(values)}" for key, values in witness.chosen.items()),
        )
        for difference in differences
        for witness in difference.witnesses
    ]
    return "".join(f"{line}\n" for line in github(messages))


_FORMATS: Final[Mapping[str, Callable[[Sequence[Difference]], str]]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
    "github": _github,
}
