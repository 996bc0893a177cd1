"""`sts-emulator`: finds the command's module, runs it, and turns what goes wrong into a line on standard error."""

from __future__ import annotations

import argparse
import gc
import importlib
import keyword
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from sts_emulator.cli.errors import INTERRUPTED, CommandError
from sts_emulator.cli.screen import HelpText
from sts_emulator.core.terminal import printable

COMMANDS = (
    *("serve", "start", "stop", "status", "logs"),
    *("env", "inspect", "token", "check", "lint", "who-can", "what-can", "diff", "import", "least-privilege"),
    *("explain", "events", "world", "certs", "saml", "mfa", "exec", "imds", "workload", "approve", "messages"),
    *("access", "choose", "class", "credential-process", "lab"),
    *("completion", "sso"),
)
"""Modules of this package, `-` being `_` there. Each has HELP, DESCRIPTION, perhaps EPILOG, `add_options(parser)`, and
`run`, a function of the parsed arguments that returns an exit code or None; where there are actions, each sets its own.
"""

BROKEN_PIPE = 141

# What argparse says of a choice and of a flag that it does not know
_CHOICE = re.compile(r"invalid choice: '([^']*)'( \(choose from .*\))", re.DOTALL)
_UNKNOWN = re.compile(r"unrecognized arguments: .*?(--[\w-]+)")

_EPILOG = """\
exit codes: 0 done; 1 the answer is no, or the server refused; 2 the command or its input cannot be used
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = parser_of(given)
    parsed = parser.parse_args(given)
    if not gc.isenabled():  # as when this is the process's command
        gc.freeze()
        gc.enable()
    try:
        code: int = parsed.run(parsed) or 0
        sys.stdout.flush()
    except CommandError as error:
        print(f"sts-emulator: {_shown(str(error), given)}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _shown(message: str, given: Sequence[str]) -> str:
    """A message as a terminal may show it; what a word of the command line has in it starts no line of its own."""
    for word in given:
        message = message.replace(word, printable(word)) if not word.isprintable() else message
    return "\n".join(map(printable, message.split("\n")))


class _Version(argparse.Action):
    """Prints the version; looked up only then, because reading package metadata takes 20 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"sts-emulator {version('sts-emulator')}")
        parser.exit()


class _Parser(argparse.ArgumentParser):
    """Says what was probably meant by a command, choice or flag that there is not, with the usage of its command."""

    given: Sequence[str] = ()

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=HelpText, allow_abbrev=False, **settings)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Likewise argparse's, but what is unknown is refused here, not by the parser above."""
        self.given = [*(args or ())]
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Likewise argparse's, with the nearest name."""
        from sts_emulator.core.spelling import meant

        if choice := _CHOICE.search(message):
            message = message[: choice.end(1) + 1] + (meant(choice[1], re.findall(r"[\w-]+", choice[2])) or choice[2])
        elif flag := _UNKNOWN.search(message):
            message += meant(flag[1], self._option_string_actions)
        elif "required: " in message and not any(action.nargs == argparse.REMAINDER for action in self._actions):
            # argparse misses arguments before it sees a flag that there is not
            flags = [word.partition("=")[0] for word in self.given if word.startswith("--")]
            unknown = [flag for flag in flags if flag not in self._option_string_actions]
            told = [f"; there is no `{flag}`{meant(flag, self._option_string_actions)}" for flag in unknown]
            message += "".join(told) or f"; `{self.prog} --help` tells more"
        super().error(printable(message))


def parser_of(given: Sequence[str]) -> argparse.ArgumentParser:
    """The parser: with the command that is given, or with all of them."""
    parser = _Parser(
        prog="sts-emulator",
        description="Every way to get AWS credentials, on your own machine, with a real trust decision.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    # Only the module that is asked for is loaded, all of them for help and for mistakes.
    for name in given[:1] if given and given[0] in COMMANDS else () if list(given) == ["--version"] else COMMANDS:
        module = f"sts_emulator.cli.{name.replace('-', '_')}{'_' if keyword.iskeyword(name) else ''}"
        command = importlib.import_module(module)
        texts = {"description": command.DESCRIPTION, "epilog": getattr(command, "EPILOG", None)}
        command_parser = subparsers.add_parser(name, help=command.HELP, **texts)
        command_parser.set_defaults(run=getattr(command, "run", None))
        command.add_options(command_parser)
    return parser
