"""What CI servers read: JUnit XML, SARIF, JSON and GitHub's annotations, of check and of lint, and files in between."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.analysis.parallel import spread
from sts_emulator.analysis.reports.message import Message, github
from sts_emulator.analysis.trials import Plan, try_file
from sts_emulator.cli.main import main

ACCOUNT = "111122223333"
HEAD = f"""\
accounts:
  "{ACCOUNT}":
    users: {{alice: {{inline: {{all: [{{Effect: Allow, Action: "sts:*", Resource: "*"}}]}}}}}}
    roles:
      app:
        trust:
          - Effect: Allow
            Principal: {{AWS: "*"}}
            Action: sts:AssumeRole
expect:
"""
GOOD = HEAD + "  - {name: gets in, assume: app, caller: {user: alice}}\n"
BAD = HEAD + '  - {name: "stays <out> & \\"so\\": on,\\nx \\u0001", assume: app, caller: {user: alice}, result: deny}\n'
BROKEN = "accounts:\n  12: {}\n"


@pytest.fixture
def files(here: Path) -> Path:
    for name, text in (("good.yaml", GOOD), ("bad.yaml", BAD), ("broken.yaml", BROKEN)):
        (here / name).write_text(text)
    return here


def check(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["check", *arguments])
    return code, capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_junit(capsys: pytest.CaptureFixture[str]):
    code, told = check(capsys, "good.yaml", "bad.yaml", "broken.yaml", "--format", "junit")
    root = ET.fromstring(told)
    assert code == 2
    assert root.attrib == {"name": "sts-emulator", "tests": "3", "failures": "1", "errors": "1"}
    assert [suite.get("name") for suite in root] == ["good.yaml", "bad.yaml", "broken.yaml"]
    failure = root.find(".//failure")
    assert failure.get("message") == "expected deny, got allow"
    assert "bad.yaml:11: expected deny, got allow" in failure.text
    assert "Statement[0]" in failure.text
    assert "broken.yaml:2" in root.find(".//error").text


@pytest.mark.usefixtures("files")
def test_json(capsys: pytest.CaptureFixture[str]):
    code, told = check(capsys, "good.yaml", "bad.yaml", "broken.yaml", "--format", "json")
    report = json.loads(told)
    assert (code, report["schema"]) == (2, 1)
    assert report["totals"] == {"expectations": 2, "failed": 1, "unusable": 1}
    good, bad, broken = report["files"]
    assert good["expectations"][0] | {"line": 0} == {
        "name": "gets in",
        "file": "good.yaml",
        "line": 0,
        "passed": True,
        "expected": "allow",
        "verdict": "allow",
        "mismatch": "",
        "decided_by": [],
        "explanation": "",
    }
    assert bad["expectations"][0]["explanation"].startswith("✓ sts:AssumeRole ALLOWED")
    assert broken["problems"][0]["line"] == 2


def test_sarif(files: Path, capsys: pytest.CaptureFixture[str]):
    code, told = check(capsys, "good.yaml", "bad.yaml", "broken.yaml", "--format", "sarif", "--mutate", "--coverage")
    assert code == 2
    check_sarif(json.loads(told))
    assert main(["lint", str(files / "good.yaml"), "--format", "sarif"]) == 1
    report = json.loads(capsys.readouterr().out)
    check_sarif(report)
    (result,) = [entry for entry in report["runs"][0]["results"] if entry["ruleId"] == "anybody"]
    assert result["level"] == "error"
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": 8}
    assert place["artifactLocation"]["uri"].startswith("file:///")


def check_sarif(report: dict[str, Any]) -> None:
    """What SARIF 2.1.0 demands of the parts that are used."""
    assert report["version"] == "2.1.0"
    (run,) = report["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1


@pytest.mark.usefixtures("files")
def test_github_annotations(capsys: pytest.CaptureFixture[str]):
    code, told = check(capsys, "bad.yaml", "broken.yaml", "--format", "github")
    first, second = told.splitlines()
    assert code == 2
    assert first.startswith('::error file=bad.yaml,line=11,title=stays <out> & "so"%3A on%2C%0Ax ')
    assert "::expected deny, got allow%0A✓ sts:AssumeRole ALLOWED%0A" in first
    assert second.startswith("::error file=broken.yaml,line=2,title=cannot be used::")


def test_annotations_cannot_smuggle_commands():
    (line,) = github([Message("a,b:c\n::d", 0, "note", "r", "t\r\n::stop-commands::x", "100%\n::add-mask::x")])
    assert "\n" not in line
    assert (
        line
        == "::notice file=a%2Cb%3Ac%0A%3A%3Ad,line=1,title=t%0D%0A%3A%3Astop-commands%3A%3Ax::100%25%0A::add-mask::x"
    )


@pytest.mark.usefixtures("files")
def test_several_reports_at_once(capsys: pytest.CaptureFixture[str]):
    code, told = check(capsys, "bad.yaml", "--report", "junit=out/junit.xml", "--report", "sarif=out/check.sarif")
    assert code == 1
    assert told.endswith("1 expectation: 0 came as expected, 1 did not\n")
    ET.parse("out/junit.xml")
    check_sarif(json.loads(Path("out/check.sarif").read_text()))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("option", ["junit", "xml=x", "junit=", "junit=good.yaml/x"])
def test_reports_that_cannot_be_written(option: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", "good.yaml", "--report", option]) == 2
    assert capsys.readouterr().err.startswith("sts-emulator: ")


# -- many files --------------------------------------------------------------------------------------------------------------


def test_several_processes_say_the_same_as_one(here: Path):
    paths = []
    for number in range(9):
        paths.append(here / f"s{number}.yaml")
        paths[-1].write_text(GOOD if number % 3 else BAD)
    one, several = list(spread(try_file, paths, Plan(), jobs=1)), list(spread(try_file, paths, Plan(), jobs=3))
    assert one == several
    assert [trial.failed for trial in one] == [1, 0, 0] * 3


def test_no_progress_is_shown_where_no_terminal_is(files: Path):
    command = [sys.executable, "-m", "sts_emulator", "check", "good.yaml", "bad.yaml"]
    ended = subprocess.run(command, cwd=files, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_progress_on_a_terminal(files: Path):
    arguments = "[sys.executable, '-m', 'sts_emulator', 'check', '-q', 'good.yaml', 'bad.yaml']"
    program = f"import pty, sys; pty.spawn({arguments})"
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, cwd=files, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert "2/2 files · 2 expectations · 1 failed" in ended.stdout
    assert "\x1b[K" in ended.stdout


# -- imports beside scenarios ----------------------------------------------------------------------------------------------------


def test_expectations_about_what_is_imported(here: Path, capsys: pytest.CaptureFixture[str]):
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    (here / "app.json").write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    (here / "access.yaml").write_text(
        "expect:\n  - {assume: app, caller: ec2.amazonaws.com}\n  - {assume: app, caller: lambda.amazonaws.com, result: deny}\n"
    )
    assert check(capsys, "access.yaml", "--import", "app.json") == (
        0,
        "access.yaml\n  ✓ app allow\n  ✓ app deny\n2 expectations: 2 came as expected, 0 did not\n",
    )
    code, told = check(capsys, "app.json")
    assert code == 0
    assert told == "app.json\n  · app.json: a policy document: 1 role\n0 expectations: 0 came as expected, 0 did not\n"


def test_a_folder_without_scenarios_does_not_pass(here: Path, capsys: pytest.CaptureFixture[str]):
    (here / "empty").mkdir()
    assert main(["check", "empty"]) == 2
    assert capsys.readouterr().err == "sts-emulator: no scenario in empty\n"
