"""`lint`: what IAM accepts and is yet wrong, wide or surprising, with the line and what to write instead."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.cli.inputs import account_options, add_account_options, named_paths, untold
from sts_emulator.cli.screen import add_json_format, painted, patience
from sts_emulator.core.spelling import meant
from sts_emulator.core.terminal import printable, printable_json

if TYPE_CHECKING:
    from sts_emulator.analysis.linting import Found, Linted
    from sts_emulator.analysis.reports.message import Message

SEVERITIES: Final = ("error", "security", "warning", "suggestion")
EPILOG = """\
examples:
  sts-emulator lint                     the scenarios in trust_policies/
  sts-emulator lint plan.json           the policies of a Terraform plan
  sts-emulator lint infra/ --format sarif > lint.sarif
  sts-emulator lint --explain open-github-subject

A comment `# sts-emulator: ignore=RULE: the reason` on a line, or on the one above, passes over a rule there. For files
without comments, and for many old findings: `--format json > baseline.json` once, then `--baseline baseline.json`.

exit codes:
  0  no finding of the severity of --fail-on or graver
  1  there are some
  2  a file cannot be used
"""


HELP = "find what is wrong, wide or surprising in policies"
DESCRIPTION = (
    "Find what is wrong, wide or surprising in the policies of scenarios, of Terraform plans, "
    "CloudFormation templates and account dumps, and in bare policy documents."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: trust_policies)")
    parser.add_argument("--select", action="append", default=[], metavar="RULE", help="only this rule; several times")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="RULE", help="without this rule; several times"
    )
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        help="pass over the findings in FILE, which --format json wrote, perhaps with reasons",
    )
    parser.add_argument(
        "--fail-on",
        choices=(*SEVERITIES, "never"),
        default="security",
        help="exit with 1 from here (default: security)",
    )
    parser.add_argument(
        "--format", choices=("text", "json", "sarif", "github"), default="text", help="of the output (default: text)"
    )
    add_json_format(parser)
    parser.add_argument(
        "--now", metavar="TIME", help="judge times as of then, such as 2026-11-23T12:00:00Z (default: now)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="leave out suggestions, and the fixes")
    parser.add_argument("--rules", action="store_true", help="list the rules")
    parser.add_argument(
        "--explain", metavar="RULE", help="show a rule with an example that is wrong and one that is right"
    )
    add_account_options(parser.add_argument_group("imports"))


def run(arguments: argparse.Namespace) -> int:
    """Print the findings, the gravest of each file first."""
    if arguments.rules or arguments.explain:
        _print_rules(arguments)
        return 0
    _refuse_unknown([*arguments.select, *arguments.ignore])
    with patience("looking at policies"):
        findings, policies, problems, notes = _lint(arguments)
    print("".join(f"{line}\n" for line in notes), end="", file=sys.stderr)
    told = _FORMATS[arguments.format](findings, problems, arguments.quiet)
    print(painted(told) if arguments.format == "text" else told, end="")
    if arguments.format == "text":
        print("\n".join(_summary(findings, policies, problems)))
    if problems:
        return UNUSABLE
    grave = SEVERITIES.index(arguments.fail_on) if arguments.fail_on != "never" else -1
    return REFUSED if any(SEVERITIES.index(finding.severity) <= grave for finding in findings) else 0


def _lint(arguments: argparse.Namespace) -> tuple[list[Found], int, list[Any], list[str]]:
    """The findings, how many policies there are, the files that cannot be used, and what others do not tell."""
    from sts_emulator.analysis.linting import files, lint_file, whole_accounts
    from sts_emulator.scenario import ScenarioError

    linted: dict[Path, Linted] = {}
    problems: list[Any] = []
    known = _baseline(arguments.baseline) if arguments.baseline else frozenset()
    account, parameters = account_options(arguments)
    now = _moment(arguments.now) if arguments.now else None
    how: dict[str, Any] = {"account": account, "parameters": parameters, "now": now}
    given = named_paths(arguments.paths)
    paths = files(given)
    if len(paths) > 1:
        how["estate"] = whole_accounts(paths, account, parameters)
    for path in paths:
        try:
            linted[path] = lint_file(path, strict=str(path) in given, **how)
        except ScenarioError as error:
            problems += error.problems
    for file in [Path(name) for outcome in linted.values() for name in outcome.merged]:
        if str(file) not in given:  # a nested stack is told of with the one around it
            linted.pop(file, None)
    are_told = arguments.format == "text" and not arguments.quiet
    notes = [line for outcome in linted.values() if are_told for line in untold(outcome.notes)]
    policies = sum(outcome.policies for outcome in linted.values())
    findings = [
        finding
        for outcome in linted.values()
        for finding in outcome.findings
        if (not arguments.select or finding.rule in arguments.select) and finding.rule not in arguments.ignore
        if _identity(finding) not in known
    ]
    if not policies and not problems and not any(Path(path).is_file() for path in given):
        raise CommandError(f"no policies in {', '.join(given)}", UNUSABLE)
    return (
        sorted(findings, key=lambda finding: (finding.file, SEVERITIES.index(finding.severity), finding.line)),
        policies,
        problems,
        notes,
    )


def _moment(text: str) -> float:
    """Seconds since 1970 of an ISO time. Raises CommandError."""
    from sts_emulator.core.clock import parse_iso

    try:
        return parse_iso(text)
    except ValueError:
        raise CommandError(f"--now takes a time like 2026-11-23T12:00:00Z, got `{text}`", UNUSABLE) from None


def _baseline(file: str) -> frozenset[tuple[str, ...]]:
    """The findings that are known. Raises CommandError."""
    try:
        listed = json.loads(Path(file).read_bytes())["findings"]
        return frozenset(tuple(str(finding[name]) for name in _IDENTITY) for finding in listed)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", UNUSABLE) from None
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CommandError(f"{file}: not what `sts-emulator lint --format json` writes", UNUSABLE) from None


_IDENTITY: Final = ("file", "rule", "label", "path")
"""What tells a finding from others: not its line, which moves with whatever is written above it."""


def _identity(finding: Found) -> tuple[str, ...]:
    return tuple(getattr(finding, name) for name in _IDENTITY)


def _refuse_unknown(rules: Sequence[str]) -> None:
    from sts_emulator.policy.linting.lint import MALFORMED, RULES

    known = {rule.id for rule in RULES} | {MALFORMED}
    for rule in rules:
        if rule not in known:
            hint = meant(rule, known) or "; `sts-emulator lint --rules` lists them"
            raise CommandError(f"there is no rule `{rule}`{hint}", UNUSABLE)


# -- output ----------------------------------------------------------------------------------------------------------

_MARKS: Final[Mapping[str, str]] = {"error": "✗", "security": "!", "warning": "~", "suggestion": "·"}


def _text(findings: Sequence[Found], problems: Sequence[object], quiet: bool) -> str:
    lines = [str(problem) for problem in problems]
    for finding in findings:
        if quiet and finding.severity == "suggestion":
            continue
        lines.append(f"{finding.file}:{finding.line}: {_MARKS[finding.severity]} {finding.severity} {finding.rule}")
        lines.append(
            f"    {finding.label}, {finding.path}: {finding.message}"
            if finding.path
            else f"    {finding.label}: {finding.message}"
        )
        if not quiet:
            lines += [f"    for example: {finding.shown}"] if finding.shown else []
            lines.append(f"    → {finding.fix}")
    return "".join(f"{printable(line)}\n" for line in lines)


def _summary(findings: Sequence[Found], policies: int, problems: Sequence[Any]) -> Iterator[str]:
    counts = {severity: sum(finding.severity == severity for finding in findings) for severity in SEVERITIES}
    told = ", ".join(f"{number} {severity}" for severity, number in counts.items() if number) or "nothing found"
    if policies or not problems:
        yield f"{policies:,} polic{'y' if policies == 1 else 'ies'}: {told}"
    if problems:
        unusable = len({problem.where.file for problem in problems})
        yield f"{unusable} file{'s' if unusable > 1 else ''} could not be used"


def _json(findings: Sequence[Found], problems: Sequence[Any], _quiet: bool) -> str:
    told = {
        "schema": 1,
        "findings": [finding.to_json() for finding in findings],
        "problems": [{"file": p.where.file, "line": p.where.line, "message": p.message} for p in problems],
    }
    return printable_json(told) + "\n"


def _messages(findings: Sequence[Found], problems: Sequence[Any]) -> Iterator[Message]:
    from sts_emulator.analysis.reports.message import LEVELS, Message

    for problem in problems:
        yield Message(problem.where.file, problem.where.line, "error", "unusable", "cannot be used", problem.message)
    for finding in findings:
        shown = f" For example: {finding.shown}." if finding.shown else ""
        yield Message(
            finding.file,
            finding.line,
            LEVELS[finding.severity],
            finding.rule,
            f"{finding.label}, {finding.path}".rstrip(", "),
            f"{finding.message}.{shown} Fix: {finding.fix}",
            None if finding.witness is None else finding.witness.to_json(),
        )


def _sarif(findings: Sequence[Found], problems: Sequence[object], _quiet: bool) -> str:
    from sts_emulator.analysis.reports.sarif import sarif
    from sts_emulator.policy.linting.lint import RULES

    rules = {rule.id: (rule.title, f"Wrong:\n{rule.wrong}\n\nRight:\n{rule.right}") for rule in RULES}
    return sarif(list(_messages(findings, problems)), rules)


def _github(findings: Sequence[Found], problems: Sequence[object], _quiet: bool) -> str:
    from sts_emulator.analysis.reports.message import github

    return "".join(f"{line}\n" for line in github(_messages(findings, problems)))


_FORMATS: Final[Mapping[str, Callable[[Sequence[Found], Sequence[Any], bool], str]]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": _github,
}


# -- rules -----------------------------------------------------------------------------------------------------------


def _print_rules(arguments: argparse.Namespace) -> None:
    from sts_emulator.policy.linting.lint import RULES

    if arguments.format != "json":
        print("\n".join(_rule_list() if arguments.rules else _rule_page(arguments.explain)))
        return
    if arguments.explain:
        _refuse_unknown([arguments.explain])
    members = ("id", "severity", "title", "wrong", "right")
    told = [
        {member: getattr(rule, member) for member in members}
        for rule in RULES
        if arguments.rules or rule.id == arguments.explain
    ]
    print(printable_json({"schema": 1, "rules": told}))


def _rule_list() -> Iterator[str]:
    from sts_emulator.policy.linting.lint import RULES

    width = max(len(rule.id) for rule in RULES)
    for rule in RULES:
        yield f"{rule.id:<{width}}  {rule.severity:<10}  {rule.title}"


def _rule_page(name: str) -> Iterator[str]:
    from sts_emulator.policy.linting.lint import RULES

    _refuse_unknown([name])
    rule = next((rule for rule in RULES if rule.id == name), None)
    if rule is None:
        yield f"{name} (error): the policy cannot be read at all"
        return
    yield f"{rule.id} ({rule.severity}): {rule.title}"
    yield from ("", "wrong:", rule.wrong, "", "right:", rule.right)
