"""The AWS SDKs of other languages, unmodified, where workloads run: each finds its role in every way that it has.

Each folder beside this file holds one small program, which says who its SDK's default chain is: once, and again for
each line of its input.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import builds
import javascript
import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[0] / "methods" / "instance_profile"), str(HERE.parents[0] / "workloads")]

from command_lab import WORKLOADS, CommandLab, namespaces_forbidden  # noqa: E402 - its folder was just added
from workload_lab import ACCOUNT, clean_environment, forwarding  # noqa: E402 - its folder was just added

# -- building --------------------------------------------------------------------------------------------------------


def _javascript(folder: Path) -> list[str]:
    return ["node", str(javascript.installed(folder) / "who.mjs")]


def _go(folder: Path) -> list[str]:
    _build(folder, "go", "build", "-o", "who", ".")
    return [str(folder / "who")]


def _java(folder: Path) -> list[str]:
    _build(folder, "mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=target/classpath")
    classpath = (folder / "target" / "classpath").read_text().strip()
    return ["java", "-cp", f"{folder / 'target' / 'classes'}{os.pathsep}{classpath}", "Who"]


def _rust(folder: Path) -> list[str]:
    _build(folder, "cargo", "build", "-q")
    return [str(folder / "target" / "debug" / "who")]


def _build(folder: Path, *command: str) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"no `{command[0]}` here")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=builds.LIMIT, check=False)
    if done.returncode:
        pytest.skip(f"`{command[0]}` cannot build the client here: {done.stderr.strip()[-300:]}")


SDKS: dict[str, Callable[[Path], list[str]]] = {
    "js": _javascript,
    "go": _go,
    "java": _java,
    "rust": _rust,
}


@pytest.fixture(scope="session", params=list(SDKS))
def sdk(request) -> Sdk:
    """One SDK's program, built once in a folder that later runs find again."""
    with builds.alone():
        return Sdk(request.param, SDKS[request.param](HERE / request.param))


