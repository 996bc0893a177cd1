"""`workload start|list|stop`: a program of the user's own is given what it finds on EC2, in a task, a pod, a function."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request

import pytest
from command_lab import WORKLOADS
from workload_lab import ACCOUNT, CALLER, clean_environment

pytestmark = pytest.mark.scenario(str(WORKLOADS))


def run(lab, *arguments: str) -> str:
    name, action, *rest = arguments
    program, _, *place = lab.command(name)
    command = [program, name, action, *place, *rest]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        (("ec2", "--role", "web-role"), "assumed-role/web-role/i-"),
        (("ec2", "--name", "web"), "assumed-role/web-role/i-"),
        (("ecs", "--role", "task-role"), "assumed-role/task-role/"),
        (("ecs", "--name", "guarded"), "assumed-role/task-role/"),
        (("eks", "--name", "shop/checkout"), "assumed-role/"),
        (("lambda", "--role", "function-role"), "assumed-role/function-role/"),
    ],
)
def test_a_program_is_who_the_workload_is(lab, tmp_path, arguments, caller):
    told = run(lab, "workload", "start", *arguments, "--format", "json", "--folder", str(tmp_path))
    environment = clean_environment(**json.loads(told))
    done = subprocess.run([sys.executable, "-c", CALLER], env=environment, capture_output=True, text=True, check=False)
    assert f":sts::{ACCOUNT}:{caller}" in done.stdout, done.stderr


def test_it_can_be_listed_and_stopped(lab):
    told = json.loads(run(lab, "workload", "start", "ecs", "--role", "task-role", "--format", "json"))
    identifier = told["STS_EMULATOR_WORKLOAD"]
    assert identifier in run(lab, "workload", "list")
    run(lab, "workload", "stop", identifier)
    assert identifier not in run(lab, "workload", "list")


def test_a_short_life_makes_an_sdk_renew(lab):
    told = json.loads(
        run(lab, "workload", "start", "ecs", "--role", "task-role", "--lifetime", "60", "--format", "json")
    )

    def credentials() -> dict[str, str]:
        with urllib.request.urlopen(told["AWS_CONTAINER_CREDENTIALS_FULL_URI"]) as answer:
            return json.load(answer)

    before = credentials()
    lab.aws.advance(seconds=61)
    assert credentials()["AccessKeyId"] != before["AccessKeyId"]


def test_exec_says_once_why_a_workload_got_nothing(lab):
    """Where the trust policy refuses the service, the program itself knows only that there are no credentials."""
    done = lab.exec("--as", "ec2", "--name", "closed", "--", sys.executable, "-c", CALLER)
    assert done.returncode != 0
    assert "Unable to locate credentials" in done.stderr
    assert done.stderr.count("the workload got no credentials") == 1
    assert "AssumeRole: denied" in done.stderr


def test_exec_says_nothing_of_the_commands_own_refusals(lab):
    code = (
        "import boto3, botocore\n"
        "try: boto3.client('sts').assume_role(RoleArn='arn:aws:iam::111122223333:role/nobody', RoleSessionName='me')\n"
        "except botocore.exceptions.ClientError: pass"
    )
    done = lab.exec("--as", "ec2", "--name", "web", "--", sys.executable, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("port", ["", "4600"])
def test_commands_know_where_the_emulator_is_by_the_endpoint_of_aws_clients(lab, port):
    """`AWS_ENDPOINT_URL` with its world, unless EMULATOR_PORT or a flag says otherwise."""
    environment = clean_environment(AWS_ENDPOINT_URL=lab.aws.endpoint_url)
    done = subprocess.run(
        [lab.command("workload")[0], "workload", "list"],
        env={**environment, **({"EMULATOR_PORT": "1"} if port else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("guarded" in done.stdout) == (not port)
    assert ("no emulator answers at http://127.0.0.1:1 " in done.stderr) == bool(port)
