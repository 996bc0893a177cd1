"""What tools keep of a sign-in: profiles, cached tokens that renew themselves, and SDKs that find them."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from sso_lab import DEV, PROD

from sts_emulator.cli.errors import CommandError

WHO = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def run(variables: dict[str, str], *command: str) -> subprocess.CompletedProcess:
    environment = {"PATH": os.environ["PATH"], "AWS_EC2_METADATA_DISABLED": "true", **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def cached(variables: dict[str, str]) -> Path:
    (file,) = (Path(variables["HOME"]) / ".aws" / "sso" / "cache").glob("*.json")
    return file


def test_boto3_finds_the_profile_of_who_signed_in(aws):
    variables = aws.sso_login("jane", PROD, "ReadOnly")
    said = run(variables, sys.executable, "-c", WHO)
    assert said.stdout.startswith(f"arn:aws:sts::{PROD}:assumed-role/AWSReservedSSO_ReadOnly_"), said.stderr


def test_boto3_renews_a_token_that_is_nearly_over_and_writes_it_back(aws):
    variables = aws.sso_login("jane", DEV, "Developer")
    file = cached(variables)
    token = json.loads(file.read_text())
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    file.write_text(json.dumps({**token, "expiresAt": soon.strftime("%Y-%m-%dT%H:%M:%SZ")}))
    assert "AWSReservedSSO_Developer" in run(variables, sys.executable, "-c", WHO).stdout
    assert json.loads(file.read_text())["accessToken"] != token["accessToken"]


def test_a_token_whose_portal_session_is_over_is_told_as_such(aws):
    variables = aws.sso_login("jane", DEV, "Developer")
    aws.advance(hours=9)
    assert "UnauthorizedSSOTokenError" in run(variables, sys.executable, "-c", WHO).stderr


def test_signing_in_says_nothing_of_the_role(aws):
    """As with `aws sso login`: only the next call finds out (aws/aws-cli#6316)."""
    variables = aws.sso_login("omar", DEV, "Developer")
    assert "No access" in run(variables, sys.executable, "-c", WHO).stderr
    with pytest.raises(CommandError, match="no user `eve`"):
        aws.sso_login("eve", DEV, "Developer")


def test_the_command_prints_profiles_that_work(aws, emulator_server, tmp_path):
    port = emulator_server.url.rsplit(":", 1)[1]
    command = [sys.executable, "-m", "sts_emulator", "sso", "config", "--port", port, "--world", aws.world]
    printed = subprocess.run([*command, "--user", "jane", "--endpoints"], capture_output=True, text=True, check=True)
    variables = aws.sso_login("jane", DEV, "Developer")
    config = tmp_path / "config"
    config.write_text(printed.stdout)
    assert boto3.Session(profile_name=None).available_profiles is not None
    given = {"HOME": variables["HOME"], "AWS_CONFIG_FILE": str(config), "AWS_PROFILE": f"ReadOnly-{PROD}"}
    assert "AWSReservedSSO_ReadOnly" in run(given, sys.executable, "-c", WHO).stdout
    assert subprocess.run([*command, "--user", "eve"], capture_output=True, check=False).returncode == 1
    everybody = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"[profile ReadOnly-{DEV}]" in everybody


@pytest.mark.clients
def test_the_sdk_for_javascript_finds_it_too(aws, javascript_clients):
    """`fromSSO`, in the default chain of the AWS SDK for JavaScript."""
    variables = aws.sso_login("jane", DEV, "Developer")
    command = ["node", str(javascript_clients / "who.mjs")]
    environment = {"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", **variables}
    said = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL
    )
    assert "AWSReservedSSO_Developer" in json.loads(said.stdout.splitlines()[0]).get("arn", ""), said
