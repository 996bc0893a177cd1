"""What clients did and were told: one entry an operation, with its start, its end and its answer."""

from __future__ import annotations

import http.client
import json
import re
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import botocore.auth
import botocore.awsrequest
import botocore.credentials

LONGEST_WAIT = 20.0  # seconds: nginx gives up before

PAUSE = 0.1  # seconds after a call that nobody took
_CODE = re.compile(rb"<Code>([^<]*)</Code>")


@dataclass
class Entry:
    """An operation. `status` 0: the connection broke, so that nobody can tell whether it was carried out."""

    client: str
    what: str
    subject: str = ""
    value: str = ""
    world: str = "default"
    start: float = 0.0
    end: float = 0.0
    status: int = 0
    code: str = ""
    request: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def is_done(self) -> bool:
        return self.status == 200

    @property
    def is_answered(self) -> bool:
        """Whether an emulator has answered, and not that it cannot: then its event must be there."""
        return self.status != 0 and self.status < 500 and self.request != ""


class History:
    """All entries of a run, in the order of their ends."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        with self._lock:
            self.entries.append(entry)

    def write(self, path: Path) -> None:
        lines = [json.dumps({**asdict(entry), "body": ""}) for entry in self.entries]
        path.write_text("\n".join(lines))


@dataclass(frozen=True)
class Keys:
    """What signs calls."""

    identifier: str
    secret: str
    token: str | None = None


class Client:
    """One connection, and calls over it, one at a time. Nothing is ever sent again."""

    def __init__(self, history: History, name: str, port: int) -> None:
        self.name = name
        self._history = history
        self._port = port
        self._connection: http.client.HTTPConnection | None = None

    def call(self, entry: Entry, service: str, keys: Keys, **parameters: str) -> Entry:
        """A call of the query protocol."""
        version = {"sts": "2011-06-15", "iam": "2010-05-08"}[service]
        body = urlencode({"Action": entry.what, "Version": version, **parameters})
        path = "/" if entry.world == "default" else f"/w/{entry.world}/"
        request = botocore.awsrequest.AWSRequest(
            "POST",
            f"http://127.0.0.1:{self._port}{path}",
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
            body,
        )
        credentials = botocore.credentials.Credentials(keys.identifier, keys.secret, keys.token)
        botocore.auth.SigV4Auth(credentials, service, "us-east-1").add_auth(request)
        return self._send(entry, "POST", path, body.encode(), dict(request.headers.items()))

    def post(self, entry: Entry, path: str, body: object) -> Entry:
        """A request of JSON, unsigned."""
        return self._send(entry, "POST", path, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _send(self, entry: Entry, method: str, path: str, body: bytes, headers: dict[str, str]) -> Entry:
        entry.start = time.time()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LONGEST_WAIT)
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            entry.body = answer.read()
            entry.status = answer.status
            entry.request = answer.headers.get("x-amzn-RequestId", "")
            entry.code = _code_of(entry, answer)
        except (OSError, http.client.HTTPException) as error:
            entry.code = type(error).__name__
            self._connection = None
        entry.end = time.time()
        self._history.add(entry)
        if entry.status in (0, 502):
            time.sleep(PAUSE)
        return entry


def _code_of(entry: Entry, answer: http.client.HTTPResponse) -> str:
    if entry.is_done:
        return ""
    if match := _CODE.search(entry.body):
        return match[1].decode()
    return answer.headers.get("x-amzn-ErrorType", "").partition(":")[0]
