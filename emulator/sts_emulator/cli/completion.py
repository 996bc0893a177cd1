"""`completion`: prints what a shell needs to complete this command line."""

from __future__ import annotations

import argparse
from typing import Any, Final

SHELLS: Final = ("bash", "zsh", "fish")
_EPILOG = """\
examples:
  source <(sts-emulator completion bash)                                   also in ~/.bashrc
  sts-emulator completion zsh > "${fpath[1]}/_sts-emulator"                 then start zsh anew
  sts-emulator completion fish > ~/.config/fish/completions/sts-emulator.fish
"""


def add_parser(subparsers: Any) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "completion",
        help="print the completions of a shell",
        description="Print a script by which a shell completes commands, flags and choices.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print the script."""
    import shtab

    from sts_emulator.cli.main import parser_of

    print(shtab.complete(parser_of([]), arguments.shell))
