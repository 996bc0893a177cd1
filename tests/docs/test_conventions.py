"""What other tools read of this repository: the GitHub Action, the pre-commit hooks, the examples and the lint page."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import lint_page
import pytest
import yaml

from sts_emulator.cli.main import COMMANDS, main
from sts_emulator.shared_server import free_port

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
GOOD = """
accounts:
  "111122223333":
    users: {alice: {inline: {all: [{Effect: Allow, Action: "sts:*", Resource: "arn:aws:iam::111122223333:role/app"}]}}}
    roles: {app: {trust: [{Effect: Allow, Principal: {AWS: "111122223333"}, Action: sts:AssumeRole}]}}
expect:
  - {assume: app, caller: {user: alice}}
"""


# -- the lint page -----------------------------------------------------------------------------------------------------------


def test_the_lint_page_is_made_from_the_rules():
    assert lint_page.PAGE.read_text("utf-8") == lint_page.page(), "run `python tests/docs/lint_page.py`"


# -- the GitHub Action --------------------------------------------------------------------------------------------------------


def step(name: str) -> dict:
    (step,) = [step for step in ACTION["runs"]["steps"] if step["name"] == name]
    return step


def run_step(name: str, folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step's script as a runner does: inputs by way of its `env`, commands found on the path."""
    given = {key: str(value.get("default", "")) for key, value in ACTION["inputs"].items()} | {
        key.replace("_", "-"): value for key, value in inputs.items()
    }
    environment = {
        variable: given[re.fullmatch(r"\$\{\{ inputs\.([a-z-]+) }}", written)[1]]
        for variable, written in step(name)["env"].items()
    }
    for file in ("GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        environment[file] = str(folder / file)
    environment |= {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(folder),
        "PYTHONUTF8": "1",
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_no_input_reaches_a_shell_but_by_the_environment():
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_the_action_checks(tmp_path: Path):
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD + "  - {assume: app, caller: {user: alice}, result: deny}\n")
    good = run_step("Check", tmp_path, paths="good.yaml", junit="out/junit.xml", sarif="out/check.sarif", mutate="true")
    assert good.returncode == 0, good.stderr
    assert (tmp_path / "out" / "junit.xml").exists()
    assert (tmp_path / "out" / "check.sarif").exists()
    bad = run_step("Check", tmp_path, paths="good.yaml bad.yaml")
    assert bad.returncode == 1
    assert bad.stdout.startswith("::error file=bad.yaml,line=8,")
    assert "✗ app deny" in bad.stderr


def test_the_action_lints_and_compares(tmp_path: Path):
    (tmp_path / "old.yaml").write_text(GOOD)
    (tmp_path / "new.yaml").write_text(GOOD.replace('Principal: {AWS: "111122223333"}', 'Principal: {AWS: "*"}'))
    linted = run_step("Lint", tmp_path, paths="new.yaml", sarif="lint.sarif")
    assert linted.returncode == 1
    assert "::error file=new.yaml,line=5,title=role app" in linted.stdout
    compared = run_step("Compare", tmp_path, paths="old.yaml new.yaml")
    assert compared.returncode == 1
    assert "gains" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()


def test_the_action_serves_for_the_steps_that_follow(tmp_path: Path, unused_port: int):
    (tmp_path / "good.yaml").write_text(GOOD)
    ended = run_step("Serve", tmp_path, scenario="good.yaml", port=str(unused_port))
    try:
        assert ended.returncode == 0, ended.stderr
        variables = dict(line.split("=", 1) for line in (tmp_path / "GITHUB_ENV").read_text().splitlines())
        assert variables["AWS_ENDPOINT_URL"] == f"http://127.0.0.1:{unused_port}"
        assert (tmp_path / "GITHUB_OUTPUT").read_text() == f"endpoint-url=http://127.0.0.1:{unused_port}\n"
        assert main(["world", "list", "--port", str(unused_port)]) == 0
    finally:
        serving = (tmp_path / "sts-emulator.pid").read_text()
        os.kill(int(serving), 15)


@pytest.fixture
def unused_port() -> int:
    return free_port()


# -- pre-commit ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hooks_are_commands_that_take_files(hook: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    program, *arguments = shlex.split(hook["entry"])
    assert (program, hook["language"]) == ("sts-emulator", "python")
    assert arguments[0] in COMMANDS
    (tmp_path / "mine.trust.yaml").write_text(GOOD)
    assert re.search(hook["files"], "mine.trust.yaml")
    assert re.search(hook["files"], "a/trust_policies/x.yml")
    assert not re.search(hook["files"], "deployment.yaml")
    assert main([*arguments, str(tmp_path / "mine.trust.yaml")]) == 0
    capsys.readouterr()


# -- examples -----------------------------------------------------------------------------------------------------------------


def test_the_testcontainers_example_runs_or_says_why_not():
    example = ROOT / "examples" / "testcontainers"
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(example)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stdout
    if shutil.which("docker") is None:
        assert "Docker does not answer here" in ended.stdout


def test_the_scenario_of_the_testcontainers_example_is_one():
    text = (ROOT / "examples" / "testcontainers" / "test_with_testcontainers.py").read_text("utf-8")
    from sts_emulator.scenario import parse

    assert parse(text.split('SCENARIO = """')[1].split('"""')[0]).accounts


# -- the page about CI -----------------------------------------------------------------------------------------------------------


def test_the_page_about_ci_works_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    page = (ROOT / "docs" / "ci.md").read_text("utf-8")
    scenario = re.search(r"```yaml\n(# trust_policies.*?)```", page, re.DOTALL)[1]
    output = re.search(r"\$ sts-emulator check\n(.*?)```", page, re.DOTALL)[1]
    (tmp_path / "trust_policies").mkdir()
    (tmp_path / "trust_policies" / "deploy.yaml").write_text(scenario)
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 0
    assert capsys.readouterr().out == output


@pytest.mark.parametrize("command", ["check", "lint", "diff", "who-can", "import"])
def test_options_on_the_pages_exist(command: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    page = {"check": "ci", "import": "importing"}.get(command, command)
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    told = {
        option
        for line in text.splitlines()
        if f"sts-emulator {command} " in line
        for option in re.findall(r" (--[a-z-]+)", line)
    }
    assert told <= known
