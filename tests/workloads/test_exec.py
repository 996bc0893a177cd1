"""`sts-emulator exec`: any command as a workload, a user or a role, and what is left afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_lab import WORKLOADS
from workload_lab import ACCOUNT, AWS_CLI, clean_environment

pytestmark = pytest.mark.scenario(str(WORKLOADS))

IRSA = """
accounts:
  "111122223333":
    users: {alice: {inline: {assume: [{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}]}}}
    oidc_providers: [{issuer: kubernetes}]
    roles:
      developer: {trust: [{Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "sts:AssumeRole"}]}
      irsa-role:
        trust:
          - Effect: Allow
            Principal:
              Federated: arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE
            Action: sts:AssumeRoleWithWebIdentity
            Condition:
              StringEquals:
                oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE:aud: sts.amazonaws.com
                oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE:sub: system:serviceaccount:shop:cart
"""


# -- as whom ---------------------------------------------------------------------------------------------------------


@pytest.mark.clients
@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        (["--as", "ec2", "--role", "web-role"], "assumed-role/web-role/i-"),
        (["--as", "ec2", "--name", "strict"], "assumed-role/web-role/i-"),
        (["--as", "ec2", "--role", "web-role", "--option", "tokens=required"], "assumed-role/web-role/i-"),
        (["--as", "ecs", "--role", "task-role"], "assumed-role/task-role/"),
        (["--as", "ecs", "--name", "guarded"], "assumed-role/task-role/"),
        (["--as", "eks", "--role", "pod-role", "--option", "namespace=shop"], "assumed-role/pod-role/eks-lab-exec-"),
        (["--as", "eks", "--name", "shop/checkout"], "assumed-role/pod-role/eks-shop-checkout-0-"),
        (["--as", "lambda", "--name", "resize"], "assumed-role/function-role/resize"),
        (["--as", "lambda", "--role", "function-role"], "assumed-role/function-role/function-role-"),
        (["--as", "lambda", "--name", "resize", "--option", "snapstart=true"], "assumed-role/function-role/resize"),
        (["--as", "irsa", "--role", "irsa-role"], "assumed-role/irsa-role/"),
        (["--as", "user", "--user", "alice"], "user/alice"),
        (["--as", "role", "--role", "developer", "--user", "alice"], "assumed-role/developer/alice"),
    ],
    ids=" ".join,
)
def test_boto3_is_who_the_command_says(lab, arguments, caller):
    lab.aws.load(IRSA)
    assert f"::{ACCOUNT}:{caller}" in lab.caller(*arguments)


def test_the_aws_cli_too(lab):
    done = lab.exec("--as", "ec2", "--role", "web-role", "--", str(AWS_CLI), "sts", "get-caller-identity")
    assert json.loads(done.stdout)["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/i-")


# -- before and after ------------------------------------------------------------------------------------------------


def test_the_exit_code_is_the_commands(lab):
    assert lab.exec("--as", "ec2", "--role", "web-role", "--", "sh", "-c", "exit 7").returncode == 7
    assert lab.exec("--as", "ec2", "--role", "web-role", "--", "sh", "-c", "kill -9 $$").returncode == 137


def test_what_cannot_be_run_is_said_in_a_line(lab):
    for arguments, code, message in (
        (["--as", "ec2", "--role", "web-role", "--", "no-such-command"], 127, "no such file"),
        (["--as", "ec2", "--role", "no-such-role", "--", "true"], 1, "no role `no-such-role` in world"),
        (["--as", "ec2", "--name", "no-such-instance", "--", "true"], 1, "no instance `no-such-instance`"),
        (["--as", "ec2", "--", "true"], 1, "say which role"),
        (["--as", "ec2", "--role", "web-role"], 2, "say what to run"),
        (
            ["--as", "ec2", "--role", "web-role", "--option", "color=red", "--", "true"],
            1,
            "`color` is no option of ec2",
        ),
        (["--as", "irsa", "--role", "web-role", "--", "true"], 1, "trusts no OIDC provider"),
        (["--as", "role", "--role", "web-role", "--", "true"], 2, "--user"),
    ):
        done = lab.exec(*arguments)
        assert (done.returncode, message in done.stderr, "Traceback" in done.stderr) == (code, True, False), arguments


def test_nothing_is_left_afterwards(lab):
    before = lab.api("GET", "workloads")
    for kind, role in (("ec2", "web-role"), ("ecs", "task-role"), ("eks", "pod-role"), ("lambda", "function-role")):
        script = (
            "import os; print(os.environ.get('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE', os.environ['AWS_CONFIG_FILE']))"
        )
        done = lab.exec("--as", kind, "--role", role, "--", sys.executable, "-c", script)
        assert not Path(done.stdout.strip()).parent.exists()
    assert lab.api("GET", "workloads") == before
    assert not [listener for listener in lab.api("GET", "listeners") if listener["kind"] == "imds"]


def test_the_commands_environment_holds_nothing_of_the_callers_aws_settings(lab):
    script = "import json, os; print(json.dumps(dict(os.environ)))"
    done = lab.exec("--as", "ec2", "--role", "web-role", "--", sys.executable, "-c", script)
    told = json.loads(done.stdout)
    assert "AWS_ACCESS_KEY_ID" not in told
    assert "AWS_PROFILE" not in told
    assert "HTTPS_PROXY" not in told
    assert told["AWS_METADATA_SERVICE_TIMEOUT"] == "60", "how patient an SDK is says nothing of who it is"
    assert told["AWS_ENDPOINT_URL_STS"] == told["AWS_ENDPOINT_URL"] == lab.aws.endpoint_url


@pytest.mark.parametrize(("kind", "name"), [("eks", "shop/checkout"), ("irsa", "")])
def test_token_files_are_renewed_while_the_command_runs(lab, kind, name):
    # Given a command that shows its token file whenever it is asked to
    lab.aws.load(IRSA)
    script = (
        "import os, sys\n"
        "place = os.environ.get('AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE') or os.environ['AWS_WEB_IDENTITY_TOKEN_FILE']\n"
        "for line in sys.stdin: print(open(place).read(), flush=True)\n"
    )
    chosen = ["--name", name] if name else ["--role", "irsa-role"]
    command = lab.command("exec", "--as", kind, *chosen, "--", sys.executable, "-c", script)
    with subprocess.Popen(
        command, env=clean_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:

        def shown() -> str:
            running.stdin.write("\n")
            running.stdin.flush()
            return running.stdout.readline()

        # When most of the token's day is over
        before = shown()
        lab.aws.advance(hours=20)
        # Then it is replaced by another within seconds (each round trip is a wait for the command's answer)
        after = next(text for text in iter(shown, None) if text != before)
        running.stdin.close()
    assert before.count(".") == after.count(".") == 2
