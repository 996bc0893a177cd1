"""S3 as programs use it: the AWS CLI's own parts, buckets in the host's name, readers without an account, large objects."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from door_lab import PEOPLE

from sts_emulator import Aws

pytestmark = pytest.mark.scenario(PEOPLE)


def aws(lab: Aws, *command: str, user: str = "") -> subprocess.CompletedProcess:
    """The AWS CLI, unmodified."""
    return subprocess.run(
        [Path(sys.executable).parent / "aws", *command],
        env={"PATH": os.defpath, **lab.env(user=user)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.clients
@pytest.mark.usefixtures("photos")
def test_the_cli_sends_and_fetches_parts(lab: Aws, tmp_path):
    large = tmp_path / "large"
    large.write_bytes(os.urandom(20 << 20))
    sent = aws(lab, "s3", "cp", str(large), "s3://photos/some where/large")
    assert sent.returncode == 0, sent.stderr
    assert "large" in aws(lab, "s3", "ls", "s3://photos/some where/").stdout
    fetched = aws(lab, "s3", "cp", "s3://photos/some where/large", str(tmp_path / "again"))
    assert fetched.returncode == 0, fetched.stderr
    assert (tmp_path / "again").read_bytes() == large.read_bytes()
    assert aws(lab, "s3", "rm", "--recursive", "s3://photos").returncode == 0
    denied = aws(lab, "s3", "ls", "s3://photos", user="bob")
    assert "is not authorized to perform: s3:ListBucket on resource: arn:aws:s3:::photos" in denied.stderr


def ask(lab: Aws, method: str, host: str, path: str, body: bytes = b"", *, user: str = "") -> tuple[int, str]:
    """A request to a host that is this machine, signed for it or by nobody."""
    where = urllib.parse.urlsplit(lab.endpoint_url)
    request = AWSRequest(method, f"http://{host}:{where.port}{where.path}{path}", data=body)
    if user:
        given = lab.credentials(user=user)
        key = Credentials(given["access_key_id"], given["secret_access_key"])
        S3SigV4Auth(key, "s3", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection(where.hostname, where.port)
    headers = {**dict(request.headers.items()), "Host": f"{host}:{where.port}"}
    connection.request(method, where.path + path, body or None, headers)
    answer = connection.getresponse()
    told = answer.read().decode()
    connection.close()
    return answer.status, told


def test_a_bucket_may_stand_in_the_host(lab: Aws, photos):
    assert ask(lab, "PUT", "photos.localhost", "/ann/1", b"hello", user="ann")[0] == 200
    assert photos.get_object(Bucket="photos", Key="ann/1")["Body"].read() == b"hello"
    assert ask(lab, "GET", "photos.s3.us-east-1.amazonaws.com", "/ann/1", user="ann") == (200, "hello")
    status, told = ask(lab, "GET", "photos.localhost", "/bob/1", user="ann")
    assert (status, "arn:aws:s3:::photos/bob/1" in told) == (403, True)


def test_who_has_no_account_reads_what_a_bucket_gives_to_all(lab: Aws, photos):
    photos.put_object(Bucket="photos", Key="public/1", Body=b"hello")
    status, told = ask(lab, "GET", "127.0.0.1", "/photos/public/1")
    assert (status, "An anonymous caller is not authorized to perform: s3:GetObject" in told) == (403, True)
    allowed = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::photos/public/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    photos.put_bucket_policy(Bucket="photos", Policy=policy)
    assert ask(lab, "GET", "127.0.0.1", "/photos/public/1") == (200, "hello")
    assert ask(lab, "GET", "127.0.0.1", "/photos/ann/1")[0] == 403
    assert ask(lab, "PUT", "127.0.0.1", "/photos/public/2", b"x")[0] == 403


RULES = {"CORSRules": [{"AllowedOrigins": ["https://app.example"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"]}]}


def preflight(lab: Aws, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    """A browser's question whether a page may write: nobody signs it."""
    where = urllib.parse.urlsplit(lab.endpoint_url)
    connection = http.client.HTTPConnection(where.hostname, where.port)
    connection.request("OPTIONS", where.path + path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, dict(answer.getheaders())


def test_a_browser_asks_before_it_writes(lab: Aws, photos):
    photos.put_bucket_cors(Bucket="photos", CORSConfiguration=RULES)
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
    signed = photos.generate_presigned_url("put_object", Params={"Bucket": "photos", "Key": "ann/1"})
    for path in ("/photos/ann/1", f"/photos/ann/1?{urllib.parse.urlsplit(signed).query}"):
        status, headers = preflight(lab, path, **asked)
        assert (status, headers["access-control-allow-origin"]) == (200, "https://app.example")
    assert lab.events()[-1]["eventName"] == "PreflightRequest"
    assert preflight(lab, "/photos/ann/1")[0] == 400


def test_a_page_may_read_why_it_was_refused(lab: Aws, photos):
    """Else a browser tells it of nothing but a failed network."""
    photos.put_bucket_cors(Bucket="photos", CORSConfiguration=RULES)
    where = urllib.parse.urlsplit(lab.endpoint_url)
    connection = http.client.HTTPConnection(where.hostname, where.port)
    connection.request("PUT", f"{where.path}/photos/ann/1", b"1", {"Origin": "https://app.example"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("access-control-allow-origin")) == (403, "https://app.example")
    assert b"<Code>AccessDenied</Code>" in answer.read()
    connection.request("PUT", f"{where.path}/photos/ann/1", b"1")
    assert connection.getresponse().getheader("access-control-allow-origin") is None
    connection.close()
