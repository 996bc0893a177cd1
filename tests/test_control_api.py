"""The control API: worlds, time, faults, events and their stream; for this machine's user only."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError


def call(server, method: str, path: str, body=None, **headers: str):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}{path}", data, headers, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


def test_worlds_are_created_described_and_deleted(emulator_server):
    assert call(emulator_server, "POST", "/_emulator/api/worlds", {"name": "lab-1"})[0] == 201
    assert call(emulator_server, "POST", "/_emulator/api/worlds", {"name": "lab-1"})[0] == 409
    assert "lab-1" in call(emulator_server, "GET", "/_emulator/api/worlds")[1]
    assert call(emulator_server, "DELETE", "/_emulator/api/worlds/lab-1")[0] == 204
    assert call(emulator_server, "GET", "/_emulator/api/worlds/lab-1")[0] == 404


@pytest.mark.parametrize("name", ["", "UPPER", "a/b", "..", "x" * 64, "ä", "a\r\nb"])
def test_a_worlds_name_is_a_dns_label(emulator_server, name):
    assert call(emulator_server, "POST", "/_emulator/api/worlds", {"name": name})[0] == 422


@pytest.mark.parametrize("seconds", [False, "1", None, []])
def test_what_is_no_number_is_none(emulator_server, seconds):
    clock = "/_emulator/api/worlds/default/clock"
    assert call(emulator_server, "POST", clock, {"advance_seconds": seconds})[0] == 422
    assert call(emulator_server, "POST", clock, {"advance_seconds": 0})[0] == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"name": "\ud800"}),
        ("", {"\ud800": "x"}),
        ("/default/approve", {"code": "\ud800", "user": "x"}),
        ("/default/clock", {"advance_seconds": float("nan")}),
        ("/default/clock", {"advance_seconds": [float("inf")]}),
    ],
)
def test_what_json_cannot_repeat_is_refused_all_the_same(emulator_server, path, body):
    """Half a character, and what is no number: each was an internal error, which repeating it had made."""
    status, told = call(emulator_server, "POST", f"/_emulator/api/worlds{path}", body)
    assert status == 422
    assert told["detail"]


def test_another_method_is_told_which_there_are(emulator_server):
    request = urllib.request.Request(f"{emulator_server.url}/_emulator/api/worlds", method="PATCH")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        assert (answer.code, answer.headers["allow"]) == (405, "GET, POST")


def test_a_scenario_with_a_mistake_creates_no_world(emulator_server):
    status, body = call(
        emulator_server, "POST", "/_emulator/api/worlds", {"name": "half", "scenario": "accounts: {}\nacounts: {}\n"}
    )
    assert status == 422
    assert "2" in body["detail"]
    assert "acounts" in body["detail"]
    assert call(emulator_server, "GET", "/_emulator/api/worlds/half")[0] == 404


def test_the_default_world_stays(emulator_server):
    assert call(emulator_server, "DELETE", "/_emulator/api/worlds/default")[0] == 409


def test_worlds_do_not_see_one_another(emulator_server):
    with emulator_server.world() as one, emulator_server.world() as other:
        one.client("iam").create_user(UserName="only-here")
        one.advance(hours=5)
        assert abs(one.now() - other.now() - 5 * 3600) < 60
        with pytest.raises(ClientError, match="NoSuchEntity"):
            other.client("iam").get_user(UserName="only-here")
        assert not [event for event in other.events() if event["eventName"] == "CreateUser"]


def test_a_fault_is_served_as_often_as_it_was_asked_for(aws):
    aws.faults(
        {
            "service": "sts",
            "operation": "GetCallerIdentity",
            "code": "Throttling",
            "message": "Rate exceeded",
            "times": 1,
        }
    )
    sts = aws.client("sts", config=_once())
    with pytest.raises(ClientError, match=r"\(Throttling\).*Rate exceeded"):
        sts.get_caller_identity()
    assert sts.get_caller_identity()["Account"] == aws.account


def _once():
    from botocore.config import Config

    return Config(retries={"total_max_attempts": 1})


def test_a_client_retries_through_a_fault(aws):
    aws.faults({"service": "sts", "operation": "*", "code": "Throttling", "status": 400, "times": 1})
    assert aws.client("sts").get_caller_identity()["Account"] == aws.account
    assert [event.get("errorCode") for event in aws.events()][-2:] == ["Throttling", None]


def test_events_are_streamed_as_they_happen(aws, emulator_server):
    url = f"{emulator_server.url}/_emulator/api/worlds/{aws.world}/events/stream"
    seen: list[dict] = []
    listening = threading.Event()

    def follow():
        with urllib.request.urlopen(url, timeout=120) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            for line in stream:
                listening.set()
                if line.startswith(b"data: "):
                    seen.append(json.loads(line[6:]))
                    return

    reader = threading.Thread(target=follow)
    reader.start()
    assert listening.wait(120)
    aws.client("sts").get_caller_identity()
    reader.join(120)
    assert [event["eventName"] for event in seen] == ["GetCallerIdentity"]


def test_it_is_documented(emulator_server):
    status, document = call(emulator_server, "GET", "/_emulator/openapi.json")
    assert status == 200
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path


@pytest.mark.parametrize(
    "headers", [{"Host": "attacker.example"}, {"Origin": "http://attacker.example"}, {"Origin": "null"}]
)
def test_foreign_web_pages_cannot_drive_it(emulator_server, headers):
    assert call(emulator_server, "GET", "/_emulator/api/worlds", **headers)[0] == 403
    assert call(emulator_server, "POST", "/_emulator/api/worlds", {"name": "evil"}, **headers)[0] == 403


def test_health_answers_json(emulator_server):
    assert call(emulator_server, "GET", "/health") == (200, {"status": "ok"})
