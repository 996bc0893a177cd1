"""What people have, unmodified, with moto behind the door: Terraform, the SDKs for JavaScript and Go, s3fs, pyarrow, the AWS CLI."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import builds
import javascript
import pytest
from door_lab import PEOPLE, client

from sts_emulator import Aws

CLIENTS = Path(__file__).parent / "clients"
LIMIT = 900  # seconds

pytestmark = [pytest.mark.clients, pytest.mark.scenario(PEOPLE)]


def run(lab: Aws, *command: str, user: str, folder: Path | None = None) -> str:
    """What a program says that is run as a user."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **lab.env(user=user)}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def built(*command: str, folder: Path) -> None:
    """Build a client, or skip its test where that cannot be done."""
    if not shutil.which(command[0]):
        pytest.skip(f"no `{command[0]}` here")
    with builds.alone():
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=builds.LIMIT, check=False)
    if done.returncode:
        pytest.skip(f"`{command[0]}` cannot build the client here: {done.stderr.strip()[-300:]}")


def checked(told: dict) -> None:
    """What each of the programs tells."""
    assert told["refused"]["name"] == "AccessDenied"
    assert "s3:PutObject on resource: arn:aws:s3:::photos/bob/1" in told["refused"]["message"]
    assert told["small"] == "hello"
    assert told["large"] is True
    assert told["message"] == "work"


@pytest.mark.usefixtures("photos")
def test_the_sdk_for_javascript(lab: Aws):
    folder = javascript.installed(CLIENTS / "js")
    told = json.loads(run(lab, "node", "use.mjs", user="ann", folder=folder))
    checked(told)
    assert told["item"] == "bread"
    assert told["streamed"] == 12 << 20


@pytest.mark.usefixtures("photos")
def test_the_sdk_for_go(lab: Aws, tmp_path):
    built("go", "build", "-o", str(tmp_path / "use"), ".", folder=CLIENTS / "go")
    checked(json.loads(run(lab, str(tmp_path / "use"), user="ann")))


LISTING = PEOPLE.replace(
    'photos: [{Effect: Allow, Action: "s3:*Object", Resource: "arn:aws:s3:::photos/ann/*"}]',
    """photos:
            - {Effect: Allow, Action: "s3:*Object", Resource: "arn:aws:s3:::photos/ann/*"}
            - {Effect: Allow, Action: "s3:ListBucket", Resource: "arn:aws:s3:::photos"}""",
)


@pytest.mark.scenario(LISTING)
@pytest.mark.usefixtures("photos")
def test_s3fs_and_pyarrow(lab: Aws, tmp_path_factory):
    """In an environment of their own: s3fs wants another botocore."""
    home = tmp_path_factory.getbasetemp().parent / "s3fs"
    python = str(home / "bin" / "python")
    if not home.exists():
        built(sys.executable, "-m", "venv", str(home), folder=CLIENTS)
        built(python, "-m", "pip", "install", "-q", "s3fs", "pyarrow", folder=CLIENTS)
    place = lab.endpoint_url.removeprefix("http://")
    told = json.loads(run(lab, python, str(CLIENTS / "python" / "use.py"), place, user="ann"))
    assert told["s3fs"] is True
    assert told["pyarrow"] is True
    assert told["rows"] == 100_000
    assert told["listed"] == ["photos/ann/large"]
    assert "s3:PutObject on resource: arn:aws:s3:::photos/bob/1" in told["refused"]


TEAM = """
accounts:
  "111122223333":
    users:
      builder:
        inline:
          builds:
            - {Effect: Allow, Action: ["dynamodb:*", "sqs:*", "s3:*"], Resource: "*"}
"""


@pytest.fixture
def plain(moto, another_door, tmp_path) -> Iterator[Aws]:
    """The default world: Terraform takes URLs of queues that have nothing before the account."""
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    (tmp_path / "team.yaml").write_text(TEAM)
    with another_door(moto, "--scenario", str(tmp_path / "team.yaml")) as emulator, emulator.control() as control:
        yield Aws(control, "default")


def test_terraform(plain: Aws, terraform_plugins, tmp_path):
    shutil.copy(CLIENTS / "terraform" / "main.tf", tmp_path)

    def terraform(*arguments: str) -> int:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **plain.env(user="builder")}
        done = subprocess.run(
            ["terraform", *arguments, "-no-color", "-input=false"],
            cwd=tmp_path,
            env={**environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode in (0, 2), done.stdout + done.stderr
        return done.returncode

    terraform("init", f"-plugin-dir={terraform_plugins}")
    for team in ("blue", "red"):
        terraform("apply", "-auto-approve", f"-var=team={team}")
        assert terraform("plan", "-detailed-exitcode", f"-var=team={team}") == 0
        assert client(plain, "s3").get_object(Bucket="photos", Key="hello")["Body"].read() == f"hello {team}".encode()
        queue = client(plain, "sqs").get_queue_url(QueueName="jobs")["QueueUrl"]
        assert client(plain, "sqs").list_queue_tags(QueueUrl=queue)["Tags"] == {"team": team}
    versions = client(plain, "s3").list_object_versions(Bucket="photos")["Versions"]
    client(plain, "s3").delete_objects(
        Bucket="photos",
        Delete={"Objects": [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]},
    )
    terraform("destroy", "-auto-approve", "-var=team=red")
    assert client(plain, "s3").list_buckets()["Buckets"] == []
    assert client(plain, "dynamodb").list_tables()["TableNames"] == []
    assert "QueueUrls" not in client(plain, "sqs").list_queues()


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_the_cli_sends_each_checksum_behind_its_object(lab: Aws, photos, tmp_path, algorithm):
    for size in (10, 9 << 20):  # one chunk, and parts
        source, back = tmp_path / "source", tmp_path / "back"
        source.write_bytes(os.urandom(size))
        aws = str(Path(sys.executable).parent / "aws")
        copy = (aws, "s3", "cp", str(source), "s3://photos/ann/1", "--checksum-algorithm", algorithm)
        run(lab, *copy, user="ann")
        run(lab, aws, "s3", "cp", "s3://photos/ann/1", str(back), "--checksum-mode", "ENABLED", user="ann")
        assert back.read_bytes() == source.read_bytes()
        assert photos.head_object(Bucket="photos", Key="ann/1")["ContentLength"] == size
