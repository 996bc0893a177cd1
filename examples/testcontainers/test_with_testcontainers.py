"""The emulator in a container, for test suites that start what they need with Testcontainers.

Needs Docker, `pip install testcontainers boto3`, and an image: `docker build -t sts-emulator .` in a clone of this
project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SCENARIO = """
issuers:
  github: {preset: github}
accounts:
  "111122223333":
    root: {access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}
    oidc_providers: [{issuer: github}]
    roles:
      deploy:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}
            Action: sts:AssumeRoleWithWebIdentity
            Condition:
              StringEquals:
                token.actions.githubusercontent.com:aud: sts.amazonaws.com
                token.actions.githubusercontent.com:sub: repo:acme/shop:ref:refs/heads/main
"""
IMAGE = os.environ.get("STS_EMULATOR_IMAGE", "sts-emulator")
PORT = 4600


def _has_docker() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _has_docker(), reason="Docker does not answer here")


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the emulator answers."""
    core = pytest.importorskip("testcontainers.core.container", reason="testcontainers is not installed")
    waiting = pytest.importorskip("testcontainers.core.waiting_utils")
    folder: Path = tmp_path_factory.mktemp("scenario")
    (folder / "deploy.yaml").write_text(SCENARIO)
    container = (
        core.DockerContainer(IMAGE)
        .with_exposed_ports(PORT)
        .with_volume_mapping(str(folder), "/scenarios", "ro")
        .with_env("EMULATOR_HOST", "0.0.0.0")
        .with_env("EMULATOR_TOKEN", "none")  # the port is published on this machine's loopback alone
        .with_env("EMULATOR_SCENARIO", "/scenarios")
    )
    with container as running:
        waiting.wait_for_logs(running, "sts-emulator serves", timeout=30)
        yield f"http://{running.get_container_host_ip()}:{running.get_exposed_port(PORT)}"


def _token(endpoint: str, repository: str) -> str:
    import json
    from urllib.request import Request, urlopen

    body = json.dumps({"repo": repository, "branch": "main"}).encode()
    request = Request(f"{endpoint}/issuers/github/token", body, {"content-type": "application/json"})
    with urlopen(request) as answer:
        return str(json.load(answer)["token"])


def _assume(endpoint: str, repository: str) -> dict:
    import boto3

    sts = boto3.client("sts", endpoint_url=endpoint, region_name="us-east-1")
    return sts.assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/deploy",
        RoleSessionName="test",
        WebIdentityToken=_token(endpoint, repository),
    )


def test_our_repository_gets_in(endpoint: str):
    assert _assume(endpoint, "acme/shop")["Credentials"]["SessionToken"]


def test_a_namesake_does_not(endpoint: str):
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError, match="AccessDenied"):
        _assume(endpoint, "acme-evil/shop")
