"""What these tests have in common: raw HTTP to metadata and container endpoints, and clients in clean environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
AWS_CLI = Path(sys.executable).parent / "aws"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

CALLER = """
import boto3, json
session = boto3.session.Session()
print(json.dumps(session.client("sts").get_caller_identity()["Arn"]))
"""


@dataclass
class Answer:
    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.text)


class Lab:
    """One world with workloads."""

    def __init__(self, aws) -> None:
        self.aws = aws

    def api(self, method: str, *path: str, body: Any = None) -> Any:
        return self.aws._api(method, *path, body=body)

    def imds(self, name: str) -> Metadata:
        opened = self.api("POST", "listeners", body={"kind": "imds", "workload": name})
        return Metadata(opened["url"], opened["workload"])

    def listener(self, kind: str) -> str:
        return self.api("POST", "listeners", body={"kind": kind})["url"]

    def workload(self, kind: str, name: str) -> dict[str, Any]:
        return self.api("POST", "workloads", body={"kind": kind, "name": name})

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.aws.events() if event["eventName"] == name]

    def environment(self, **variables: str) -> dict[str, str]:
        """A clean environment that points at the world and holds no credentials."""
        return clean_environment(AWS_ENDPOINT_URL=self.aws.endpoint_url, **variables)

    def boto3_caller(self, **variables: str) -> str:
        """Who a new boto3 process is, in a clean environment."""
        return json.loads(run([sys.executable, "-c", CALLER], self.environment(**variables)))

    def cli(self, *arguments: str, **variables: str) -> Any:
        return json.loads(run([str(AWS_CLI), *arguments, "--output", "json"], self.environment(**variables)))


class Metadata:
    """An instance's metadata service."""

    def __init__(self, url: str, instance: str) -> None:
        self.url = url
        self.instance = instance

    def token(self, ttl: int = 21_600) -> str:
        answer = self.put(headers={"X-aws-ec2-metadata-token-ttl-seconds": str(ttl)})
        assert answer.status == 200
        return answer.text

    def put(self, path: str = "/latest/api/token", headers: dict[str, str] | None = None) -> Answer:
        return request("PUT", self.url + path, headers)

    def get(self, path: str, token: str | None = None, **headers: str) -> Answer:
        given = dict(headers)
        if token is not None:
            given["X-aws-ec2-metadata-token"] = token
        return request("GET", f"{self.url}/latest/{path}", given)

    def credentials(self, token: str | None = None) -> dict[str, str]:
        folder = "meta-data/iam/security-credentials/"
        return self.get(folder + self.get(folder, token).text, token).json()


def request(method: str, url: str, headers: dict[str, str] | None = None) -> Answer:
    asked = urllib.request.Request(url, headers=headers or {}, method=method)
    try:
        with _OPENER.open(asked, timeout=120) as answer:
            return Answer(answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.headers.items()})
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(), {k.lower(): v for k, v in error.headers.items()})


@contextmanager
def forwarding(url: str) -> Iterator[str]:
    """A reverse proxy in front of `url` that says for whom it forwards, as proxies do; yields its own URL."""

    class Forward(BaseHTTPRequestHandler):
        def _forward(self) -> None:
            given = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
            answer = request(self.command, url + self.path, {**given, "X-Forwarded-For": self.client_address[0]})
            body = answer.text.encode()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = _forward

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def as_keys(document: dict[str, str]) -> dict[str, str]:
    """A credentials document as the `Credentials` structure of STS."""
    return {
        "AccessKeyId": document["AccessKeyId"],
        "SecretAccessKey": document["SecretAccessKey"],
        "SessionToken": document["Token"],
    }


def clean_environment(**variables: str) -> dict[str, str]:
    """Nothing of this machine's AWS settings, proxies and certificates."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "SYSTEMROOT") if name in os.environ}
    return {
        **kept,
        "AWS_METADATA_SERVICE_TIMEOUT": "60",  # botocore and Java wait a second, once: a busy machine can miss that
        "HOME": "/nonexistent",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "NO_PROXY": "*",
        **variables,
    }


def run(command: list[str], environment: dict[str, str], **options: Any) -> str:
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False, **options)
    assert done.returncode == 0, f"{command}: {done.stderr}\n{done.stdout}"
    return done.stdout
