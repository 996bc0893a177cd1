"""The timeline: where browsers are led, what a row says, filters, pages, and what comes live."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlsplit

import pytest
from console_lab import console, deploy, tries, visit, window

from sts_emulator.app import create_server
from sts_emulator.core.store import NewEvents
from sts_emulator.pages import tokens
from sts_emulator.settings import Settings
from sts_emulator.vending.context import Context
from sts_emulator.vending.record import record as record_attempt

DENIED = "//li[contains(@class,'denied')]"


@pytest.fixture
def tried(aws):
    tries(aws)
    return aws


def operations(page) -> list[str]:
    return [text.split()[-1] for text in page.texts("//li//a[@class='what']")]


def test_a_browser_at_the_endpoint_is_led_to_the_console(aws):
    root = visit(aws.endpoint_url)
    assert (root.status, root.headers["location"]) == (302, f"/w/{aws.world}/_emulator/")


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "*/*"},
        {"Authorization": "AWS4-HMAC-SHA256 Credential=x"},
        {"X_Amz_Date": "20261129T000000Z"},
    ],
)
def test_a_client_is_not(aws, headers):
    assert "_emulator" not in visit(f"{aws.endpoint_url}/", **headers).headers.get("location", "")
    assert visit(f"{aws.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15").status == 403


def test_an_empty_timeline_says_what_to_do_first(emulator_server):
    with emulator_server.world("accounts: {}") as fresh:
        page = visit(console(fresh))
    assert page.status == 200
    assert f"sts-emulator env --world {fresh.world}" in page.text


def test_rows_say_who_for_what_and_what_decided(tried):
    page = visit(console(tried))
    (feature,) = [text for text in page.texts(DENIED) if "web identity" in text]
    assert "repo:acme/shop:ref:refs/heads/feature → role/github-deploy" in feature
    assert "trust policy: token.actions.githubusercontent.com:sub is repo:acme/shop:ref:refs/heads/feature" in feature
    (bob,) = [text for text in page.texts(DENIED) if "user/bob" in text]
    assert "identity policy: nothing allows it" in bob
    assert any("the signature is not that of this request" in text for text in page.texts(DENIED))
    (release,) = [text for text in page.texts("//li") if "✓ allowed" in text and "role/release" in text]
    assert "trust policy: Allow “DeployFromDev” with sts:ExternalId" in release


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=denied&method=web+identity", ["AssumeRoleWithWebIdentity"]),
        ("role=role/release&not_outcome=denied", ["AssumeRole"]),
        ("principal=user/alice,user/bob", ["AssumeRole", "AssumeRole"]),
        ("q=acme-release", ["AssumeRole"]),
        ("decided=trust+policy:+token.actions.githubusercontent.com:sub+is", ["AssumeRoleWithWebIdentity"]),
        ("not_decided=policy&outcome=denied", ["GetCallerIdentity"]),
        ("q=refs%2Fheads%2Ffeature", ["AssumeRoleWithWebIdentity"]),
        ("operation=createaccesskey&not_principal=root", []),
    ],
)
def test_filters_and_search(tried, query, expected):
    assert operations(visit(console(tried, f"?{query}"))) == expected


def test_errors_first(tried):
    classes = [row.get("class") for row in visit(console(tried, "?order=refused")).tree.xpath("//ol/li")]
    kinds = ["allowed" in known for known in classes]
    assert kinds == sorted(kinds)


def test_pages_of_a_hundred_lead_to_the_oldest(aws):
    sts = aws.client("sts")
    for _ in range(205):
        sts.get_caller_identity()
    seen, path = [], ""
    while path is not None:
        page = visit(console(aws, path))
        rows = page.tree.xpath("//input[@name='pick']/@value")
        assert len(rows) <= 100
        seen += rows
        older = page.tree.xpath("//a[@rel='next']/@href")
        path = urlsplit(older[0]).query and f"?{urlsplit(older[0]).query}" if older else None
    assert len(seen) == len(set(seen)) == 205


def test_a_hundred_thousand_attempts_open_at_once(serve, tmp_path):
    path = str(tmp_path / "state.sqlite")
    server = create_server(Settings(state=path))
    context = Context(server, server.worlds.get("default"), "sts", "GetCallerIdentity", "")
    record = record_attempt(context).record()
    body = json.dumps(record)
    for first in range(0, 100_000, 10_000):
        rows = [NewEvents("default", f"attempt-{number:06}", 0.0, body) for number in range(first, first + 10_000)]
        server.worlds.store.append_events(rows, 100_000)
    server.worlds.store.close()
    with serve("--state", path, "--scenario", "/dev/null") as (url, _):
        newest = visit(f"{url}/_emulator/").tree.xpath("//input[@name='pick']/@value")
        older = visit(f"{url}/_emulator/?before=attempt-010100").tree.xpath("//input[@name='pick']/@value")
        searched = visit(f"{url}/_emulator/?q=nothing+like+that")
    assert newest == [f"attempt-{number:06}" for number in range(99_999, 99_899, -1)]
    assert older == [f"attempt-{number:06}" for number in range(10_099, 9_999, -1)]
    assert "5000 attempts were looked at, and there are more" in searched.text


def test_a_place_that_is_not_kept_any_more(aws):
    assert visit(console(aws, "?before=nothing")).status == 404


def test_faults_of_a_world_do_not_hit_its_console(aws):
    aws.faults({"service": "*", "status": 500})
    assert visit(console(aws)).status == 200
    assert visit(f"{aws.endpoint_url}/issuers").status == 500


def test_what_happens_appears_at_once(aws, chromium):
    page = window(chromium)
    page.goto(console(aws))
    page.wait_for_function("document.getElementById('news').textContent === 'Live'")
    deploy(aws, "refs/heads/feature")
    page.wait_for_selector("li.denied >> text=refs/heads/feature")
    assert page.locator("#empty").count() == 0
    assert page.complaints == []


def stream(url: str, **headers: str) -> socket.socket:
    target = urlsplit(url)
    connection = socket.create_connection((target.hostname, target.port), timeout=120)
    given = {"Host": target.netloc, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"GET {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode())
    return connection


def read_until(connection: socket.socket, text: bytes) -> bytes:
    received = b""
    while text not in received:
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    return received


def test_whoever_comes_back_misses_nothing(aws):
    deploy(aws, "refs/heads/main")
    last = aws.events()[-1]["requestID"]
    deploy(aws, "refs/heads/feature")
    with stream(console(aws, "live"), Last_Event_ID=last) as connection:
        assert b"event: attempts" in read_until(connection, b"refs/heads/feature")


def test_a_token_for_reading_is_good_for_watching(serve):
    token = "0123456789abcdef"
    with serve("--host", "0.0.0.0", "--token", token) as (url, _):
        for given, told in ((tokens.derived(token, reads=True), b": listening"), ("read:*:forged", b" 401 ")):
            with stream(f"{url}/_emulator/live", Authorization=f"Bearer {given}") as connection:
                read_until(connection, told)


def test_all_readers_are_sent_the_same_and_what_is_too_fast_is_counted(aws):
    connections = [stream(console(aws, "live")) for _ in range(5)]
    for connection in connections:
        read_until(connection, b": listening")
    calls = threading.Thread(target=lambda: [aws.client("sts").get_caller_identity() for _ in range(60)])
    calls.start()
    told = [read_until(connection, b"GetCallerIdentity") for connection in connections]
    calls.join()
    assert all(b"event: attempts" in text for text in told)
    for connection in connections:
        connection.close()
    time.sleep(0)  # their ends are noticed by the server alone
    assert visit(console(aws)).status == 200


def test_a_server_that_nobody_looks_at_loads_nothing_of_it():
    program = (
        "import sys; from sts_emulator.app import create_server; from sts_emulator.settings import Settings; "
        "from sts_emulator.scenario.watch import seed; seed(create_server(Settings())); "
        "print([name for name in sys.modules if name.startswith(('sts_emulator.web', 'jinja2', 'fastapi'))])"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert ended.stdout == "[]\n"
