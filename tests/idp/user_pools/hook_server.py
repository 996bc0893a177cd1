"""An HTTP server on which Python functions of a test play Lambda triggers."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Play = Callable[[dict[str, Any]], Any]


class RawAnswerError(Exception):
    """What a function raises that answers otherwise than with JSON."""

    def __init__(self, status: int, body: bytes = b"", **headers: str) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers


class HookServer:
    """Its functions by path; `events` are those that they were given, in order."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.functions: dict[str, Play] = {}
        self.events: list[dict[str, Any]] = []

    def play(self, app: Any, config: Mapping[str, Any] | None = None, **functions: Play) -> None:
        """Have functions play triggers of the app's pool."""
        arns = {name: self.arn(name) for name in functions}
        self.functions |= {f"/{name}": function for name, function in functions.items()}
        app.aws.hooks({arn: f"{self.url}/{name}" for name, arn in arns.items()})
        kept = app.admin.describe_user_pool(UserPoolId=app.pool)["UserPool"]
        settings = {
            name: kept[name] for name in ("AutoVerifiedAttributes", "Policies", "MfaConfiguration") if name in kept
        }
        app.admin.update_user_pool(UserPoolId=app.pool, LambdaConfig={**arns, **(config or {})}, **settings)

    @staticmethod
    def arn(name: str) -> str:
        return f"arn:aws:lambda:us-east-1:123456789012:function:{name}"

    def sources(self) -> list[str]:
        return [event["triggerSource"] for event in self.events]


@contextmanager
def playing() -> Iterator[HookServer]:
    """A server on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            event = json.loads(body)
            server.events.append(json.loads(body))
            status, headers = 200, {}
            try:
                answer = json.dumps(server.functions[self.path](event)).encode()
            except RawAnswerError as raw:
                status, answer, headers = raw.status, raw.body, raw.headers
            except Exception as error:  # noqa: BLE001 - as Lambda tells it
                status, answer = 500, json.dumps({"errorMessage": str(error), "errorType": "Error"}).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    server = HookServer(f"http://127.0.0.1:{listener.server_port}")
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
