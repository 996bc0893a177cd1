"""The server is told to end while clients go on calling: who was answered has lost nothing, and nobody is left hanging."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from urllib.parse import urlencode, urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sts_emulator import Aws, Emulator

ANYBODY = {
    "aws_access_key_id": "AKIAANYBODYANYBODY00",
    "aws_secret_access_key": "anything",
    "region_name": "us-east-1",
    "config": Config(retries={"total_max_attempts": 1}, read_timeout=120),
}
CLIENTS = 6
SESSIONS_AND_USERS = (("sts", "2011-06-15", "GetCallerIdentity"), ("iam", "2010-05-08", "CreateUser"))


@pytest.fixture(params=["file", "workers", "postgres"])
def flags(request, tmp_path) -> list[str]:
    """Those of a state that outlives its server."""
    if request.param == "postgres":
        return ["--state", request.getfixturevalue("postgres").database()]
    return ["--state", str(tmp_path / "state.sqlite"), *(["--workers", "2"] if request.param == "workers" else [])]


def calls(url: str, root, client: int) -> Iterator[bytes]:
    """Signed calls of one client as they go to the socket; each user has a name of its own."""
    keys = Credentials(root["access_key_id"], root["secret_access_key"])
    for number, (service, version, operation) in enumerate(cycle(SESSIONS_AND_USERS)):
        form = {"Action": operation, "Version": version}
        if operation == "CreateUser":
            form["UserName"] = f"user-{client}-{number}"
        request = AWSRequest("POST", url + "/", {"content-type": "application/x-www-form-urlencoded"}, urlencode(form))
        SigV4Auth(keys, service, "us-east-1").add_auth(request)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        head = ["POST / HTTP/1.1", f"host: {urlsplit(url).netloc}", f"content-length: {len(request.data)}", *lines]
        yield "\r\n".join([*head, "", ""]).encode() + request.data.encode()


def connect(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=120)


def call_on(connection: socket.socket, requests: Iterator[bytes], answered: list[str]) -> None:
    """Call until an answer says that it was the last, or refuses, or the connection is closed. Notes who was answered."""
    with connection, connection.makefile("rb") as answers:
        for call in requests:
            line = b""
            with contextlib.suppress(ConnectionError):  # closed, and sent into: there is no answer then, or a whole one
                connection.sendall(call)
                line = answers.readline()
            if not line:
                return
            head = line + b"".join(iter(answers.readline, b"\r\n"))
            assert head.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), head  # refused: a slow state had no time left
            length = int(re.search(rb"content-length: (\d+)", head)[1])
            body = answers.read(length)
            assert len(body) == length
            if head.startswith(b"HTTP/1.1 200 "):
                answered.append(re.search(rb"<RequestId>(.*)</RequestId>", body)[1].decode())
            if b"connection: close" in head or not head.startswith(b"HTTP/1.1 200 "):
                return


def test_who_was_answered_has_lost_nothing_and_nobody_is_left_hanging(serve, flags):
    answered: list[str] = []
    with serve(*flags) as (url, process):
        with contextlib.closing(Emulator(url).control()) as api:
            root = api.api("GET", "worlds", "default", "credentials")
        with ThreadPoolExecutor(CLIENTS) as threads:
            connections = [connect(url) for _ in range(CLIENTS)]
            ends = [
                threads.submit(call_on, connection, calls(url, root, client), answered)
                for client, connection in enumerate(connections)
            ]
            while len(answered) < 200 and not any(end.done() for end in ends):
                time.sleep(0.001)
            process.terminate()
            for end in ends:
                end.result(timeout=120)
        assert process.wait(timeout=60) in {0, -signal.SIGTERM}  # or never
        assert "Traceback" not in process.stdout.read()
    with serve(*flags) as (url, _), contextlib.closing(Emulator(url).control()) as api:
        kept = api.api("GET", "worlds", "default", "events", limit=10_000)
        assert not set(answered) - {record["requestID"] for record in kept}
        iam = Aws(api, "default").client("iam", root)
        names = {user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]}
        told = {record["requestParameters"]["userName"] for record in kept if record["eventName"] == "CreateUser"}
        assert told <= names, "a write and its event are one"


WHO = (
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 43\r\n\r\n"
    b"Action=GetCallerIdentity&Version=2011-06-15"
)


def test_who_has_connected_before_the_end_is_answered(serve):
    """Who waited to be accepted was reset."""
    with serve() as (url, process), contextlib.ExitStack() as open_ones:
        process.send_signal(signal.SIGSTOP)
        clients = [open_ones.enter_context(connect(url)) for _ in range(50)]
        for client in clients:
            client.sendall(WHO)
        process.terminate()
        process.send_signal(signal.SIGCONT)
        assert {client.recv(12) for client in clients} == {b"HTTP/1.1 403"}
        process.wait(timeout=60)


@pytest.fixture
def silence(tmp_path) -> Iterator[tuple[list[str], socket.socket]]:
    """What a command is prefixed with so that its names are looked up where nobody answers, and who is asked there."""
    told = tmp_path / "resolv.conf"
    prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {told} /etc/resolv.conf && exec "$@"', "sh"]
    with socket.socket(type=socket.SOCK_DGRAM) as asked:
        address = f"127.53.{os.getpid() % 65_536 // 256}.{os.getpid() % 256}"
        told.write_text(f"nameserver {address}\noptions timeout:30 attempts:5\n")
        try:
            asked.bind((address, 53))
            subprocess.run([*prefix, "true"], check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("names are looked up elsewhere by root alone, and not everywhere")
        yield prefix, asked


def test_nobody_waits_for_a_name_that_is_looked_up(serve, silence):
    """Ctrl-C did, for as long as nobody answered."""
    prefix, asked = silence
    with (
        serve("--upstream", "http://nobody.example", "--permissive", prefix=prefix) as (url, process),
        ThreadPoolExecutor(1) as thread,
    ):
        call = thread.submit(boto3.client("s3", endpoint_url=url, **ANYBODY).list_buckets)
        asked.settimeout(120)
        asked.recv(512)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        with pytest.raises(ClientError, match="503"):
            call.result(timeout=120)
