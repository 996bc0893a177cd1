"""What the tests of the door share: who there is, and how they call."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sts_emulator import Aws

ONCE = Config(retries={"total_max_attempts": 1})
MINE, OTHERS = "111122223333", "444455556666"

PEOPLE = """
accounts:
  "111122223333":
    users:
      ann:
        inline:
          photos: [{Effect: Allow, Action: "s3:*Object", Resource: "arn:aws:s3:::photos/ann/*"}]
          queues:
            - {Effect: Allow, Action: "sqs:*", Resource: "*"}
            - {Effect: Deny, Action: sqs:DeleteQueue, Resource: "*"}
          others:
            - {Effect: Allow, Action: ["dynamodb:*", "lambda:*", "sns:*", "kms:*", "secretsmanager:*"], Resource: "*"}
      bob: {}
    roles:
      app:
        trust:
          - Effect: Allow
            Principal: {AWS: "arn:aws:iam::111122223333:user/ann"}
            Action: [sts:AssumeRole, sts:TagSession]
        inline:
          tagged:
            - {Effect: Allow, Action: "s3:*Object", Resource: "arn:aws:s3:::photos/${aws:PrincipalTag/team}/*"}
  "444455556666":
    users:
      eve: {inline: {all: [{Effect: Allow, Action: "*", Resource: "*"}]}}
"""


def client(lab: Aws, service: str, user: str = "", **options):
    """A client of a user, or of root, that asks once."""
    return lab.client(service, user=user, config=ONCE, **options)


def stranger(lab: Aws, service: str):
    """A client of the other account."""
    return lab.client(service, lab.credentials(account=OTHERS, user="eve"), config=ONCE)


def refused(call, **parameters) -> dict:
    """The answer to a call that is refused."""
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response


def statement(effect: str, action: str, resource: str, *principals: str) -> str:
    """A resource's policy of one statement."""
    said = {"Effect": effect, "Action": action, "Resource": resource, "Principal": {"AWS": list(principals)}}
    return json.dumps({"Version": "2012-10-17", "Statement": [said]})


# -- requests to the letter -------------------------------------------------------------------------------------------


def signed(lab: Aws, method: str, path: str, body: bytes = b"", service: str = "s3", user: str = "ann", **headers: str):
    """A request whose path goes out as it is, signed rightly."""
    given = lab.credentials(user=user) if user else lab.root
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    request = AWSRequest(method, f"{lab.endpoint_url}{path}", data=body, headers=headers)
    kind(Credentials(given["access_key_id"], given["secret_access_key"]), service, "us-east-1").add_auth(request)
    return request


def send(request, *more: tuple[str, str]) -> tuple[int, str]:
    """Status and text of a request that is sent to the letter, with headers that nobody has signed."""
    status, told = exchanged(request, *more)
    return status, told.decode("utf-8", "replace")


def exchanged(request, *more: tuple[str, str]) -> tuple[int, bytes]:
    """Likewise, with the body as it comes."""
    where = urllib.parse.urlsplit(request.url)
    connection = http.client.HTTPConnection(where.hostname, where.port)
    connection.putrequest(request.method, request.url.partition(where.netloc)[2], skip_accept_encoding=True)
    for name, value in [*request.headers.items(), *more]:
        connection.putheader(name, value)
    if "Content-Length" not in request.headers and (request.body or request.method in ("PUT", "POST")):
        connection.putheader("Content-Length", str(len(request.body or b"")))
    connection.endheaders(request.body or None)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    return answer.status, told


# -- upstreams that are none --------------------------------------------------------------------------------------------


NOTHING = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
NOT_FOUND = NOTHING.replace(b"200 OK", b"404 Not Found")


def written(body: bytes, kind: bytes = b"application/xml") -> bytes:
    """An answer that is all that its connection has to say."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    return head % (kind, len(body)) + body


BUCKETS = written(
    b"<ListAllMyBucketsResult><Buckets><Bucket><Name>photos</Name></Bucket></Buckets></ListAllMyBucketsResult>"
)


class Accepting:
    """What takes connections on a port of its own, each in a thread: `serve` is given them."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=self._socket.accept()[:1], daemon=True).start()

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Listener(Accepting):
    """An upstream that keeps what it is sent, and answers with given bytes: always, or by how a request begins."""

    def __init__(self, answer: bytes | dict[bytes, bytes], *, hangs: bool = False) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self._hangs = hangs
        super().__init__()

    def serve(self, connection: socket.socket) -> None:
        heard = b""
        with connection, contextlib.suppress(OSError):
            while b"\r\n\r\n" not in heard and (data := connection.recv(65_536)):
                heard += data
            head, _, body = heard.partition(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            while len(body) < length and (data := connection.recv(65_536)):
                body += data
            self.heard.append(head + b"\r\n\r\n" + body)
            asks_first = head.startswith(
                (b"GET / ", b"HEAD /photos ", b"GET /photos?policy")
            )  # the door's own questions
            while self._hangs and not asks_first and connection.recv(65_536):
                pass
            connection.sendall(self._told(head, NOT_FOUND if asks_first else b""))

    def _told(self, head: bytes, usual: bytes) -> bytes:
        if isinstance(self.answer, dict):
            return next(answer for beginning, answer in self.answer.items() if head.startswith(beginning))
        return usual or self.answer


@contextlib.contextmanager
def listening(answer: bytes | dict[bytes, bytes], **options) -> Iterator[Listener]:
    upstream = Listener(answer, **options)
    try:
        yield upstream
    finally:
        upstream.close()
