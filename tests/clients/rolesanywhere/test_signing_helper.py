"""AWS's own aws_signing_helper, unmodified, in its three modes, with an AWS SDK behind it.

It is built from its Go module; the newest version that the module proxy serves is pinned in go.mod.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path

import pytest
from roles_anywhere_stage import tls

from sts_emulator.shared_server import free_port

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
MODULE = "github.com/aws/rolesanywhere-credential-helper"

pytestmark = [
    pytest.mark.skipif(shutil.which("go") is None, reason="the Go toolchain is missing"),
    pytest.mark.skipif(shutil.which("cc") is None, reason="a C compiler is missing, which the helper's build needs"),
]

WHOAMI = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


@pytest.fixture(scope="session")
def helper(tmp_path_factory) -> str:
    binary = tmp_path_factory.mktemp("bin") / "aws_signing_helper"
    command = ["go", "build", "-trimpath", "-o", str(binary), MODULE]
    built = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return str(binary)


@pytest.fixture
def client(helper, stage, tmp_path):
    return Client(helper, stage, tmp_path)


class Client:
    """The helper with a clean environment: nothing of this machine's AWS settings reaches it."""

    def __init__(self, helper, stage, home):
        self.helper, self.stage, self.home = helper, stage, home
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_CONFIG_FILE": str(home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials"),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_METADATA_SERVICE_TIMEOUT": "60",  # where nobody says, botocore waits for one second
            "AWS_ENDPOINT_URL_STS": stage.aws.endpoint_url,
        }

    def command(self, mode, name, *options, endpoint=None):
        folder, chain = self.stage.folder, self.stage.folder / f"{name}.chain.pem"
        return [
            *(self.helper, mode, "--endpoint", endpoint or self.stage.aws.endpoint_url),
            *("--certificate", str(folder / f"{name}.pem"), "--private-key", str(folder / f"{name}.key")),
            *(("--intermediates", str(chain)) if chain.exists() else ()),
            *("--trust-anchor-arn", self.stage.anchor, "--profile-arn", self.stage.profile),
            *("--role-arn", self.stage.role, *options),
        ]

    def run(self, mode, name, *options, endpoint=None, **env):
        command = self.command(mode, name, *options, endpoint=endpoint)
        environment = {**self.env, **env}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    def whoami(self, **env):
        """Who an AWS SDK is, started by itself with nothing but its environment."""
        command = [sys.executable, "-c", WHOAMI]
        environment = {**self.env, **env}
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return answer.stdout.strip() or answer.stderr

    def session(self, name):
        return f"arn:aws:sts::{self.stage.aws.account}:assumed-role/workload/{self.stage.identity(name).serial}"


# -- credential-process -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["web-01", "batch-01", "edge-01"])
def test_credential_process_with_elliptic_curves_and_rsa(client, name):
    answer = client.run("credential-process", name)

    assert answer.returncode == 0, answer.stderr
    assert sorted(json.loads(answer.stdout)) == [
        *("AccessKeyId", "Expiration", "SecretAccessKey", "SessionToken", "Version")
    ]


def test_an_sdk_runs_it_as_its_credential_process(client):
    config = ConfigParser()
    config["default"] = {"credential_process": " ".join(client.command("credential-process", "web-01"))}
    with (client.home / "config").open("w") as file:
        config.write(file)

    assert client.whoami() == client.session("web-01")


def test_its_options_reach_the_session(client, stage):
    stage.set_profile(acceptRoleSessionName=True)
    options = ("--role-session-name", "pod-7", "--session-duration", "900")

    answer = json.loads(client.run("credential-process", "web-01", *options).stdout)
    (event,) = [event for event in stage.aws.events() if event["eventName"] == "CreateSession"]

    assert stage.aws.client("sts", answer).get_caller_identity()["Arn"].endswith("/workload/pod-7")
    assert event["requestParameters"]["durationSeconds"] == 900


def test_it_speaks_https_with_the_labs_authority(client, stage, tmp_path):
    with tls(stage.aws.endpoint_url, tmp_path) as (endpoint, authority):
        trusting = client.run("credential-process", "web-01", endpoint=f"https://{endpoint}", SSL_CERT_FILE=authority)
        doubting = client.run("credential-process", "web-01", endpoint=f"https://{endpoint}")

    assert json.loads(trusting.stdout)["Version"] == 1
    assert "certificate signed by unknown authority" in doubting.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wrong-authority", "AccessDeniedException: Untrusted signing certificate"),
        ("expired", "AccessDeniedException: Untrusted signing certificate"),
        ("wrong-usage", "AccessDeniedException: Untrusted certificate. Insufficient certificate"),
        ("stolen-laptop", "AccessDeniedException: Certificate revoked"),
    ],
)
def test_it_says_why_there_are_no_credentials(client, stage, name, words):
    stage.import_crl()

    answer = client.run("credential-process", name)

    assert answer.returncode == 1
    assert words in answer.stderr


# -- update -----------------------------------------------------------------------------------------------------------


def test_update_writes_the_credentials_file_that_sdks_read(client):
    answer = client.run("update", "web-01", "--once", "--profile", "lab")

    assert answer.returncode == 0, answer.stderr
    assert client.whoami(AWS_PROFILE="lab") == client.session("web-01")


# -- serve ------------------------------------------------------------------------------------------------------------


@contextmanager
def serving(client, name):
    """The endpoint of the helper's own metadata service, while it runs."""
    port = free_port()
    command = client.command("serve", name, "--port", str(port))
    process = subprocess.Popen(command, env=client.env, stderr=subprocess.PIPE, text=True)
    try:
        line = next(line for line in process.stderr if "started" in line or "Error" in line)
        assert "started" in line, line
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.communicate()


def test_an_sdk_takes_its_serve_mode_for_an_instances_metadata_service(client):
    with serving(client, "web-01") as endpoint:
        assert client.whoami(AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint) == client.session("web-01")


# -- the documentation ------------------------------------------------------------------------------------------------


@contextmanager
def emulator(scenario):
    """The port of a server that starts from a scenario file, as a reader of the documentation starts it."""
    port = str(free_port())
    command = [sys.executable, "-m", "sts_emulator", "serve", "--port", port, "--scenario", scenario]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        next(line for line in process.stdout if port in line)  # it says where it listens once it answers
        yield port
    finally:
        process.terminate()
        process.communicate()


def test_the_command_in_the_documentation_works_as_written(helper, tmp_path):
    page = (ROOT / "docs" / "roles-anywhere.md").read_text()
    written = re.search(r"```sh\n(.*?)```", page, re.DOTALL)[1]
    with emulator("trust_policies/roles-anywhere.yaml") as port:
        answer = subprocess.run(
            ["bash", "-c", written.replace(":4600", f":{port}")],
            cwd=ROOT,
            env={"PATH": f"{Path(helper).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["AccessKeyId"].startswith("ASIA")
