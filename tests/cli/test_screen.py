"""What a terminal shows: tables that fit, colour with meaning, what was probably meant, completions."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.cli import screen
from sts_emulator.cli.main import main

SCENARIOS = str(Path(__file__).parents[2] / "trust_policies" / "default.yaml")
WHO_CAN = ["who-can", "github-deploy", SCENARIOS]
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
ROLE = "arn:aws:iam::111122223333:role/github-deploy"


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out.splitlines()


# -- tables ---------------------------------------------------------------------------------------------------------


def test_a_table_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert shown(capsys, *WHO_CAN) == [
        "WHO                                      ROLE",
        "arn:aws:iam:…ions.githubusercontent.com  arn:aws:iam:…2223333:role/github-deploy",
        "    with aud=sts.amazonaws.com, sub=repo:acme/shop:ref:refs/heads/main",
        "    when aud is sts.amazonaws.com and sub is repo:acme/shop:ref:refs/heads/main",
    ]


def test_the_same_in_260_columns_and_in_a_pipe(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "260")
    wide = shown(capsys, *WHO_CAN)
    assert wide[1].split("  ") == [
        PROVIDER,
        ROLE,
        "aud=sts.amazonaws.com, sub=repo:acme/shop:ref:refs/heads/main",
        "aud is sts.amazonaws.com and sub is repo:acme/shop:ref:refs/heads/main",
    ]
    monkeypatch.setenv("COLUMNS", "0")
    assert shown(capsys, *WHO_CAN) == wide, "whoever reads a pipe wants whole names"


def test_wide_and_json_are_whole_whatever_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    assert PROVIDER in "\n".join(shown(capsys, *WHO_CAN, "--wide"))
    assert PROVIDER in "\n".join(shown(capsys, *WHO_CAN, "--json"))


@pytest.mark.parametrize("room", [20, 40, 80, 120, 200])
def test_no_line_is_wider_than_its_terminal(room):
    rows = [("WHO", "ROLE", "EMPTY"), (PROVIDER, ROLE, ""), ("ec2.amazonaws.com", "x" * 300, "")]
    lines = list(screen.table(rows, room))
    assert max(map(len, lines)) <= room
    assert "EMPTY" not in lines[0]
    assert lines[1].endswith("deploy")


def test_what_fits_is_not_shortened():
    assert list(screen.table([("A", "B"), ("short", "y" * 100)], 60)) == [
        "A      B",
        f"short  {'y' * 17}…{'y' * 35}",
    ]


# -- colour ---------------------------------------------------------------------------------------------------------


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """What the command writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **variables}
    with subprocess.Popen(
        [sys.executable, "-m", "sts_emulator", *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env=environment
    ):
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # Linux's way to say that the other side is gone
                break
            if not part:
                break
            told += part
    os.close(ours)
    return told.decode()


def test_colour_means_something_and_can_be_switched_off():
    assert "\033[32m✓\033[0m a developer may become developer" in on_a_terminal("check", SCENARIOS)
    for plain in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\033[32m" not in on_a_terminal("check", SCENARIOS, **plain)


def test_there_is_no_colour_in_a_pipe(capsys):
    assert "\033" not in "\n".join(shown(capsys, "check", SCENARIOS))


# -- what was meant -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["servee"], "serve"),
        (["serve", "--prot", "1"], "--port"),
        (["token", "github", "--reppo", "a/b"], "--repo"),
        (["check", "--format", "jsn"], "json"),
        (["world", "creat"], "create"),
    ],
)
def test_a_slip_is_answered_with_what_there_is(capsys, arguments, meant):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert f"; did you mean `{meant}`?" in capsys.readouterr().err


def test_what_is_near_nothing_gets_the_choices(capsys):
    with pytest.raises(SystemExit):
        main(["check", "--format", "zzzzzz"])
    assert "choose from" in capsys.readouterr().err


def test_a_role_that_is_nearly_there(capsys):
    assert main(["who-can", "github-deplo", SCENARIOS]) == 2
    assert capsys.readouterr().err == "sts-emulator: no role `github-deplo`; did you mean `github-deploy`?\n"


# -- completion -----------------------------------------------------------------------------------------------------


def test_bash_completes_commands_flags_and_choices(capsys, tmp_path: Path):
    script = tmp_path / "completion.bash"
    script.write_text("\n".join(shown(capsys, "completion", "bash")))

    def completed(*words: str) -> set[str]:
        line = " ".join(f"'{word}'" for word in words)
        program = (
            f"source {script}; COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
            f"_shtab_sts_emulator sts-emulator '{words[-1]}' '{words[-2]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        ended = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
        return set(ended.stdout.split())

    assert {"serve", "start", "status", "stop", "inspect"} <= completed("sts-emulator", "s") | completed(
        "sts-emulator", "i"
    )
    assert "--coverage" in completed("sts-emulator", "check", "--cov")
    assert "github" in completed("sts-emulator", "token", "git")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_of_its_shell(capsys, tmp_path: Path, shell):
    script = tmp_path / "completion"
    script.write_text("\n".join(shown(capsys, "completion", shell)))
    assert "who-can" in script.read_text()
    if shutil.which(shell) is None:
        pytest.skip(f"no `{shell}` here: its syntax is not checked")
    assert subprocess.run([shell, "-n", str(script)], capture_output=True, check=False).returncode == 0
