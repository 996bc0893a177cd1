"""`diff` on the command line: of bare policies, scenarios and standard input, in every format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sts_emulator.cli.main import main

ACCOUNT = "111122223333"
GITHUB = "token.actions.githubusercontent.com"


def github(subject: str, sid: str = "Main") -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": sid,
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"},
                "Condition": {"StringLike": {f"{GITHUB}:sub": subject}},
            }
        ],
    }


@pytest.fixture
def versions(here: Path) -> Path:
    (here / "old.json").write_text(json.dumps(github("repo:o/app:*")))
    (here / "new.json").write_text(json.dumps(github("repo:o/*")))
    return here


def diff(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["diff", *arguments])
    told = capsys.readouterr()
    return code, told.out + told.err


@pytest.mark.usefixtures("versions")
def test_two_files_are_two_versions_whatever_they_are_called(capsys: pytest.CaptureFixture[str]):
    assert diff(capsys, "old.json", "new.json") == (
        1,
        f"""\
arn:aws:iam::{ACCOUNT}:role/new
  + arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB} gains sts:AssumeRoleWithWebIdentity
      denied → allowed
      with {GITHUB}:sub = repo:o/any-repository:ref:refs/heads/main
      because new Statement[0] "Main" allows it
""",
    )


@pytest.mark.usefixtures("versions")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["old.json", "new.json", "--fail-on", "gains"], 1),
        (["new.json", "old.json", "--fail-on", "gains"], 0),
        (["new.json", "old.json"], 1),
        (["old.json", "new.json", "--fail-on", "never"], 0),
        (["old.json", "old.json"], 0),
        (["old.json", "none.json"], 2),
        (["-", "-"], 2),
        (["old.json", "new.json", "--role", "missing"], 2),
    ],
)
def test_exit_codes(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]):
    assert diff(capsys, *arguments)[0] == code


@pytest.mark.usefixtures("versions")
def test_nothing_to_tell(capsys: pytest.CaptureFixture[str]):
    assert diff(capsys, "old.json", "old.json") == (0, "no difference found\n")
    assert diff(capsys, "old.json", "old.json", "--format", "markdown")[1].startswith(
        "**Trust policies:** no difference"
    )


@pytest.mark.usefixtures("versions")
def test_for_a_pull_request(capsys: pytest.CaptureFixture[str]):
    _, told = diff(capsys, "old.json", "new.json", "--format", "markdown")
    assert told.startswith("**Trust policies:** 1 gain, 0 losses of access.\n")
    assert f"| `{GITHUB}:sub` = `repo:o/any-repository:ref:refs/heads/main` |" in told
    _, annotated = diff(capsys, "old.json", "new.json", "--format", "github")
    assert annotated.startswith("::warning file=new,line=1,title=")


def test_markdown_cannot_be_broken_out_of(versions: Path, capsys: pytest.CaptureFixture[str]):
    (versions / "new.json").write_text(json.dumps(github("repo:o/`|\n<script>*")))
    _, told = diff(capsys, "old.json", "new.json", "--format", "markdown")
    (row,) = [line for line in told.splitlines() if "gains" in line and line.startswith("|")]
    assert "'\\|\\n<script>" in row


@pytest.mark.usefixtures("versions")
def test_data(capsys: pytest.CaptureFixture[str]):
    _, told = diff(capsys, "old.json", "new.json", "--format", "json")
    (difference,) = json.loads(told)["differences"]
    (witness,) = difference["witnesses"]
    assert (difference["state"], witness["direction"], witness["before"], witness["after"]) == (
        "changed",
        "gains",
        "denied",
        "allowed",
    )
    assert witness["context"][f"{GITHUB}:sub"] == ["repo:o/any-repository:ref:refs/heads/main"]


def test_standard_input(versions: Path):
    command = [sys.executable, "-m", "sts_emulator", "diff", "-", "new.json"]
    ended = subprocess.run(
        command, cwd=versions, input=(versions / "old.json").read_text(), capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "gains sts:AssumeRoleWithWebIdentity" in ended.stdout


def test_scenarios_are_compared_role_by_role(here: Path, capsys: pytest.CaptureFixture[str]):
    def scenario(**roles: Any) -> str:
        return json.dumps({"accounts": {ACCOUNT: {"roles": {name: {"trust": trust} for name, trust in roles.items()}}}})

    (here / "old.yaml").write_text(
        scenario(same=github("repo:o/a:*"), changed=github("repo:o/a:*"), gone=github("repo:o/a:*"))
    )
    (here / "new.yaml").write_text(
        scenario(same=github("repo:o/a:*", "Renamed"), changed=github("repo:o/b:*"), added=github("repo:o/a:*"))
    )
    code, told = diff(capsys, "old.yaml", "new.yaml")
    heads = [line for line in told.splitlines() if not line.startswith(" ")]
    assert code == 1
    assert heads == [
        f"arn:aws:iam::{ACCOUNT}:role/changed",
        f"arn:aws:iam::{ACCOUNT}:role/gone (removed)",
        f"arn:aws:iam::{ACCOUNT}:role/added (added)",
    ]
