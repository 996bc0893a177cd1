"""The commands that need no server, and how every command tells what goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sts_emulator.cli.main import COMMANDS, main

EXAMPLES = Path(__file__).parents[2] / "trust_policies"
NOBODY = "127.0.0.1:9"  # the discard port: nothing answers there

GOOD = """
accounts:
  "111122223333":
    users: {alice: }
    roles: {r: {trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:user/alice"}, Action: sts:AssumeRole}]}}
expect:
  - {name: alice gets in, assume: r, caller: {user: alice}}
"""
FAILING = GOOD + "  - {name: alice stays out, assume: r, caller: {user: alice}, result: deny}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "failing.yaml").write_text(FAILING)
    (tmp_path / "typo.yaml").write_text(GOOD.replace("users:", "usres:"))
    return tmp_path


def run(*arguments: str, **options):
    command = [sys.executable, "-m", "sts_emulator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


# -- the command itself ---------------------------------------------------------------------------------------------


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"\n    {name} " in told for name in ("serve", "env", "token", "check", "explain", "events", "world"))
    assert "exit codes" in told


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("certs", "saml")])
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: sts-emulator {name}")


def test_the_version(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("sts-emulator ")


@pytest.mark.parametrize(
    "arguments",
    [[], ["srve"], ["serve", "--prot", "1"], ["env", "--format", "toml"], ["world"], ["token"], ["token", "nobody"]],
)
def test_a_command_line_that_cannot_be_understood(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    assert "error: " in captured.err


@pytest.mark.parametrize(
    ("line", "usage", "told"),
    [
        ("lint --formt json", "lint", "unrecognized arguments: --formt; did you mean `--format`?"),
        ("who-can --hepl", "who-can", "are required: ROLE; there is no `--hepl`; did you mean `--help`?"),
        ("who-can", "who-can", "are required: ROLE; `sts-emulator who-can --help` tells more"),
    ],
)
def test_a_slip_is_told_with_the_usage_of_its_command(
    line: str, usage: str, told: str, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit):
        main(line.split())
    shown = capsys.readouterr().err
    assert shown.startswith(f"usage: sts-emulator {usage} ")
    assert shown.endswith(f"{told}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["env"],
        ["token", "github"],
        ["events"],
        ["explain"],
        ["explain", "0cfb1698-b8a9-44ef-ad09-4da0dfd1fc8d"],
        ["world", "list"],
        ["world", "create", "lab"],
    ],
)
def test_without_a_server_one_line_says_so(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert main([*arguments, "--port", "9"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        f"sts-emulator: no emulator answers at http://{NOBODY} (connection refused); start one: `sts-emulator start`\n"
    )


def test_a_setting_that_there_is_none_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("EMULATOR_PROT", "1")
    assert main(["env"]) == 2
    assert capsys.readouterr().err.startswith("sts-emulator: unknown setting `EMULATOR_PROT`; known are ")


def test_whoever_stops_reading_is_not_complained_at():
    ended = subprocess.run(
        f"{sys.executable} -m sts_emulator check {EXAMPLES} | head -1; echo ${{PIPESTATUS[0]}} >&2",
        shell=True,
        executable="/bin/bash",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_a_start_loads_nothing_heavy():
    code = "import sys; from sts_emulator.cli.main import main; main(['env', '--port', '9']); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(ended.stdout.split())
    assert not loaded & {
        "yaml",
        "fastapi",
        "pydantic",
        "asyncio",
        "cryptography",
        "lxml",
        "boto3",
        "botocore",
        "sqlite3",
    }


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("file", ["trust.json", "good.yaml"])
def test_lint_loads_nothing_that_answers_calls(here: Path, file: str):
    """It runs on every commit: what it costs is in tests/bench."""
    (here / "trust.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    code = f"import sys; from sts_emulator.cli.main import main; main(['lint', {file!r}]); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(ended.stdout.split())
    assert "sts_emulator.policy.linting.lint" in loaded
    heavy = {"asyncio", "ssl", "sqlite3", "cryptography", "sts_emulator.wire.models", "sts_emulator.vending.context"}
    assert not loaded & (heavy | ({"yaml"} if file.endswith(".json") else set()))


# -- check ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_check_exits_0_when_everything_comes_as_expected(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "good.yaml"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "good.yaml",
        "  ✓ alice gets in",
        "1 expectation: 1 came as expected, 0 did not",
    ]


@pytest.mark.usefixtures("here")
def test_check_exits_1_and_shows_the_tree_of_what_did_not(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "--quiet", "good.yaml", "failing.yaml"]) == 1
    told = capsys.readouterr().out
    assert "✗ alice stays out\n    failing.yaml:8: expected deny, got allow" in told
    assert "Statement[0]" in told
    assert "alice gets in" not in told
    assert told.endswith("3 expectations: 2 came as expected, 1 did not\n")


@pytest.mark.usefixtures("here")
def test_check_exits_2_for_a_scenario_that_cannot_be_used(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "typo.yaml", "failing.yaml"]) == 2
    told = capsys.readouterr()
    assert "typo.yaml:4: unknown key `usres`; did you mean `users`?" in told.out
    assert "2 expectations: 1 came as expected, 1 did not\n1 file could not be used" in told.out


@pytest.mark.usefixtures("here")
def test_check_of_what_is_not_there(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "none.yaml"]) == 2
    assert capsys.readouterr().err == "sts-emulator: none.yaml: no such file or folder\n"


@pytest.mark.usefixtures("here")
def test_check_without_a_folder_to_look_in_does_not_pass(capsys: pytest.CaptureFixture[str]):
    assert main(["check"]) == 2
    assert capsys.readouterr().err == (
        "sts-emulator: there is no folder `trust_policies` here; name files or folders\n"
    )


def test_check_takes_folders_and_by_default_the_one_here(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "trust_policies").mkdir()
    (here / "trust_policies" / "mine.yaml").write_text(GOOD)
    assert main(["check"]) == 0
    assert capsys.readouterr().out.startswith("trust_policies/mine.yaml\n")


@pytest.mark.parametrize(
    "data", [b"\x00", b"\xff", b"[" * 5000, b"a: &a [*a]", b"- 1\n- 2", b"accounts: 7", b'{"accounts": {"1": []}}']
)
def test_check_never_ends_in_a_traceback(here: Path, data: bytes, capsys: pytest.CaptureFixture[str]):
    (here / "bad.yaml").write_bytes(data)
    assert main(["check", "bad.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out.startswith("bad.yaml:1: ")
    assert captured.err == ""


# -- explain --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_explain_works_on_a_file(capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "failing.yaml", "--only", "gets in"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("failing.yaml:7: alice gets in: allow\n")
    assert "✓ sts:AssumeRole ALLOWED" in told
    assert "stays out" not in told


@pytest.mark.usefixtures("here")
def test_explain_of_a_file_as_data(capsys: pytest.CaptureFixture[str]):
    assert main(["explain", "failing.yaml", "--json"]) == 0
    kept, broken = json.loads(capsys.readouterr().out)["expectations"]
    assert (kept["name"], kept["line"], kept["passed"], kept["outcome"]) == ("alice gets in", 7, True, "allowed")
    assert (broken["name"], broken["passed"]) == ("alice stays out", False)
    assert broken["explanation"]["decision"] == "allow"


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.yaml"], "none.yaml: no such file or folder"),
        (["good.yaml", "none.yaml"], "none.yaml: no such file or folder"),
        (["--last", "good.yaml"], "--last stands for an event, so no other can be named"),
        (["typo.yaml"], "typo.yaml:4: unknown key `usres`; did you mean `users`?"),
    ],
)
def test_explain_of_what_cannot_be(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", *arguments]) == 2
    assert capsys.readouterr().err == f"sts-emulator: {message}\n"


# -- serve ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
def test_serve_does_not_start_on_a_scenario_with_a_mistake():
    ended = run("serve", "--port", "0", "--scenario", "good.yaml", "--scenario", "typo.yaml")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "sts-emulator: nothing was started\ntypo.yaml:4: unknown key `usres`; did you mean `users`?\n"
    )


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("where", [("--port", "99999"), ("--host", "not.an.address.invalid"), ("--host", "192.0.2.1")])
def test_serve_says_that_it_cannot_listen_there(where: tuple[str, str]):
    ended = run("serve", *where)
    assert ended.returncode == 2
    assert ended.stderr.startswith("sts-emulator: cannot listen on ")


def test_serve_says_which_of_its_scenarios_is_not_there():
    ended = run("serve", "--port", "0", "--scenario", "none")
    assert (ended.returncode, ended.stderr) == (2, "sts-emulator: nothing was started\nnone: no such file or folder\n")


# -- world ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "h", "2x", "-5", "1h 30m", "1e3", "2hours"])
def test_durations_that_are_none(text: str, capsys: pytest.CaptureFixture[str]):
    assert main(["world", "advance", "--port", "9", "--", text]) == 2
    assert "is not a duration such as 90, 30m, 2h or 1d12h" in capsys.readouterr().err


# -- which emulator -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://[", "http://[x]:4600", "http://127.0.0.1:x", "http://:1", "ftp://host", "nonsense"]
)
def test_an_endpoint_that_is_none_is_said_to_be_none(url: str, monkeypatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.delenv("EMULATOR_PORT", raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert main(["status"]) == 2
    assert capsys.readouterr().err == f"sts-emulator: `{url}` is not the URL of an emulator\n"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--tls-port 99999", "--tls-port 99999: from 0 to 65535"),
        ("--fresh-ms -5", "--fresh-ms -5: from 0"),
        ("--upstream-patience -1", "--upstream-patience -1: from 0"),
        ("--account abc", "--account takes an account id of twelve digits, got `abc`"),
        ("--upstream-account 12", "--upstream-account takes an account id of twelve digits, got `12`"),
        ("--region eu_central", "--region takes a region such as us-east-1, got `eu_central`"),
        ("--region=", "--region is blank: give it a value, or leave it out"),
        ("--record=", "--record is blank: give it a value, or leave it out"),
        ("--state=", "--state is blank: give it a value, or leave it out"),
        ("--scenario=", "--scenario is blank: give it a value, or leave it out"),
        ("--record .", "--record .: is a directory"),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_value_that_cannot_be_meant_starts_nothing(flags: str, told: str, capsys: pytest.CaptureFixture[str]):
    assert main(["serve", "--port", "0", *flags.split()]) == 2
    assert capsys.readouterr().err == f"sts-emulator: {told}\n"


# -- files that hold nothing -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("text", ["", " \n", "# a comment\n", "null"])
@pytest.mark.parametrize("command", ["lint", "check", "who-can deploy", "what-can deploy", "explain", "diff none.yaml"])
def test_a_file_that_holds_nothing_is_said_to(command: str, text: str, capsys: pytest.CaptureFixture[str]):
    Path("none.yaml").write_text(text)
    assert main([*command.split(), "none.yaml"]) == 2
    told = "".join(capsys.readouterr())
    assert "none.yaml: holds nothing; name another file, or run again what was to write it\n" in told
    assert "nothing found" not in told


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["check", "who-can r", "what-can alice", "lint"])
def test_a_folder_may_have_a_file_that_holds_nothing(command: str, capsys: pytest.CaptureFixture[str]):
    Path("estate").mkdir()
    Path("estate", "none.yaml").write_text("# to be written\n\n")
    main([*command.split(), "estate"])
    assert ("no scenario in estate; estate/none.yaml holds nothing" in capsys.readouterr().err) == (command != "lint")
    Path("estate", "roles.yaml").write_text(GOOD)
    assert main([*command.split(), "estate"]) in (0, 1)
    told = capsys.readouterr()
    assert ("estate/none.yaml: holds nothing, and is left out\n" in told.err) == (command != "lint")
    assert "could not be used" not in told.out


# -- what to do next ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["lint"], "there is no folder `trust_policies` here; name files or folders"),
        (["who-can", "app"], "there is no folder `trust_policies` here; name files or folders"),
        (["certs"], "certs/pki.yaml: no such file; name the folder that has one by --folder"),
        (["certs", "list"], "no certificates in certs; `sts-emulator certs` makes them"),
        (["inspect", "nothing.pem"], "nothing.pem: no such file"),
        (["check", "failng.yaml"], "failng.yaml: no such file or folder; did you mean `failing.yaml`?"),
        (["explain", "nothing.json"], "nothing.json: no such file or folder"),
        (["lint", "--select", "rot-trust"], "there is no rule `rot-trust`; did you mean `root-trust`?"),
        (["lint", "--select", "zzzz"], "there is no rule `zzzz`; `sts-emulator lint --rules` lists them"),
        (
            ["env", "--format", "profile", "--profile", "a]b"],
            "`a]b` cannot be a profile's name: letters, digits and . _ @ + - can",
        ),
    ],
    ids=lambda words: " ".join(words) if isinstance(words, list) else "",
)
def test_a_refusal_says_what_to_do_next(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]):
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"sts-emulator: {told}\n"
