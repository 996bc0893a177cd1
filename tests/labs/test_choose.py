"""`choose`: every situation of the decision matrix, asked on a terminal and by options, and argued against all others."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.cli.main import main, parser_of
from sts_emulator.labs.matrix import Choice, matrix

ROOT = Path(__file__).parents[2]

# What comes up, and what fits: written here once more, so that the file that ships cannot agree with itself alone.
PROGRAM = "--who program --takes any --has nothing"
ROWS = {
    "EC2, ECS or Lambda need AWS": (f"{PROGRAM} --where aws", "instance-profile"),
    "an employee needs console or CLI": ("--who person --person employee --sign-in new", "identity-center"),
    "CI/CD": (f"{PROGRAM} --where ci --proof token", "oidc"),
    "another account": ("--who program --takes any --has credentials", "assume-role"),
    "a server on premises": (f"{PROGRAM} --where on-premises --proof certificate", "roles-anywhere"),
    "a phone app's user uploads": ("--who person --person customer --calls aws", "cognito"),
    "a legacy program that cannot change": ("--who program --takes keys", "access-keys"),
    "an existing SAML sign-in": ("--who person --person employee --sign-in saml", "saml"),
    "Azure or Google Cloud, with a certificate": (
        f"{PROGRAM} --where other-cloud --proof certificate",
        "roles-anywhere",
    ),
    "Azure or Google Cloud, with a token": (f"{PROGRAM} --where other-cloud --proof token", "oidc"),
}


def chosen(capsys: pytest.CaptureFixture[str], options: str) -> dict:
    assert main(["choose", *options.split(), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("options", "method"), ROWS.values(), ids=list(ROWS))
def test_each_row_of_the_matrix_comes_out_and_is_argued(capsys, options: str, method: str):
    choice = chosen(capsys, options)

    assert choice["method"] == method
    assert choice["because"]
    assert set(choice["not"]) == set(matrix().methods) - {method}, "each of the others is argued against"
    assert (ROOT / choice["page"]).exists()


def test_the_situations_that_ship_are_those_rows():
    by_answers = {tuple(sorted(options.split())): method for options, method in ROWS.values()}
    for situation in matrix().situations.values():
        options = tuple(sorted(word for name, answer in situation.answers.items() for word in (f"--{name}", answer)))
        assert by_answers.pop(options) == situation.method
    assert not by_answers


def test_every_way_through_the_questions_ends_in_an_argument():
    table = matrix()
    paths = list(table.paths())

    assert {choice.method.name for choice in paths} == set(table.methods)
    asked = {(name, word) for choice in paths for name, word in choice.answers.items()}
    assert asked == {(name, word) for name, question in table.questions.items() for word in question.answers}
    for choice in paths:
        assert choice.because
        assert all(choice.others.values())


def test_no_reason_is_never_given():
    table = matrix()
    given = {text for choice in table.paths() for text in (choice.because, *choice.others.values())}
    told = {reason.because for method in table.methods.values() for reason in (*method.pro, *method.contra)}

    assert told == given


def test_the_options_are_the_questions():
    (command,) = parser_of(["choose"])._subparsers._group_actions[0].choices.values()
    options = {
        action.dest.replace("_", "-"): set(action.choices) for action in command._actions if action.choices is not None
    }
    assert options == {name: set(question.answers) for name, question in matrix().questions.items()}


def test_where_nobody_can_be_asked_the_question_that_is_open_is_told(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())  # as a job has it
    assert main(["choose", "--who", "person"]) == 2
    assert "say --person employee|customer" in capsys.readouterr().err


def test_what_makes_no_difference_is_told_so(capsys):
    assert chosen(capsys, "--who person --person employee --sign-in new --where aws")["not_asked"] == ["where"]


def test_an_app_that_calls_an_api_is_about_the_api(capsys):
    choice = chosen(capsys, "--who person --person customer --calls api --takes any --has nothing --where aws")
    assert choice["method"] == "instance-profile"
    assert "need no AWS credentials" in choice["notes"][0]


def test_the_list_names_every_situation(capsys):
    assert main(["choose", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(situation.told in out for situation in matrix().situations.values())


def test_it_asks_on_a_terminal_until_it_has_an_answer():
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "sts_emulator", "choose", "--takes", "any"]
    asked = subprocess.Popen(command, stdin=child, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.write(parent, b"robot\n2\nnothing\nci\n1\n")
    out, _ = asked.communicate(timeout=120)
    os.close(child)
    os.close(parent)

    assert asked.returncode == 0
    assert "a number from 1 to 2, or one of: person, program" in out
    assert "OIDC federation" in out
    assert "sts-emulator lab start web-identity" in out


def test_a_choice_is_a_value():
    assert isinstance(matrix().choose(matrix().situations["legacy"].answers), Choice)
