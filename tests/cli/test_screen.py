"""What a terminal shows: tables that fit, colour with meaning, what was probably meant, completions."""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import pty
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
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


# -- patience -------------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """Standard error that is one, and says when something has been written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)


def test_what_takes_long_says_so_on_a_terminal_and_cleans_up(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(screen, "PATIENCE", 0.001)
    with screen.patience("looking at policies"):
        assert terminal.written.wait(240)
    told = terminal.getvalue()
    assert told.startswith("\r\033[Klooking at policies … 1 s")
    assert told.endswith("\r\033[K")


def test_nothing_is_said_where_nobody_looks(monkeypatch):
    nobody = io.StringIO()
    monkeypatch.setattr(sys, "stderr", nobody)
    monkeypatch.setattr(screen, "PATIENCE", 0.001)
    with screen.patience("looking at policies"):
        pass
    assert nobody.getvalue() == ""


def test_every_command_that_may_take_long_is_patient(tmp_path: Path, monkeypatch):
    """Whatever reads files of others, which may be large."""
    told: list[str] = []

    @contextlib.contextmanager
    def patience(what: str) -> Iterator[None]:
        told.append(what)
        yield

    for module in ("lint", "import_", "check", "certs", "who_can", "what_can", "diff"):
        imported = importlib.import_module(f"sts_emulator.cli.{module}")
        monkeypatch.setattr(imported if hasattr(imported, "patience") else screen, "patience", patience)
    monkeypatch.chdir(tmp_path)
    Path("certs").mkdir()
    Path("certs/pki.yaml").write_text("authorities: {root: {subject: {CN: Root}}}")
    for command in (
        ["lint", SCENARIOS],
        ["check", SCENARIOS],
        ["who-can", "developer", SCENARIOS],
        ["what-can", "alice", SCENARIOS],
        ["diff", SCENARIOS, SCENARIOS],
        ["certs"],
    ):
        told.clear()
        main(command)
        assert told, command


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


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts of all shells, named as zsh wants its own to be."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in ("bash", "zsh", "fish"):
        command = [sys.executable, "-m", "sts_emulator", "completion", shell]
        (folder / shell).write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    (folder / "zsh").rename(folder / "_sts-emulator")
    return folder


def by_bash(scripts: Path, line: str) -> str:
    """What the line becomes by its Tab."""
    words = line.split()
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"source {scripts / 'bash'}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        f"_shtab_sts_emulator sts-emulator '{words[-1]}' '{words[-2]}'; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    ended = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=False)
    return " ".join([*words[:-1], ended.stdout.strip()])


def by_fish(scripts: Path, line: str) -> str:
    program = f"source {scripts / 'fish'}; complete -C '{line}'"
    environment = {"PATH": os.environ["PATH"], "HOME": str(scripts)}
    ended = subprocess.run(["fish", "-c", program], capture_output=True, text=True, env=environment, check=False)
    (completed,) = (offered.split("\t")[0] for offered in ended.stdout.splitlines())
    return " ".join([*line.split()[:-1], completed])


def by_zsh(scripts: Path, line: str) -> str:
    """Typed into a shell, the command being one that says with what it was called."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {"PATH": os.environ["PATH"], "HOME": str(scripts), "TERM": "dumb"})
    told = b""

    def type_in(keys: str, until: bytes) -> None:
        nonlocal told
        os.write(terminal, keys.encode())
        while until not in told:
            told += os.read(terminal, 65_536)

    # A Tab that is typed ahead is to be one too; the marks are written so that the echo of them is none.
    type_in(
        f"fpath=({scripts} $fpath); autoload -Uz compinit; compinit -u -D; zstyle ':completion:*' insert-tab false; "
        "sts-emulator() { print -r -- 'CAL''LED' $* 'E''ND' }; print 'REA''DY'\n",
        b"READY\r\n",
    )
    type_in(f"{line}\t\n", b" END\r\n")
    os.close(terminal)
    os.waitpid(child, 0)
    called = re.search(rb"CALLED (.*?) END\r\n", told)
    assert called
    return f"sts-emulator {called[1].decode()}"


@pytest.mark.parametrize("shell", [by_bash, by_zsh, by_fish], ids=lambda shell: shell.__name__[3:])
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("sts-emulator insp", "sts-emulator inspect"),
        ("sts-emulator token gith", "sts-emulator token github"),
        ("sts-emulator world adv", "sts-emulator world advance"),
        ("sts-emulator check --cov", "sts-emulator check --coverage"),
        ("sts-emulator token github --immu", "sts-emulator token github --immutable"),
    ],
)
def test_a_shell_completes(scripts: Path, shell: Callable[[Path, str], str], typed: str, completed: str):
    if shutil.which(shell.__name__[3:]) is None:
        pytest.skip(f"no `{shell.__name__[3:]}` here")
    assert shell(scripts, typed) == completed


@pytest.mark.parametrize("shell", [by_bash, by_fish], ids=lambda shell: shell.__name__[3:])
def test_a_shell_completes_choices(scripts: Path, shell: Callable[[Path, str], str]):
    if shutil.which(shell.__name__[3:]) is None:
        pytest.skip(f"no `{shell.__name__[3:]}` here")
    assert shell(scripts, "sts-emulator check --format js") == "sts-emulator check --format json"


@pytest.mark.parametrize("shell", [by_bash, by_zsh, by_fish], ids=lambda shell: shell.__name__[3:])
def test_a_shell_completes_files(scripts: Path, shell: Callable[[Path, str], str], monkeypatch):
    if shutil.which(shell.__name__[3:]) is None:
        pytest.skip(f"no `{shell.__name__[3:]}` here")
    (scripts / "plan.json").touch()
    monkeypatch.chdir(scripts)
    assert shell(scripts, "sts-emulator lint pla") == "sts-emulator lint plan.json"
