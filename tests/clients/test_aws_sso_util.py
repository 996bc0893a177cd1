"""aws-sso-util (PyPI), unmodified: a person's device sign-in, profiles for every role, and credentials for tools."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "aws-sso-util"
DEV, PROD = "111122223333", "444455556666"
START_URL = "https://d-9067000000.awsapps.com/start"
INSTANCE = ("--sso-start-url", START_URL, "--sso-region", "us-east-1")
SCENARIO = f"""
accounts: {{"{DEV}": {{name: dev}}, "{PROD}": {{name: prod}}}}
organization: {{management: "{DEV}", accounts: {{"{PROD}": {{}}}}}}
identity_center:
  start_url: {START_URL}
  users: {{jane: {{}}, omar: {{}}}}
  permission_sets:
    Developer: {{policies: [PowerUserAccess]}}
    ReadOnly: {{policies: [ReadOnlyAccess]}}
  assignments:
    - {{users: [jane], permission_sets: [Developer], accounts: ["{DEV}"]}}
    - {{users: [jane], permission_sets: [ReadOnly], accounts: ["{PROD}"]}}
"""

pytestmark = pytest.mark.scenario(SCENARIO)


class Tool:
    """The program, with a home of its own."""

    def __init__(self, aws, home: Path) -> None:
        self.aws, self.home = aws, home
        (home / ".aws").mkdir()
        self.config = home / ".aws" / "config"
        self.variables = {
            "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "AWS_CONFIG_FILE": str(self.config),
            "AWS_ENDPOINT_URL": aws.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, *command: str) -> str:
        said = subprocess.run(
            [PROGRAM, *command], env=self.variables, capture_output=True, text=True, check=False, timeout=300
        )
        assert said.returncode == 0, said.stderr
        return said.stdout

    def login(self, user: str) -> None:
        """`aws-sso-util login`, whose code a script approves when it is shown."""
        command = [PROGRAM, "login", START_URL, "us-east-1", "--headless"]
        with subprocess.Popen(
            command, env=self.variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as login:
            shown = []
            for line in login.stdout:
                shown.append(line)
                if code := re.search(r"\b[A-Z]{4}-[A-Z]{4}\b", line):
                    self.aws.approve(code[0], user)
            assert login.wait(timeout=300) == 0, "".join(shown)


@pytest.fixture
def tool(aws, tmp_path):
    if not PROGRAM.exists():
        pytest.skip("aws-sso-util is not installed")
    tool = Tool(aws, tmp_path)
    tool.login("jane")
    return tool


def test_roles_are_listed_and_written_as_profiles(tool):
    listed = tool.run("roles", *INSTANCE)
    assert re.search(rf"dev\s+{DEV}\s+Developer", listed)
    assert re.search(rf"prod\s+{PROD}\s+ReadOnly", listed)

    tool.run("configure", "populate", *INSTANCE, "--region", "us-east-1")
    who = "import boto3; print(boto3.Session(profile_name='prod.ReadOnly').client('sts').get_caller_identity()['Arn'])"
    said = subprocess.run(
        [sys.executable, "-c", who], env=tool.variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert said.stdout.startswith(f"arn:aws:sts::{PROD}:assumed-role/AWSReservedSSO_ReadOnly_"), said.stderr


def test_a_command_runs_as_a_role(tool):
    who = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"
    role = ("--account-id", DEV, "--role-name", "Developer", "--region", "us-east-1")
    said = tool.run("run-as", *INSTANCE, *role, "--", sys.executable, "-c", who)
    assert "AWSReservedSSO_Developer" in said


def test_credentials_for_a_process(tool):
    role = ("--account-id", DEV, "--role-name", "Developer", "--region", "us-east-1")
    key = json.loads(tool.run("credential-process", *INSTANCE, *role))
    arn = tool.aws.client("sts", key).get_caller_identity()["Arn"]
    assert "AWSReservedSSO_Developer" in arn
    assert arn.endswith("/jane")


def test_a_role_that_is_not_hers(tool):
    role = ("--account-id", PROD, "--role-name", "Developer", "--region", "us-east-1")
    said = subprocess.run(
        [PROGRAM, "credential-process", *INSTANCE, *role],
        env=tool.variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert said.returncode != 0
    assert "jane has no assignment of permission set Developer in account" in tool.aws.explain()
