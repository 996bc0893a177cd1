"""An upstream that checks every signature and every checksum itself: Versity's S3 gateway, built from its Go module."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import builds
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from door_lab import MINE, PEOPLE, client, refused, send, signed

from sts_emulator import Aws
from sts_emulator.shared_server import free_port

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

pytestmark = [pytest.mark.clients, pytest.mark.scenario(PEOPLE)]


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> str:
    """The gateway, built once for all runs that share a folder."""
    home = tmp_path_factory.getbasetemp().parent / "versitygw"
    program = home / "versitygw"
    if not program.exists():
        go = shutil.which("go")
        if go is None:
            pytest.skip("no `go` here")
        environment = {**os.environ, "GOBIN": str(home), "GOFLAGS": "-p=2"}
        command = [go, "install", MODULE]
        try:
            with builds.alone():
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=builds.LIMIT, check=False
                )
        except subprocess.TimeoutExpired:
            pytest.skip(f"`go` has not built {MODULE} in {builds.LIMIT} seconds")
        if done.returncode:
            pytest.skip(f"`go` cannot build {MODULE} here: {done.stderr.strip()[-300:]}")
    return str(program)


@pytest.fixture(scope="module")
def strict(program, tmp_path_factory) -> Iterator[str]:
    """Its URL; it knows one key."""
    port, home = free_port(), tmp_path_factory.mktemp("strict")
    for name in ("objects", "metadata", "versions"):
        (home / name).mkdir()
    environment = {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY_ID": "keeper", "ROOT_SECRET_ACCESS_KEY": "sec/ret+1"}
    command = [program, "--port", f"127.0.0.1:{port}", "--quiet", "posix", "--sidecar", str(home / "metadata")]
    command += ["--versioning-dir", str(home / "versions"), str(home / "objects")]
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        while server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=120).close()
                break
            except OSError:
                continue
        yield f"127.0.0.1:{port}"
        server.terminate()


@pytest.fixture
def lab(strict, another_door, monkeypatch) -> Iterator[Aws]:
    """A world behind a door whose environment names the upstream and its key."""
    monkeypatch.setenv("EMULATOR_UPSTREAM", f"s3=http://keeper:sec%2Fret%2B1@{strict}")
    with another_door("", "--upstream-account", MINE) as emulator, emulator.world(PEOPLE) as aws:
        yield aws


@pytest.fixture
def bucket(lab: Aws) -> Iterator[str]:
    """A bucket of the test's own."""
    s3, name = client(lab, "s3"), "photos"
    s3.create_bucket(Bucket=name)
    yield name
    for version in s3.list_object_versions(Bucket=name).get("Versions", []):
        s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket=name)


def test_it_is_strict(strict):
    """Whoever signs with another key, or wrongly, gets nothing past it."""
    for key, secret, code in ((MINE, MINE, "UserNotFound"), ("keeper", "wrong", "SignatureDoesNotMatch")):
        given = {"aws_access_key_id": key, "aws_secret_access_key": secret, "region_name": "us-east-1"}
        with pytest.raises(ClientError, match=code):
            boto3.client("s3", endpoint_url=f"http://{strict}", **given).list_buckets()


