"""Where commands ask: there may be nobody, another program, or nothing that can be asked."""

from __future__ import annotations

import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from sts_emulator.cli.main import main

ANSWERS = {
    "not found": (404, "text/html", b"<html>"),
    "any path": (200, "text/html", b"<html>"),
    "a text": (200, "text/plain", b"ready"),
    "no JSON": (200, "application/json", b"{nope"),
    "deep": (200, "application/json", b"[" * 100_000),
    "null": (200, "application/json", b"null"),
}


@pytest.mark.parametrize(
    "command", [["status"], ["env"], ["events"], ["token", "github"], ["world", "list"]], ids=" ".join
)
@pytest.mark.parametrize("answer", ANSWERS)
def test_what_answers_and_is_no_emulator_is_said(capsys, command: list[str], answer: str):
    """Another program has the port, such as a web application that answers every path alike: there were tracebacks."""
    status, kind, body = ANSWERS[answer]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))  # what is left unread has the answer reset
            self.send_response_only(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - the base class looks for this name

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert main([*command, "--port", str(server.server_port)]) == 1
    assert capsys.readouterr().err == (
        f"sts-emulator: what answers at {url} is no emulator ({status}); name another place with --port\n"
    )


def test_what_is_cut_off_is_no_answer(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")

        Thread(target=answer).start()
        assert main(["status", "--port", str(server.getsockname()[1])]) == 1
    assert "(incompleteread); start one: `sts-emulator start`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        *((["--host", host], "is not the URL of an emulator") for host in ("a b", "x" * 300, "\udcff", "a..b")),
        *((["--port", port], "is not the URL of an emulator") for port in ("99999", "-1")),
        *((["--token", token], "--token: a token is of ASCII") for token in ("\udcff", "é", "a\nb")),
    ],
)
def test_where_nothing_can_be_asked_is_said(capsys, given: list[str], told: str):
    assert main(["status", *given]) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["explain", "\udcff"], "no event"),
        (["world", "delete", "\udcff"], "no world"),
        (["explain", "no/such/file"], "no/such/file: no such file or folder"),
    ],
)
def test_names_that_are_no_text_are_asked_for_all_the_same(emulator_server, capsys, command: list[str], told: str):
    """As a terminal gives a file's name that is not UTF-8."""
    assert main([*command, "--port", emulator_server.url.rpartition(":")[2]]) in {1, 2}
    assert told in capsys.readouterr().err
