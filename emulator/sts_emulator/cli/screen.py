"""What a command shows on a terminal: tables that fit it, colour with meaning, and that it is still at work."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sts_emulator.core.terminal import printable, printable_json
from sts_emulator.settings import colour_wanted

if TYPE_CHECKING:
    import threading

GAP: Final = 2
NARROWEST: Final = 8  # characters that a column keeps, whatever the terminal
PATIENCE: Final = 1.0  # seconds without a word

_COLOURS: Final = {"✓": 32, "✗": 31, "~": 33, "!": 35, "+": 32, "-": 31}
_WORDS: Final = {"ALLOWED": 32, "DENIED": 31, "allowed": 32, "denied": 31}
_PAINTED: Final = r"(?<!\S)[✓✗~!](?= )|^ {2}[+-](?= )|(?<!\S)(?:ALLOWED|DENIED|allowed|denied)(?!\S)"


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - it has no other name
"""What `add_subparsers` gives, and takes commands."""

Options: TypeAlias = "argparse._ActionsContainer"  # noqa: SLF001 - it has no other name
"""A parser, or a group of its options."""

Run: TypeAlias = Callable[[argparse.Namespace], object]
"""What carries a command out."""


class HelpText(argparse.HelpFormatter):
    """Help as wide as the terminal; what is indented, such as examples, stands as it is written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """The paragraphs, each in lines that fit."""
        import textwrap

        paragraphs = text.strip("\n").split("\n\n")
        filled = (part if "\n  " in part else textwrap.fill(part, width, break_on_hyphens=False) for part in paragraphs)
        return textwrap.indent("\n\n".join(filled), indent) + "\n"


def table(rows: Sequence[Sequence[str]], room: int | None, whole: str = "") -> Iterator[str]:
    """Lines of columns, the first row the heads; cells are shortened in the middle until the lines fit into `room`.

    A column that is empty below its head is left out. Without room everything is whole; the column with the head
    `whole` always is, because the next command needs what stands there.
    """
    columns = [column for column in zip(*rows, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    if room is not None:
        place = [column[0] for column in columns].index(whole) if whole else len(widths)
        kept = widths[place : place + 1]
        others = fitted(widths[:place] + widths[place + 1 :], room - sum(kept) - GAP * (len(widths) - 1))
        widths = [*others[:place], *kept, *others[place:]]
    for row in zip(*columns, strict=True):
        cells = (shortened(cell, width).ljust(width) for cell, width in zip(row, widths, strict=True))
        yield (" " * GAP).join(cells).rstrip()


def below(label: str, text: str, room: int) -> Iterator[str]:
    """Lines below one of a table: `label` and the text, whole, as many lines as it takes."""
    import textwrap

    begin = f"    {label} "
    width = max(room, len(begin) + NARROWEST)
    yield from textwrap.wrap(
        text, width, initial_indent=begin, subsequent_indent=" " * len(begin), break_on_hyphens=False
    )


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Widths that together take no more than `room`: the widest give way first, and none below NARROWEST."""
    limit = max(widths, default=0)
    while limit > NARROWEST and sum(min(width, limit) for width in widths) > room:
        limit -= 1
    left = room - sum(min(width, limit) for width in widths)
    fit = []
    for width in widths:
        more = 1 if width > limit and left > 0 else 0  # what the last step took too much goes to the first columns
        left -= more
        fit.append(min(width, limit) + more)
    return fit


def shortened(text: str, width: int) -> str:
    """The text with an ellipsis in its middle where it is too long; ends of ARNs tell more than beginnings."""
    if len(text) <= width:
        return text
    head = (width - 1) // 3
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def room(arguments: argparse.Namespace) -> int | None:
    """How many columns there are; None with `--wide`, and in a file or pipe where COLUMNS does not say."""
    import shutil

    return None if arguments.wide else shutil.get_terminal_size((0, 0)).columns or None


def painted(text: str) -> str:
    """The text in colour, where standard output is a terminal that wants it."""
    if not sys.stdout.isatty() or not colour_wanted():
        return text
    return "\n".join(re.sub(_PAINTED, _paint, line) for line in text.split("\n"))


def _paint(seen: re.Match[str]) -> str:
    word = seen[0]
    colour = _WORDS.get(word) or _COLOURS[word.strip()]
    return f"\033[{colour}m{word}\033[0m"


def add_json(parser: Options) -> None:
    """Give a command the option by which programs read its answer."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print the answer as JSON")


def add_json_format(parser: Options) -> None:
    """The same for a command that has a `--format`."""
    parser.add_argument("--json", dest="format", action="store_const", const="json", help="the same as --format json")


def add_wide(parser: argparse.ArgumentParser) -> None:
    """Give a command that shows a table the option to show it whole."""
    parser.add_argument(
        "--wide", action="store_true", default=False, help="write long names whole, wider than the terminal"
    )


def answer(arguments: argparse.Namespace, told: Any, *lines: str) -> None:
    """Print what a command has to say: as JSON where that is wanted, else as lines."""
    if getattr(arguments, "json", False):
        print(printable_json(told))
        return
    for line in lines:
        print(painted(printable(line)))


@contextmanager
def patience(told: str) -> Iterator[None]:
    """Say on a terminal's standard error what is being done, once it takes a second; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    import threading

    done = threading.Event()
    teller = threading.Thread(target=_tell, args=(told, done), daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()


def _tell(told: str, done: threading.Event) -> None:
    seconds = 0
    while not done.wait(PATIENCE):
        seconds += 1
        print(f"\r\033[K{told} … {seconds} s", end="", file=sys.stderr, flush=True)
    if seconds:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