class Sdk:
    """One SDK's program."""

    def __init__(self, name: str, command: list[str]) -> None:
        self.name = name
        self.command = command

    def says(self, lab, **variables: str) -> dict[str, str]:
        """What the program says once, pointed at the world by endpoint variables."""
        with self.running(lab, **variables) as ask:
            return ask()

    @contextmanager
    def running(self, lab, **variables: str) -> Iterator[Callable[[], dict[str, str]]]:
        """The running program; call the value for what it says now."""
        # The SDK for Java drops the path of an endpoint from the environment: it needs a port that is its world.
        endpoint = lab.world_url() if self.name == "java" else lab.aws.endpoint_url
        environment = lab.environment(AWS_ENDPOINT_URL_STS=endpoint, **variables)
        with subprocess.Popen(
            self.command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            first = [process.stdout.readline()]

            def ask() -> dict[str, str]:
                if first:
                    return json.loads(first.pop())
                process.stdin.write("\n")
                process.stdin.flush()
                return json.loads(process.stdout.readline())

            yield ask
            process.stdin.close()


@pytest.fixture
def lab(aws, emulator_server) -> CommandLab:
    return CommandLab(aws, emulator_server.url)


pytestmark = pytest.mark.scenario(str(WORKLOADS))


# -- EC2 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", ["web", "strict"])
def test_an_instances_role_is_found(lab, sdk, instance):
    imds = lab.imds(instance)
    said = sdk.says(lab, AWS_EC2_METADATA_SERVICE_ENDPOINT=imds.url)
    assert said.get("arn") == f"arn:aws:sts::{ACCOUNT}:assumed-role/web-role/{imds.instance}", said
    assert lab.events("AssumeRole")[-1]["additionalEventData"]["evidence"]["imds"] == "2.0"


def test_version_1_is_the_way_out_behind_a_proxy(lab, sdk):
    if sdk.name == "rust":
        pytest.skip("the SDK for Rust speaks version 2 only")
    imds = lab.imds("web")
    with forwarding(imds.url) as proxied:
        said = sdk.says(lab, AWS_EC2_METADATA_SERVICE_ENDPOINT=proxied)
    assert said.get("arn", "").endswith(imds.instance), said
    assert lab.events("AssumeRole")[-1]["additionalEventData"]["evidence"]["imds"] == "1.0"


def test_where_version_1_is_refused_a_proxy_leads_to_nothing(lab, sdk):
    with forwarding(lab.imds("strict").url) as proxied:
        said = sdk.says(lab, AWS_EC2_METADATA_SERVICE_ENDPOINT=proxied)
    assert "arn" not in said
    assert not lab.events("AssumeRole")


def test_a_role_that_does_not_trust_ec2_is_no_ones(lab, sdk):
    said = sdk.says(lab, AWS_EC2_METADATA_SERVICE_ENDPOINT=lab.imds("closed").url)
    assert "arn" not in said
    assert lab.aws.events(outcome="denied")


# -- containers and functions ----------------------------------------------------------------------------------------


def test_a_tasks_role_is_found_with_its_authorization_token(lab, sdk):
    task = lab.workload("ecs", "guarded")
    uri = f"{lab.aws.endpoint_url}/ecs{task['details']['credentials']}"
    said = sdk.says(lab, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, AWS_CONTAINER_AUTHORIZATION_TOKEN="sesame")
    assert said.get("arn", "").endswith(f"task-role/{task['id']}"), said


def test_a_running_client_goes_on_with_new_credentials_when_its_old_ones_are_over(lab, sdk):
    if sdk.name == "rust":
        pytest.skip("the SDK for Rust keeps what it has until its own clock says that it is over")
    # Given credentials so short that the SDKs, by their own clock, ask for others
    task = lab.workload("ecs", "fleeting")
    uri = f"{lab.aws.endpoint_url}/ecs{task['details']['credentials']}"
    with sdk.running(lab, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri) as ask:
        before = ask()
        # When they are over for the emulator too
        lab.aws.advance(minutes=1)
        after = ask()
        for _ in range(1_000):  # the SDK for JavaScript renews behind the answer that it still gives: it needs a moment
            if "arn" in after:
                break
            time.sleep(0.1)
            after = ask()
    # Then the client is who it was, with other credentials
    assert before.get("arn", "").endswith(f"task-role/{task['id']}"), before
    assert after.get("arn") == before["arn"], after
    assert after["key"] != before["key"]


def test_a_pods_role_is_found_by_its_token_file(lab, sdk, tmp_path):
    pod = lab.workload("eks", "shop/checkout")
    (tmp_path / "token").write_text(pod["files"]["eks-pod-identity-token"])
    said = sdk.says(
        lab,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{lab.aws.endpoint_url}/pod-identity/v1/credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "token"),
    )
    assert ":assumed-role/pod-role/eks-shop-" in said.get("arn", ""), said


def test_a_wrong_authorization_token_leads_to_nothing(lab, sdk):
    task = lab.workload("ecs", "guarded")
    uri = f"{lab.aws.endpoint_url}/ecs{task['details']['credentials']}"
    said = sdk.says(lab, AWS_CONTAINER_CREDENTIALS_FULL_URI=uri, AWS_CONTAINER_AUTHORIZATION_TOKEN="wrong")
    assert "arn" not in said
    assert not lab.events("AssumeRole")


def test_a_functions_role_is_found_in_its_environment(lab, sdk):
    environment = lab.workload("lambda", "resize")["details"]["environment"]
    given = {name: value for name, value in environment.items() if name not in ("AWS_REGION", "AWS_DEFAULT_REGION")}
    assert sdk.says(lab, **given).get("arn", "").endswith("function-role/resize")


# -- without any override --------------------------------------------------------------------------------------------


@pytest.fixture
def isolation() -> None:
    reason = namespaces_forbidden()
    if reason:
        pytest.skip(f"no network namespaces here: {reason}")


@pytest.mark.usefixtures("isolation")
@pytest.mark.parametrize(
    ("arguments", "caller"),
    [
        (["--as", "ec2", "--name", "strict"], "assumed-role/web-role/i-"),
        (["--as", "ecs", "--name", "worker"], "assumed-role/task-role/"),
        (["--as", "eks", "--name", "shop/checkout"], "assumed-role/pod-role/eks-shop-"),
    ],
    ids=["ec2", "ecs", "eks"],
)
def test_in_isolation_nothing_has_to_be_said(lab, sdk, arguments, caller):
    done = subprocess.run(
        lab.command("exec", *arguments, "--isolated", "--", *sdk.command),
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = json.loads(done.stdout.splitlines()[0])
    assert caller in said.get("arn", ""), (said, done.stderr)
