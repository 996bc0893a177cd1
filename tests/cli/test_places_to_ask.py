"""Where commands ask: there may be nobody, another program, or nothing that can be asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from test_every_command import PKI, flags, leaves

from sts_emulator.cli.main import main, parser_of

JSON = "application/json"
FOREIGN = "text of a stranger's"
ANSWERS = {
    "not found": (404, "text/html", b"<html>"),
    "any path": (200, "text/html", b"<html>"),
    "a text": (200, "text/plain", FOREIGN.encode()),
    "no JSON": (200, JSON, b"{nope"),
    "deep": (200, JSON, b"[" * 100_000),
    "well": (200, JSON, b'{"status":"ok"}'),
    **{text: (200, JSON, text.encode()) for text in ("[]", "{}", "null", "1", '"x"', "[1]", "[{}]", '{"x":1}')},
}


@contextmanager
def stranger(status: int, kind: str, body: bytes) -> Iterator[HTTPServer]:
    """A web application that answers every path alike."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))  # what is left unread has the answer reset
            self.send_response_only(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        serving = Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server
        server.shutdown()
        serving.join()


ARGUMENTS = {
    "approve": "ABCD-EFGH --user jane",
    "class start": "--learners 1",
    "credential-process": "--certificate certs/web.pem --private-key certs/web.key "
    "--trust-anchor-arn a --profile-arn p --role-arn r",
    "exec": "--as ecs --role Analyst -- true",
    "explain": "--last",
    "imds": "i-1",
    "inspect": "FwoGZXIvYXdzEXAMPLE --access-key-id ASIAEXAMPLE",
    "lab predict": "assume-role first deny --layer trust",
    **{f"lab {what}": "assume-role" for what in ("show", "env", "check", "hint", "solve", "reset")},
    "mfa code": "arn:aws:iam::111122223333:mfa/jane",
    "saml assert": "--user jane",
    "token cognito": "--user jane",
    "workload start": "ecs --role Analyst",
    "workload stop": "i-1",
    "world advance": "1s",
    "world create": "lab",
    "world delete": "lab",
    "world eventual-consistency": "0",
}
"""What a command cannot do without."""

OF_THEIR_OWN = {
    "serve": "it is told that the port is taken",
    "start": "likewise",
    "lab start": "it starts a server where none is, as `start` does",
    "lab list": "it tells what labs there are where no server is",
    "lab lint": "it tells of each lab what is wrong",
    "stop": "it looks at processes, and asks nobody",
    "logs": "it reads a file",
}
"""Commands that have a server's options, and say something else where a stranger answers."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the commands run, with a certificate."""
    folder = tmp_path_factory.mktemp("asking")
    (folder / "certs").mkdir()
    (folder / "certs/pki.yaml").write_text(PKI)
    assert main(["certs", "--folder", str(folder / "certs"), "generate"]) == 0
    return folder


@pytest.mark.parametrize("answer", ANSWERS)
def test_what_answers_and_is_no_emulator_is_said(capsys, answer: str):
    """Another program has the port, such as a web application that answers every path alike: there were tracebacks."""
    with stranger(*ANSWERS[answer]) as server:
        assert main(["status", "--port", str(server.server_port)]) == 1
    assert capsys.readouterr() == ("", said(server, ANSWERS[answer][0]))


@pytest.mark.parametrize("answer", ["a text", "well", "[{}]"])
def test_no_command_believes_it(capsys, monkeypatch, folder: Path, answer: str):
    monkeypatch.chdir(folder)
    asking = [name for name, parser in leaves(parser_of([])) if "--host" in flags(parser) and name not in OF_THEIR_OWN]
    with stranger(*ANSWERS[answer]) as server:
        capsys.readouterr()
        for command in asking:
            code = main([*command.split(), "--port", str(server.server_port), *ARGUMENTS.get(command, "").split()])
            assert (command, code, *capsys.readouterr()) == (command, 1, "", said(server, 200))


def said(server: HTTPServer, status: int) -> str:
    url = f"http://127.0.0.1:{server.server_port}"
    return f"sts-emulator: what answers at {url} is no emulator ({status}); name another place with --port\n"


@pytest.mark.parametrize("answer", ANSWERS)
def test_who_is_not_roles_anywhere_is_not_believed_either(capsys, monkeypatch, folder: Path, answer: str):
    monkeypatch.chdir(folder)
    capsys.readouterr()
    with stranger(*ANSWERS[answer]) as server:
        words = [*ARGUMENTS["credential-process"].split(), "--endpoint", f"http://127.0.0.1:{server.server_port}"]
        assert main(["credential-process", *words]) == 1
    captured = capsys.readouterr()
    assert (captured.out, captured.err.count("\n")) == ("", 1)
    assert FOREIGN not in captured.err


@pytest.mark.parametrize("command", ["lab list", "lab lint assume-role"])
def test_what_is_told_of_labs_is_not_a_strangers(capsys, command: str):
    with stranger(*ANSWERS["a text"]) as server:
        assert main([*command.split(), "--port", str(server.server_port)]) in {0, 1}
    assert FOREIGN not in "".join(capsys.readouterr())


def test_what_is_cut_off_is_no_answer(capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Answered-By: sts-emulator\r\nContent-Length: 500\r\n\r\n{")

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
