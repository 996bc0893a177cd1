"""Messages to people, and approvals that a script gives in their place: over the control API, CLI and pytest plugin."""

from __future__ import annotations

import asyncio
import http.server
import json
import subprocess
import sys
import threading

import pytest

from sts_emulator.app import create_server
from sts_emulator.cli import approve as command
from sts_emulator.cli.errors import CommandError
from sts_emulator.core.errors import AwsError
from sts_emulator.pages import approvals, mailbox
from sts_emulator.pages.approvals import Outcome
from sts_emulator.pages.visit import Visit
from sts_emulator.settings import Settings
from sts_emulator.wire.http import Request


@pytest.fixture
def visit():
    server = create_server(Settings())
    world = server.worlds.create("lab")
    return Visit(server, world, Request("POST", "/", "/", headers={"host": "localhost"}), "http://localhost/w/lab")


@pytest.fixture
def approvers(monkeypatch):
    plugged: list = []
    monkeypatch.setattr(approvals, "_APPROVERS", plugged)
    return plugged


def test_messages_are_kept_in_order_and_found_by_address(visit):
    mailbox.deliver(visit.world, "jane@corp.test", "Your code is 123456", subject="Code", sender="no-reply@corp.test")
    mailbox.deliver(visit.world, "+15550100", "Your code is 654321", channel="sms")

    assert [message["text"][-6:] for message in mailbox.messages(visit.world)] == ["123456", "654321"]
    (mine,) = mailbox.messages(visit.world, "jane@corp.test")
    assert (mine["subject"], mine["channel"], mine["sender"]) == ("Code", "email", "no-reply@corp.test")
    assert mailbox.messages(visit.server.worlds.get("default")) == []


def test_a_mailbox_does_not_grow_for_ever(visit, monkeypatch):
    monkeypatch.setattr(mailbox, "KEPT", 3)
    for number in range(5):
        mailbox.deliver(visit.world, "jane", f"{number}" * 30_000)

    kept = mailbox.messages(visit.world)
    assert [message["text"][0] for message in kept] == ["2", "3", "4"]
    assert len(kept[0]["text"]) == mailbox.LONGEST


def test_no_messages_yet(aws):
    assert aws.messages() == []
    assert aws.messages("jane@corp.test") == []


@pytest.mark.usefixtures("approvers")
def test_the_first_approver_that_knows_the_code_answers(visit):
    approvals.approver(lambda _, request: None if request.code != "ABCD-EFGH" else Outcome(location="http://x/"))

    async def later(_, request):
        return Outcome(paste="text") if request.url else None

    approvals.approver(later)

    def resolved(**what):
        return asyncio.run(approvals.approve(visit, approvals.Request(user="jane", **what))).to_json()

    assert resolved(code="ABCD-EFGH") == {"location": "http://x/"}
    assert resolved(url="http://localhost/authorize?x") == {"paste": "text"}
    with pytest.raises(AwsError, match="nothing in world `lab` waits for an approval of `ZZZZ`"):
        resolved(code="ZZZZ")


def test_what_nobody_waits_for_is_said(aws):
    with pytest.raises(CommandError, match="waits for an approval of `ABCD-EFGH`"):
        aws.approve("ABCD-EFGH", "jane")
    with pytest.raises(CommandError, match="waits for an approval"):
        aws.approve(f"{aws.endpoint_url}/nowhere?client_id=x", "111122223333/root", deny=True)


@pytest.mark.parametrize(
    "body",
    [
        {"user": "jane"},
        {"user": "jane", "code": "A", "url": "http://x"},
        {"code": "A"},
        {"user": "jane", "code": "A", "password": "x"},
        {"user": "jane", "code": "A" * 30_000},
        {"user": ["jane"], "code": "A"},
    ],
)
def test_what_is_no_approval_is_refused(aws, body):
    with pytest.raises(CommandError) as refused:
        aws._api("POST", "approve", body=body)

    assert refused.value.status == 422


def test_the_commands(aws, emulator_server):
    def run(*words: str) -> subprocess.CompletedProcess:
        port = emulator_server.url.rsplit(":", 1)[1]
        line = [sys.executable, "-m", "sts_emulator", *words, "--port", port]
        return subprocess.run(line, capture_output=True, text=True, check=False)

    assert run("messages", "--world", aws.world).returncode == 0
    by_code = run("approve", "ABCD-EFGH", "--user", "jane", "--world", aws.world)
    assert by_code.returncode == 1
    assert f"nothing in world `{aws.world}` waits" in by_code.stderr
    by_url = run("approve", f"{aws.endpoint_url}/device?code=x", "--user", "jane")
    assert f"nothing in world `{aws.world}` waits" in by_url.stderr  # the URL names the world


def test_the_command_goes_where_the_browser_would_if_that_is_here():
    visited = []

    class Tool(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            visited.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Tool) as tool:
        threading.Thread(target=tool.serve_forever, args=(0.01,), daemon=True).start()
        command._go(f"http://127.0.0.1:{tool.server_port}/oauth/callback?code=1&state=2")
        command._go("http://tool.example/callback?code=1")  # elsewhere: nobody is asked
        tool.shutdown()

    assert visited == ["/oauth/callback?code=1&state=2"]
    with pytest.raises(CommandError, match="nobody listens"):
        command._go(f"http://127.0.0.1:{tool.server_port}/")


def test_a_message_cannot_drive_the_terminal():
    from sts_emulator.cli.messages import _shown

    message = {"at": 0, "channel": "email", "to": "x\x1b[31m", "subject": "\x07", "text": "\x1b]0;x\x07\nfake"}

    assert "\x1b" not in _shown(json.loads(json.dumps(message)))
    assert "\x07" not in _shown(message)
