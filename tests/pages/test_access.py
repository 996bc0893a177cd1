"""Who reaches the emulator's own from elsewhere needs its token, or one derived from it: docs/security.md."""

from __future__ import annotations

import base64
import importlib
import inspect
import json
import re
from itertools import chain

import pytest
from raw_http import Answer, ask

from sts_emulator.app import PAGES
from sts_emulator.cli.main import main
from sts_emulator.core.errors import AwsError
from sts_emulator.pages import routes, tokens
from sts_emulator.settings import Settings

TOKEN = "the-token-of-a-class-room"
JSON = {"Content_Type": "application/json"}
OWN = [
    ("GET", "/_emulator/api/worlds"),
    ("POST", "/_emulator/api/worlds"),
    ("GET", "/_emulator/api/worlds/default/credentials"),
    ("POST", "/_emulator/api/worlds/default/clock"),
    ("POST", "/_emulator/api/worlds/default/scenario"),
    ("GET", "/_emulator/api/worlds/default/events/stream"),
    ("GET", "/_emulator/docs"),
    ("GET", "/_emulator/openapi.json"),
    ("GET", "/_emulator"),
    ("GET", "/w/default/_emulator/mailbox"),
    ("GET", "/_emulator/worlds"),
    ("POST", "/_emulator/worlds/delete"),
    ("PUT", "/issuers/x9"),
    ("POST", "/issuers/github/token"),
    ("POST", "/issuers/github/rotate"),
    ("POST", "/issuers/github/job"),
    ("POST", "/idp/corp/assertions"),
    ("POST", "/private-ca"),
    ("POST", "/private-ca/x/certificates"),
    ("POST", "/private-ca/x/revocations"),
    ("POST", "/user-pools/tokens"),
]
OTHERS = [
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/issuers"),
    ("GET", "/idp/corp/metadata"),
]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anybody:{token}".encode()).decode()}


@pytest.fixture(scope="module")
def guarded(serve):
    """The URL of a server that everybody reaches who has its token."""
    with serve("--host", "0.0.0.0", "--token", TOKEN) as (url, _):
        yield url


def test_beyond_loopback_the_emulators_own_needs_the_token(serve):
    with serve("--host", "0.0.0.0", "--token", TOKEN, "--scenario", "trust_policies") as (url, process):
        for method, path in OWN:
            for headers in ({}, bearer("wrong"), bearer(f"write:*:{TOKEN}"), basic("wrong"), {"Authorization": "x"}):
                refused = ask(url, method, path, b"{}", **JSON, **headers)
                assert (refused.status, path) == (401, path)
                assert refused.headers["www-authenticate"].startswith("Basic realm=")
        for method, path in OTHERS:
            assert ask(url, method, path).status == 200, path

        assert ask(url, "GET", "/_emulator/api/worlds", **bearer(TOKEN)).status == 200
        assert ask(url, "GET", "/_emulator", **basic(TOKEN)).status == 200
        assert ask(url, "POST", "/issuers/github/token", b"{}", **JSON, **bearer(TOKEN)).status == 200
        foreign = ask(url, "GET", "/_emulator/api/worlds", Origin="http://evil.example", **bearer(TOKEN))
        assert foreign.status == 403
        process.terminate()
        assert TOKEN not in process.stdout.read()


def test_what_is_asked_in_json_is_asked_with_the_token():
    """People send forms, and apps what proves them; whoever sends JSON to a page asks the lab to make something."""
    for module in chain.from_iterable(PAGES.values()):
        importlib.import_module(module)
    declared = list(chain.from_iterable(routes._PAGES.values()))
    takers = [page for page in declared if "json_body(" in inspect.getsource(inspect.getmodule(page.answer))]
    writing = [page for page in takers if page.method != "GET"]
    assert {page.path[0] for page in writing} == {"issuers", "private-ca", "user-pools"}
    assert [page.path for page in writing if not (page.own or page.trusted)] == []


def test_a_token_is_made_where_none_is_given(serve):
    with serve("--host", "0.0.0.0") as (url, process):
        assert ask(url, "GET", "/_emulator/api/worlds").status == 401
        printed = "".join(iter(process.stdout.readline, "ready; Ctrl-C stops it\n"))
        made = re.search(r"export EMULATOR_TOKEN=(\S+)", printed)
        assert made
        assert len(made[1]) >= 32
        assert ask(url, "GET", "/_emulator/api/worlds", **bearer(made[1])).status == 200


def test_none_is_asked_for_on_loopback_or_where_none_is_wished(serve, emulator_server):
    assert ask(emulator_server.url, "GET", "/_emulator/api/worlds").status == 200
    with serve("--host", "0.0.0.0", "--token", "none") as (url, process):
        assert ask(url, "GET", "/_emulator/api/worlds").status == 200
        process.terminate()
        assert "EVERYBODY may also use the control API" in process.stdout.read()


