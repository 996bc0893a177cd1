"""`completion`: prints what a shell needs to complete this command line."""

from __future__ import annotations

import argparse
from typing import Final

SHELLS: Final = ("bash", "zsh", "fish")
_FILES: Final = ("PATH", "FILE", "OLD", "NEW", "EVENT_ID | FILE", "TEXT | FILE | -")
_FOLDERS: Final = ("DIR",)
_UNKNOWN: Final = {"zsh": "( )"}
EPILOG = """\
examples:
  source <(sts-emulator completion bash)                     also in ~/.bashrc
  sts-emulator completion zsh > "${fpath[1]}/_sts-emulator"  then start zsh anew
  sts-emulator completion fish > ~/.config/fish/completions/sts-emulator.fish
"""


HELP = "print the completions of a shell"
DESCRIPTION = "Print a script by which a shell completes commands, flags and choices."


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> None:
    import shtab

    from sts_emulator.cli.main import parser_of

    parser = parser_of([])
    _say_what_words_are(parser)
    print(shtab.complete(parser, arguments.shell))


def _say_what_words_are(parser: argparse.ArgumentParser) -> None:
    """Tell shtab which words are files; of the others that no shell can know, which would stop zsh from completing."""
    import shtab

    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - it has no other name
            for child in action.choices.values():
                _say_what_words_are(child)
        elif action.nargs != 0 and action.choices is None:
            known = {**dict.fromkeys(_FILES, shtab.FILE), **dict.fromkeys(_FOLDERS, shtab.DIRECTORY)}
            action.complete = known.get(str(action.metavar), _UNKNOWN)  # type: ignore[attr-defined]  # shtab's own
