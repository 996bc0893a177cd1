"""AWS CLI v2, unmodified, where it is found: `sso login` by device code, credentials for tools, and `sso logout`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

DEV = "111122223333"
SCENARIO = f"""
accounts:
  "{DEV}": {{name: dev}}
organization: {{management: "{DEV}"}}
identity_center:
  start_url: https://d-9067000000.awsapps.com/start
  users: {{jane: {{}}}}
  permission_sets: {{Developer: {{policies: [PowerUserAccess]}}}}
  assignments: [{{users: [jane], permission_sets: [Developer], accounts: ["{DEV}"]}}]
"""
CONFIG = f"""
[profile dev]
sso_session = lab
sso_account_id = {DEV}
sso_role_name = Developer
region = us-east-1
[sso-session lab]
sso_start_url = https://d-9067000000.awsapps.com/start
sso_region = us-east-1
sso_registration_scopes = sso:account:access
"""
OLDEST = (2, 22)  # the first with `--use-device-code`

pytestmark = [pytest.mark.clients, pytest.mark.scenario(SCENARIO)]


def program() -> str:
    """The first `aws` on the path that is new enough; a test environment's own is usually version 1."""
    for folder in os.environ["PATH"].split(os.pathsep):
        found = shutil.which("aws", path=folder)
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False) if found else None
        version = re.match(r"aws-cli/(\d+)\.(\d+)", said.stdout) if said else None
        if version and (int(version[1]), int(version[2])) >= OLDEST:
            return found
    pytest.skip("no AWS CLI 2.22 or newer on the path: PyPI has version 1, Debian 12 has 2.9")


class Cli:
    """The program, with a home of its own."""

    def __init__(self, aws, home: Path) -> None:
        self.aws, self.program = aws, program()
        (home / ".aws").mkdir()
        (home / ".aws" / "config").write_text(CONFIG)
        self.variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, *command: str, code: int = 0) -> str:
        said = subprocess.run(
            [self.program, *command], env=self.variables, capture_output=True, text=True, check=False, timeout=600
        )
        assert said.returncode == code, said.stderr
        return said.stdout + said.stderr

    def talk(self, *command: str, wanted: str, answer) -> None:
        """Run a command that shows something for a person; `answer` is given it, and what it returns is typed in."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen([self.program, *command], env=self.variables, text=True, **pipes) as running:
            shown = ""
            for line in running.stdout:
                shown += line
                if answer and (seen := re.search(wanted, line)):
                    if typed := answer(seen[0]):
                        running.stdin.write(f"{typed}\n")
                        running.stdin.flush()
                    answer = None
            assert running.wait(timeout=600) == 0, shown

    def who(self, profile: str) -> str:
        return self.run("sts", "get-caller-identity", "--profile", profile, "--query", "Arn", "--output", "text")


@pytest.fixture
def cli(aws, tmp_path):
    return Cli(aws, tmp_path)


def test_sign_in_by_device_code_use_and_sign_out(cli):
    login = ("sso", "login", "--profile", "dev", "--use-device-code", "--no-browser")
    cli.talk(*login, wanted=r"\b[A-Z]{4}-[A-Z]{4}\b", answer=lambda code: cli.aws.approve(code, "jane") and "")
    assert f"arn:aws:sts::{DEV}:assumed-role/AWSReservedSSO_Developer_" in cli.who("dev")
    exported = cli.run("configure", "export-credentials", "--profile", "dev", "--format", "env")
    assert "export AWS_SESSION_TOKEN=" in exported
    cli.run("sso", "logout")
    assert "Error" in cli.run("sts", "get-caller-identity", "--profile", "dev", code=255)