def answer_to(url: str, token: str, method: str, path: str, body: object = None) -> Answer:
    return ask(url, method, path, json.dumps(body or {}).encode(), **JSON, **bearer(token))


def test_tokens_for_one_world_and_for_reading(guarded):
    mine, reading = tokens.derived(TOKEN, "mine"), tokens.derived(TOKEN, reads=True)
    both = tokens.derived(TOKEN, "mine", reads=True)
    for world in ("mine", "yours"):
        assert answer_to(guarded, TOKEN, "POST", "/_emulator/api/worlds", {"name": world}).status == 201
    move = {"advance_seconds": 1}
    statuses = {
        (method, path): [answer_to(guarded, token, method, path, move).status for token in (mine, reading, both)]
        for method, path in (
            ("GET", "/_emulator/api/worlds/mine"),
            ("POST", "/_emulator/api/worlds/mine/clock"),
            ("GET", "/w/mine/_emulator"),
            ("GET", "/_emulator/api/worlds/yours"),
            ("POST", "/_emulator/api/worlds/yours/clock"),
            ("GET", "/w/yours/_emulator"),
            ("GET", "/_emulator/api/worlds"),
            ("GET", "/w/mine/_emulator/worlds"),
            ("GET", "/_emulator/api/worlds/yours/credentials"),
            ("GET", "/_emulator/api/worlds/mine/mfa-code?serial=x"),
            ("GET", "/w/mine/_emulator/mailbox"),
            ("PUT", "/w/mine/issuers/x9"),
            ("PUT", "/w/yours/issuers/x9"),
            ("POST", "/_emulator/api/worlds"),
            ("DELETE", "/_emulator/api/worlds/yours"),
        )
    }
    assert statuses == {
        ("GET", "/_emulator/api/worlds/mine"): [200, 200, 200],
        ("POST", "/_emulator/api/worlds/mine/clock"): [200, 403, 403],
        ("GET", "/w/mine/_emulator"): [200, 200, 200],
        ("GET", "/_emulator/api/worlds/yours"): [403, 200, 403],
        ("POST", "/_emulator/api/worlds/yours/clock"): [403, 403, 403],
        ("GET", "/w/yours/_emulator"): [403, 200, 403],
        ("GET", "/_emulator/api/worlds"): [403, 200, 403],
        ("GET", "/w/mine/_emulator/worlds"): [403, 200, 403],
        ("GET", "/_emulator/api/worlds/yours/credentials"): [403, 403, 403],
        ("GET", "/_emulator/api/worlds/mine/mfa-code?serial=x"): [404, 403, 403],
        ("GET", "/w/mine/_emulator/mailbox"): [200, 403, 403],
        ("PUT", "/w/mine/issuers/x9"): [404, 403, 403],
        ("PUT", "/w/yours/issuers/x9"): [403, 403, 403],
        ("POST", "/_emulator/api/worlds"): [403, 403, 403],
        ("DELETE", "/_emulator/api/worlds/yours"): [403, 403, 403],
    }


def test_commands_bring_the_token_and_make_others(guarded, capsys, monkeypatch):
    monkeypatch.setenv("EMULATOR_TOKEN", TOKEN)
    assert main(["access", "--read"]) == 0
    reading = capsys.readouterr().out.strip()
    port = guarded.rpartition(":")[2]
    assert main(["world", "list", "--port", port]) == 0
    assert "default" in capsys.readouterr().out
    assert main(["world", "list", "--port", port, "--token", reading]) == 0
    assert main(["world", "advance", "1s", "--port", port, "--token", reading]) == 1
    assert "this token is for reading" in capsys.readouterr().err
    monkeypatch.delenv("EMULATOR_TOKEN")
    assert main(["world", "list", "--port", port]) == 1
    assert "needs the token of the server" in capsys.readouterr().err


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "::",
        "write:*:",
        "read:*:x",
        "write:*:" + tokens.derived(TOKEN, "a").rpartition(":")[2],
        "é",
        f"{TOKEN} ",
    ],
)
def test_what_is_no_token_is_refused(token):
    with pytest.raises(AwsError) as refused:
        tokens.check(TOKEN, f"Basic {base64.b64encode(f'x:{token}'.encode()).decode()}", "a", writes=False, path="")
    assert refused.value.status == 401


def test_a_token_that_can_be_guessed_is_none():
    with pytest.raises(ValueError, match="16 characters at least"):
        tokens.settled(Settings(token="secret"))
    assert tokens.settled(Settings()) == ""
    assert tokens.settled(Settings(host="10.0.0.1")) != tokens.settled(Settings(host="10.0.0.1"))
    for unsendable in ("a-token-of-a-file-that-ends-in-a-line\n", "a token with blanks", "a-token-that-is-not-äscii"):
        with pytest.raises(ValueError, match="without blanks and ends of lines"):
            tokens.settled(Settings(token=unsendable))
