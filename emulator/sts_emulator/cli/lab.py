"""`lab`: labs in the terminal: begun, read, predicted, checked, solved and reset; and the proof that they hold."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from sts_emulator.cli.control import DEFAULT_WORLD, answers, control, settings_from_environment
from sts_emulator.cli.env import FORMATS, variables
from sts_emulator.cli.errors import REFUSED, UNUSABLE, CommandError
from sts_emulator.cli.inputs import finish_action
from sts_emulator.cli.learner import Learner
from sts_emulator.cli.screen import Commands, Run, answer, painted
from sts_emulator.core.hosts import is_loopback
from sts_emulator.core.terminal import printable

WORLD = "lab"
WIDTH = 100
_MARKS = {"new": " ", "begun": "~", "solved": "✓"}
_SCORES = {
    "waiting": "predicted; now run the commands",
    "right": "✓ right",
    "other layer": "~ denied it is, but by another layer",
    "wrong": "✗ it came otherwise",
}

EPILOG = """\
examples:
  sts-emulator lab list
  sts-emulator lab start access-keys
  sts-emulator lab predict access-keys steal deny --layer identity
  sts-emulator lab check access-keys
"""


HELP = "learn by hand: ten labs, each an attack to stop"
DESCRIPTION = (
    "Labs: real commands in a world of your own. A lab keeps what you have done in that world, "
    "so that the terminal and the browser show the same."
)


def add_options(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _action(actions, "list", _list, "list the labs, and how far you are", name=False)
    _action(actions, "start", _start, "begin a lab: its world is set up, and the story told")
    _action(actions, "show", _show, "tell the lab again, with what you have predicted")
    _action(actions, "env", _env, 'print the variables for your shell: eval "$(sts-emulator lab env NAME)"')
    predict = _action(actions, "predict", _predict, "say what a step will come to, before you run it")
    predict.add_argument("step", metavar="STEP")
    predict.add_argument("answer", choices=("allow", "deny"))
    predict.add_argument("--layer", metavar="LAYER", default="", help="what will refuse it: proof, trust, identity, …")
    _action(actions, "check", _check, "see what is done, and what is not yet")
    _action(actions, "hint", _hint, "the next hint; each tells a little more")
    _action(actions, "solve", _solve, "show one way, and run it")
    _action(actions, "reset", _reset, "begin again from nothing")
    lint = _action(
        actions, "lint", _lint, "prove that a lab, or all, can be done and that what it says is so", name=False
    )
    lint.add_argument("names", nargs="*", metavar="NAME")


def _action(actions: Commands, verb: str, run: Run, told: str, *, name: bool = True) -> argparse.ArgumentParser:
    parser = actions.add_parser(verb, help=told.replace("%", "%%"))
    if name:
        parser.add_argument("name", metavar="NAME")
    finish_action(parser, run)
    return parser


@contextmanager
def _learner(arguments: argparse.Namespace) -> Iterator[Learner]:
    """Whoever does labs: in the world that is named, or in `lab`."""
    with control(arguments) as emulator:
        if arguments.world == DEFAULT_WORLD:
            arguments.world = WORLD
        yield Learner(emulator, arguments.world)


# -- telling ---------------------------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        labs = learner.overview() if answers(learner.url) else _shelf()
    lines = [line for number, lab in enumerate(labs, 1) for line in _head(number, lab)]
    answer(arguments, labs, *lines, "", "next: sts-emulator lab start NAME")


def _shelf() -> list[dict[str, Any]]:
    """What there is, where no server knows of anybody."""
    from sts_emulator.labs import learning

    return learning.overview(None)


def _head(number: int, lab: Mapping[str, Any]) -> Iterator[str]:
    yield f"{_MARKS[lab['state']]} {number:>2} {lab['name']:<17} {lab['title']} ({lab['minutes']} minutes)"
    yield from textwrap.wrap(lab["summary"], WIDTH, initial_indent=" " * 5, subsequent_indent=" " * 5)


def _start(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        _serve(learner.url)
        told = learner.start(arguments.name)
    answer(arguments, told, *_told(told))
    _print_environment(arguments, told)


def _serve(url: str) -> None:
    """Start an emulator in the background where none answers on this machine, with moto behind it if that is here."""
    import contextlib
    import sys
    from importlib.util import find_spec

    from sts_emulator.cli.main import main

    parts = urlsplit(url)
    if not is_loopback(parts.hostname or "") or parts.scheme != "http" or answers(url):
        return
    upstream = ["--upstream", "moto"] if find_spec("moto") and find_spec("flask") else []
    with contextlib.redirect_stdout(sys.stderr):
        code = main(["start", "--host", parts.hostname or "", "--port", str(parts.port or 80), *upstream])
    if code:
        raise CommandError(f"no emulator answers at {url}, and none could be started", code)


def _show(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        told = learner.read(arguments.name)
    answer(arguments, told, *_told(told))


def _told(lab: Mapping[str, Any]) -> Iterator[str]:
    yield from (lab["title"].upper(), f"{lab['method']}, about {lab['minutes']} minutes", "", *_lines(lab["story"]))
    yield from ("", *_lines(lab["picture"]), "")
    for word, meaning in lab["words"].items():
        yield from textwrap.wrap(f"{word}: {meaning}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    for number, step in enumerate(lab["steps"], 1):
        yield from ("", f"{number}. {step['title']}  [{step['name']}]", "", *_lines(step["text"]))
        yield from _asked(lab["name"], step)
        yield from (f"    {line}" for line in step["commands"].rstrip().split("\n") if step["commands"])
    if lab["learned"]:
        yield from ("", *_afterwards(lab))
    else:
        yield from ("", f"done?  sts-emulator lab check {lab['name']}     stuck?  sts-emulator lab hint {lab['name']}")


def _afterwards(lab: Mapping[str, Any]) -> Iterator[str]:
    """What is told once it is solved: what was learned, and which ways do not do."""
    yield from ("solved.", *_lines(lab["learned"]))
    if lab["wrong"]:
        yield from ("", f"ways that do not do; try one, after `sts-emulator lab reset {lab['name']}`:")
    for way in lab["wrong"]:
        yield from ("", *textwrap.wrap(way["text"], WIDTH, initial_indent="✗ ", subsequent_indent="  "))
        yield from (f"    {line}" for line in _lines(way["commands"]))


def _asked(name: str, step: Mapping[str, Any]) -> Iterator[str]:
    """What is to be predicted, or what was, and what came of it."""
    asked = step["prediction"]
    if asked is None:
        return
    yield f"  ? {asked['question']}"
    guess = asked["guess"]
    if guess is None:
        yield f"    before you look: sts-emulator lab predict {name} {step['name']} allow   (or: deny --layer …)"
        return
    said = " by ".join(filter(None, (guess["answer"], guess["layer"])))
    yield f"    you said: {said}; {_SCORES[asked['score']]}"
    if asked["came"]:
        came = " by ".join(filter(None, (asked["came"]["answer"], asked["came"]["layer"])))
        yield f"    it came to: {came} (sts-emulator explain {asked['came']['event']})"
        yield from (f"    {line}" for line in _lines(asked["because"]))
    yield ""


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n") if text.strip() else []


def _env(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        told = learner.read(arguments.name)
    _print_environment(arguments, told, bare=True)


def _print_environment(arguments: argparse.Namespace, told: Mapping[str, Any], *, bare: bool = False) -> None:
    is_json = getattr(arguments, "json", False)
    if is_json and not bare:  # it is part of the answer
        return
    given = told["environment"]
    if not given:
        raise CommandError(f"lab `{told['name']}` has not begun: `sts-emulator lab start {told['name']}`", REFUSED)
    region = settings_from_environment().region
    shell = {**variables(given["endpoint"], given, region), **given["variables"]}
    if not bare:
        print("\npaste this into your shell first; the commands above need it:\n")
    if not is_json:  # with these, our own commands would not ask the endpoint's world
        print("unset EMULATOR_HOST EMULATOR_PORT")
    print("\n".join(FORMATS["json" if is_json else "sh"](shell)))


# -- doing -----------------------------------------------------------------------------------------------------------


def _predict(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        told = learner.predict(arguments.name, arguments.step, arguments.answer, arguments.layer)
    step = next(step for step in told["steps"] if step["name"] == arguments.step)
    answer(arguments, step["prediction"], *_asked(arguments.name, step), *_lines(step["commands"]))


def _check(arguments: argparse.Namespace) -> int:
    with _learner(arguments) as learner:
        result = learner.check(arguments.name)
    lines = []
    for check in result["checks"]:
        lines.append(f"{'✓' if check['is_passed'] else '✗'} {check['title']}")
        lines += textwrap.wrap(check["wrong"], WIDTH, initial_indent="    ", subsequent_indent="    ")
    scores = [(step, step["prediction"]) for step in result["told"]["steps"] if step["prediction"]]
    if any(asked["guess"] for _, asked in scores):
        lines += ["", "your predictions:"]
        lines += [f"  {step['title']}: {_SCORES[asked['score']]}" for step, asked in scores if asked["guess"]]
    if result["solved"]:
        lines += ["", *_afterwards(result["told"])]
    answer(arguments, result, *lines)
    return 0 if result["solved"] else REFUSED


def _hint(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        hint = learner.hint(arguments.name)
    answer(arguments, {"hint": hint}, *_lines(hint))


def _solve(arguments: argparse.Namespace) -> int:
    from sts_emulator.labs import proof

    with _learner(arguments) as learner:
        learner.start(arguments.name)
        learner.note_solution(arguments.name)
        is_json = getattr(arguments, "json", False)
        proof.solve(learner, arguments.name, *(() if is_json else (_tell_step,)))
    return _check(arguments)


def _tell_step(step: Any) -> None:
    print(painted(printable(f"\n# {step.title}")))
    for line in _lines(step.commands) + _lines(step.solution):
        print(printable(f"  {line}"), flush=True)


def _reset(arguments: argparse.Namespace) -> None:
    with _learner(arguments) as learner:
        told = learner.start(arguments.name)
    answer(arguments, told, f"lab `{arguments.name}` begins again; your keys are the same kind, but new:")
    _print_environment(arguments, told)


def _lint(arguments: argparse.Namespace) -> int:
    from sts_emulator.labs import shelf

    unknown = [name for name in arguments.names if name not in shelf.names()]
    if unknown:
        raise CommandError(f"no lab `{unknown[0]}`; there are {', '.join(shelf.names())}", UNUSABLE)
    with _learner(arguments) as learner:
        told = {name: _faults(learner, name) for name in arguments.names or shelf.names()}
    lines = []
    for name, faults in told.items():
        lines += [f"{'✗' if faults else '✓'} {name}", *(f"    {fault}" for fault in faults)]
    answer(arguments, told, *lines)
    return REFUSED if any(told.values()) else 0


def _faults(learner: Learner, name: str) -> list[str]:
    from sts_emulator.labs import proof
    from sts_emulator.scenario import ScenarioError

    try:
        return list(proof.faults(learner, name))
    except ScenarioError as error:
        return [f"{problem.where.file}:{problem.where.line}: {problem.message}" for problem in error.problems]
    except CommandError as error:  # a scenario that the server refuses, a server that is gone
        return [str(error)]
