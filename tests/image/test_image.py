"""The image is really built and run, without a container engine: buildah in a chroot, on a base of Debian's packages."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from sts_emulator.shared_server import free_port

ROOT = Path(__file__).parents[2]
BASE = "docker.io/library/python:3.13-slim"  # as the Dockerfile calls it; Debian's python3 stands in
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
LARGEST = 500  # MiB of its files, of which 270 are the base: Debian with python3-venv

pytestmark = pytest.mark.clients


class Builder:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._command = [
            "buildah",
            "--storage-driver",
            "vfs",
            "--root",
            f"{folder}/storage",
            "--runroot",
            f"{folder}/run",
        ]

    def command(self, *words: str) -> list[str]:
        return [*self._command, *words]

    def __call__(self, *words: str) -> str:
        ended = subprocess.run(self.command(*words), cwd=ROOT, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-2000:] + ended.stderr[-2000:]
        return ended.stdout.strip()


@pytest.fixture(scope="module")
def builder(tmp_path_factory) -> Builder:
    for program in ("buildah", "debootstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"no `{program}` here: Debian's package of that name")
    if os.geteuid() != 0:
        pytest.skip("only root may make a base with debootstrap")
    folder = tmp_path_factory.mktemp("image")
    system = folder / "system"
    made = [
        "debootstrap",
        "--variant=minbase",
        "--include=python3,python3-venv,ca-certificates",
        "bookworm",
        str(system),
    ]
    ended = subprocess.run(made, capture_output=True, text=True, check=False)
    if ended.returncode:
        pytest.skip(f"debootstrap cannot make a base here: {ended.stdout[-200:]}")
    shutil.copy(CERTIFICATES, f"{system}{CERTIFICATES}")  # this machine's, for whoever stands between it and PyPI
    (system / "usr/bin/python").symlink_to("python3")
    build = Builder(folder)
    container = build("from", "scratch")
    build("add", "--quiet", container, str(system), "/")
    build("config", "--env", f"PIP_CERT={CERTIFICATES}", container)
    build("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(system)
    return build


@pytest.fixture(scope="module")
def image(builder: Builder) -> str:
    """The Dockerfile's image."""
    builder("build", "--pull-never", "--isolation", "chroot", "--format", "docker", "--tag", "sts-emulator", ".")
    return "localhost/sts-emulator:latest"


@pytest.fixture(scope="module")
def container(builder: Builder, image: str) -> str:
    return builder("from", "--pull-never", image)


def test_the_base_is_the_one_that_the_dockerfile_names():
    short = BASE.rpartition("/")[2]
    assert (ROOT / "Dockerfile").read_text("utf-8").count(f"FROM {short}") == 2


def test_it_runs_as_a_user_without_rights(builder, image, container):
    told = json.loads(builder("inspect", "--type", "image", image))["Docker"]["config"]
    assert told["User"] == "emulator"
    assert told["Entrypoint"] == ["sts-emulator"]
    assert builder("run", "--isolation", "chroot", container, "--", "id", "-u") == "10001"


def test_it_is_no_larger_than_it_has_to_be(builder, container):
    mounted = builder("mount", container)
    size = sum(path.lstat().st_size for path in Path(mounted).rglob("*") if path.is_file() and not path.is_symlink())
    builder("umount", container)
    print(f"image: {size >> 20} MiB", file=sys.stderr)
    assert size < LARGEST << 20


@contextlib.contextmanager
def running(builder: Builder, container: str) -> Iterator[int]:
    """The image's own command on a free port of this machine, whose network a chroot shares."""
    port = free_port()
    inside = ["--env", f"EMULATOR_PORT={port}", "--env", "EMULATOR_HOST=127.0.0.1", container]
    command = builder.command("run", "--isolation", "chroot", *inside, "--", "sts-emulator", "serve")
    with (builder.folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(2_400):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            assert process.poll() is None, (builder.folder / "log").read_text()
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def test_it_is_healthy_and_vends_credentials(builder, image, container):
    check = json.loads(builder("inspect", "--type", "image", image))["Docker"]["config"]["Healthcheck"]["Test"]
    assert check[:2] == ["CMD", "python"]
    with running(builder, container) as port:
        script = check[3].replace(":4600/", f":{port}/")
        builder("run", "--isolation", "chroot", container, "--", *check[1:3], script)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_emulator/api/worlds/default/credentials") as answer:
            root = json.load(answer)
        sts = boto3.client(
            "sts",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id=root["access_key_id"],
            aws_secret_access_key=root["secret_access_key"],
        )
        assert sts.get_caller_identity()["Account"] == root["account"]
        role = f"arn:aws:iam::{root['account']}:role/developer"
        assert "SessionToken" in assumed_by_alice(port, role)["Credentials"]


def assumed_by_alice(port: int, role: str) -> dict:
    """A first AssumeRole, by a user of the scenario that the image starts with."""
    url = f"http://127.0.0.1:{port}/_emulator/api/worlds/default/credentials?user=alice"
    with urllib.request.urlopen(url) as answer:
        alice = json.load(answer)
    keys = {"aws_access_key_id": alice["access_key_id"], "aws_secret_access_key": alice["secret_access_key"]}
    sts = boto3.client("sts", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **keys)
    return sts.assume_role(RoleArn=role, RoleSessionName="first")