@pytest.mark.parametrize(
    "key", ["ann/1", "ann/a b+ü?&=#%41.txt", "ann/tilde~(star*)!'", "ann/" + "x" * 200, "ann/a;b:c@d,e$f"]
)
def test_every_key_is_signed_as_it_is_sent(lab: Aws, bucket, key):
    ann = client(lab, "s3", "ann")
    ann.put_object(Bucket=bucket, Key=key, Body=b"hello", Metadata={"colour": "red  and   blue"}, ContentType="text/x")
    got = ann.get_object(Bucket=bucket, Key=key, ResponseContentDisposition='attachment; filename="a b.txt"')
    assert (got["Body"].read(), got["ContentType"]) == (b"hello", "text/x")
    assert got["ContentDisposition"] == 'attachment; filename="a b.txt"'
    assert [thing["Key"] for thing in client(lab, "s3").list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    ann.delete_object(Bucket=bucket, Key=key)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_trailers_and_parts_are_what_they_say(lab: Aws, bucket, algorithm, tmp_path):
    body = os.urandom(12 << 20)
    (tmp_path / "large").write_bytes(body)
    ann = client(lab, "s3", "ann")
    ann.put_object(Bucket=bucket, Key="ann/1", Body=body, ChecksumAlgorithm=algorithm)
    assert ann.get_object(Bucket=bucket, Key="ann/1", ChecksumMode="ENABLED")["Body"].read() == body
    ann.upload_file(str(tmp_path / "large"), bucket, "ann/2", ExtraArgs={"ChecksumAlgorithm": algorithm})
    assert ann.get_object(Bucket=bucket, Key="ann/2")["Body"].read() == body
    with pytest.raises(ClientError, match=r"BadDigest|InvalidRequest"):
        ann.put_object(Bucket=bucket, Key="ann/3", Body=b"x", **{f"Checksum{algorithm}": "AAAAAA=="})


def test_who_may_not_does_not_reach_it(lab: Aws, bucket):
    """The upstream knows one account: only the door tells people apart."""
    message = refused(client(lab, "s3", "ann").put_object, Bucket=bucket, Key="bob/1", Body=b"x")["Error"]["Message"]
    assert "s3:PutObject on resource: arn:aws:s3:::photos/bob/1" in message
    assert refused(client(lab, "s3", "bob").list_objects_v2, Bucket=bucket)["Error"]["Code"] == "AccessDenied"
    assert "Contents" not in client(lab, "s3").list_objects_v2(Bucket=bucket)


def test_the_buckets_own_policy_is_read_there(lab: Aws, bucket):
    root = client(lab, "s3")
    root.put_object(Bucket=bucket, Key="ann/1", Body=b"x")
    denial = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::photos/ann/*"}
    root.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [denial]}))
    message = refused(client(lab, "s3", "ann").get_object, Bucket=bucket, Key="ann/1")["Error"]["Message"]
    assert "with an explicit deny in a resource-based policy" in message
    root.delete_bucket_policy(Bucket=bucket)
    assert client(lab, "s3", "ann").get_object(Bucket=bucket, Key="ann/1")["Body"].read() == b"x"


def test_presigned_urls_pass(lab: Aws, bucket):
    ann = lab.client("s3", user="ann", config=Config(signature_version="s3v4"))
    named = {"Bucket": bucket, "Key": "ann/a b"}
    url = ann.generate_presigned_url("put_object", Params={**named, "ContentType": "text/plain"})
    sent = urllib.request.Request(url, data=b"hello", method="PUT", headers={"Content-Type": "text/plain"})
    with urllib.request.urlopen(sent) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(ann.generate_presigned_url("get_object", Params=named)) as answer:
        assert answer.read() == b"hello"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(ann.generate_presigned_url("get_object", Params={**named, "Key": "bob/1"}))


def test_nothing_half_is_stored(lab: Aws, bucket):
    request = signed(lab, "PUT", "/photos/ann/1", b"x" * 1_000_000)
    request.data = b"y" * 1_000_000
    status, told = send(request.prepare())
    assert (status, "XAmzContentSHA256Mismatch" in told) == (400, True)
    assert "Contents" not in client(lab, "s3").list_objects_v2(Bucket=bucket)


def test_the_cli_synchronizes_a_folder(lab: Aws, bucket, tmp_path):
    for name in ("one", "two words", "größe"):
        (tmp_path / name).write_text(name)
    aws = str(Path(sys.executable).parent / "aws")
    environment = {"PATH": os.environ["PATH"], **lab.env()}
    for target in ([str(tmp_path), f"s3://{bucket}/ann"], [f"s3://{bucket}/ann", str(tmp_path / "back")]):
        done = subprocess.run(
            [aws, "s3", "sync", *target], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert {path.name: path.read_text() for path in (tmp_path / "back").iterdir()} == {
        name: name for name in ("one", "two words", "größe")
    }
