"""`sts-emulator`: finds the command's module, runs it, and turns what goes wrong into a line on standard error."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import keyword
import os
import sys
from collections.abc import Sequence

from sts_emulator.cli.errors import CommandError

COMMANDS = (
    *("serve", "start", "stop", "status", "logs"),
    *("env", "inspect", "token", "check", "lint", "who-can", "what-can", "diff", "import"),
    *("explain", "events", "world", "certs", "saml", "mfa", "exec", "imds", "workload", "approve", "messages"),
)
"""Modules of this package, `-` being `_` there. Each has `add_parser(subparsers)`, which sets the default `run`: a
function of the parsed arguments that returns an exit code or None."""

INTERRUPTED = 130  # as shells write it: 128 and the signal's number
BROKEN_PIPE = 141

_EPILOG = """\
exit codes: 0 done; 1 the answer is no, or the server refused; 2 the command or its input cannot be used
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser(given)
    parsed = parser.parse_args(given)
    try:
        code: int = parsed.run(parsed) or 0
        sys.stdout.flush()
    except CommandError as error:
        print(f"sts-emulator: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has had enough; keep the interpreter from complaining when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


class _Version(argparse.Action):
    """Prints the version; looked up only then, because reading package metadata takes 20 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"sts-emulator {version('sts-emulator')}")
        parser.exit()


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sts-emulator",
        description="Every way to get AWS credentials, on your own machine, with a real trust decision.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    # Only the module that is asked for is loaded, all of them for help and for mistakes.
    for name in given[:1] if given and given[0] in COMMANDS else COMMANDS:
        module = f"sts_emulator.cli.{name.replace('-', '_')}{'_' if keyword.iskeyword(name) else ''}"
        if importlib.util.find_spec(module) is not None:
            importlib.import_module(module).add_parser(subparsers)
    return parser
