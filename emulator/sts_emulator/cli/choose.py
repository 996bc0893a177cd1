"""`choose`: asks what a situation is, and says which method fits it, why, and why not the others."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sts_emulator.cli.errors import UNUSABLE, CommandError
from sts_emulator.cli.screen import add_json, answer
from sts_emulator.policy.json_types import JsonObject

if TYPE_CHECKING:
    from sts_emulator.labs.matrix import Choice, Matrix, Question

_WIDEST: Final = 100
_DOCS: Final = "docs/"


HELP = "which way to get credentials fits a situation, and why"
DESCRIPTION = (
    "Asks a few questions and says which of the eight ways to get AWS credentials fits, why, and why "
    "the others do not. What the options answer is not asked; where nobody can be asked, all must be answered."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    # Written out, because the file that says so is read only when it is asked: a test compares them.
    flags = {
        "who": ("person", "program"),
        "person": ("employee", "customer"),
        "sign-in": ("saml", "new"),
        "calls": ("aws", "api"),
        "takes": ("keys", "any"),
        "has": ("credentials", "nothing"),
        "where": ("aws", "ci", "on-premises", "other-cloud", "elsewhere"),
        "proof": ("token", "certificate", "none"),
    }
    for flag, choices in flags.items():
        parser.add_argument(f"--{flag}", choices=choices, default=None, help=_HELP[flag])
    parser.add_argument("--list", action="store_true", help="print the situations that come up, with what fits each")
    add_json(parser)
    parser.set_defaults(questions=tuple(flags))


_HELP: Final = {
    "who": "who needs access",
    "person": "of a person: who that is to you",
    "sign-in": "of an employee: whether SAML sign-in to AWS is there already",
    "calls": "of a customer: what the app calls",
    "takes": "of a program: whether it takes only an access key that is typed in",
    "has": "whether it has AWS credentials already",
    "where": "where it runs",
    "proof": "outside AWS: what it can show",
}


def run(arguments: argparse.Namespace) -> None:
    from sts_emulator.labs.matrix import matrix

    table = matrix()
    if arguments.list:
        _list(arguments, table)
        return
    given = {name: getattr(arguments, name.replace("-", "_")) for name in arguments.questions}
    answers = {name: word for name, word in given.items() if word is not None}
    choice = _choice(table, answers, ask=sys.stdin.isatty() and not getattr(arguments, "json", False))
    needless = [name for name in answers if name not in choice.answers]
    answer(arguments, _told(choice, needless), *_lines(table, choice, needless))


def _choice(table: Matrix, answers: dict[str, str], *, ask: bool) -> Choice:
    from sts_emulator.labs.matrix import Choice

    while not isinstance(open_ := table.choose(answers), Choice):
        if not ask:
            raise CommandError(f"say --{open_.name} {'|'.join(open_.answers)}: {open_.ask}", UNUSABLE)
        answers[open_.name] = _ask(open_)
    return open_


def _ask(question: Question) -> str:
    """One answer, by its number or its word; asked again until it is one of them."""
    print(question.ask)
    words = list(question.answers)
    for number, (word, choice) in enumerate(question.answers.items(), 1):
        print(f"  {number}  {word:<12} {choice.means}")
    while True:
        try:
            said = input("> ").strip().lower()
        except EOFError:
            raise CommandError(f"no answer to --{question.name}", UNUSABLE) from None
        if said in words:
            return said
        if said.isdecimal() and 1 <= int(said) <= len(words):
            return words[int(said) - 1]
        print(f"  a number from 1 to {len(words)}, or one of: {', '.join(words)}")


def _list(arguments: argparse.Namespace, table: Matrix) -> None:
    rows = [
        {
            "situation": situation.told,
            "method": situation.method,
            "options": [f"--{name}={word}" for name, word in situation.answers.items()],
        }
        for situation in table.situations.values()
    ]
    lines = [line for row in rows for line in (row["situation"], f"  → {table.methods[str(row['method'])].title}")]
    answer(arguments, rows, *map(str, lines))


def _told(choice: Choice, needless: list[str]) -> JsonObject:
    method = choice.method
    return {
        "method": method.name,
        "title": method.title,
        "proof": method.proof,
        "because": choice.because,
        "notes": list(choice.notes),
        "care": method.care,
        "not": dict(choice.others),
        "answers": dict(choice.answers),
        "not_asked": needless,
        "lab": method.lab,
        "page": _DOCS + method.page,
    }


def _lines(table: Matrix, choice: Choice, needless: list[str]) -> Iterator[str]:
    method = choice.method
    yield method.title
    yield f"  What proves it: {method.proof}."
    yield ""
    for note in choice.notes:
        yield from _wrapped(note, "")
    yield from _wrapped(choice.because, "")
    yield ""
    yield "Take care"
    yield from _wrapped(method.care, "  ")
    yield ""
    yield "Why not"
    for name, reason in choice.others.items():
        yield f"  {table.methods[name].title}"
        yield from _wrapped(reason, "    ")
    yield ""
    if needless:
        yield f"Made no difference here: {', '.join(f'--{name}' for name in needless)}"
    yield f"Live it through: sts-emulator lab start {method.lab}"
    yield f"Read about it:   {_DOCS}{method.page}"


def _wrapped(text: str, indent: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
