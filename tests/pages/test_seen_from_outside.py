"""What collectors see of a server: metrics and a log for programs, and no secret in either."""

from __future__ import annotations

import json
import re

import boto3
from botocore.exceptions import ClientError
from raw_http import ask

from sts_emulator.cli.control import Control
from sts_emulator.cli.main import main
from sts_emulator.core import metrics
from sts_emulator.core.metrics import Metrics

TOKEN = "the-token-of-a-class-room"
ROLE = "arn:aws:iam::111122223333:role/github-deploy"


def clients(url: str, root: dict[str, str], *services: str) -> list:
    keys = {"aws_access_key_id": root["access_key_id"], "aws_secret_access_key": root["secret_access_key"]}
    return [boto3.client(name, endpoint_url=url, region_name="us-east-1", **keys) for name in services]


def a_days_work(url: str) -> list[str]:
    """Calls that make, take and refuse secrets; and those secrets."""
    with Control(url, TOKEN) as control:
        root = control.api("GET", "worlds", "default", "credentials")
        proof = control.page("POST", "/issuers/github/token", body={"sub": "repo:octo-org/shop:ref:refs/heads/main"})[
            "token"
        ]
    iam, sts = clients(url, root, "iam", "sts")
    iam.create_user(UserName="ann")
    iam.create_login_profile(UserName="ann", Password="a-Password-of-ann-1!")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    session = sts.get_session_token()["Credentials"]
    for wrong in (proof, proof[:-8] + "AAAAAAAA"):
        try:
            sts.assume_role_with_web_identity(RoleArn=ROLE, RoleSessionName="ci", WebIdentityToken=wrong)
        except ClientError:
            continue
    secrets = [root["secret_access_key"], key["SecretAccessKey"], session["SecretAccessKey"], session["SessionToken"]]
    return [*secrets, proof, proof.rpartition(".")[2], "a-Password-of-ann-1!", TOKEN]


def test_no_secret_is_in_metrics_logs_or_events(serve):
    with serve("--log-format", "json", "--token", TOKEN) as (url, process):
        secrets = a_days_work(url)
        told = ask(url, "GET", "/metrics", Authorization=f"Bearer {TOKEN}").text
        with Control(url, TOKEN) as control:
            events = json.dumps(control.api("GET", "worlds", "default", "events", limit=1_000))
        process.terminate()
        log = process.stdout.read()
    assert [secret for secret in secrets if secret in told + log] == []
    # As AWS's trail does, events tell a session token, which is of no use without its secret key.
    assert [secret for secret in secrets if secret in events and not secret.startswith("IQoJ")] == []
    assert events.count("eventID") > 5

    lines = [json.loads(line) for line in log.splitlines()]
    assert lines[0]["message"] == "ready"
    calls = [line for line in lines if line["message"] == "call"]
    assert {"CreateUser", "GetSessionToken", "AssumeRoleWithWebIdentity"} <= {call["operation"] for call in calls}
    assert {call["outcome"] for call in calls} == {"allowed", "denied"}
    assert all(call["request_id"] in events for call in calls)
    assert all(call["milliseconds"] >= 0 for call in calls)


def test_metrics_count_calls_by_service_operation_and_outcome(serve):
    with serve() as (url, _):
        body = b"Action=GetCallerIdentity&Version=2011-06-15"
        for _ in range(3):
            ask(url, "POST", "/", body, Content_Type="application/x-www-form-urlencoded")
        answer = ask(url, "GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == metrics.CONTENT_TYPE
    lines = answer.text.splitlines()
    assert 'sts_emulator_calls_total{service="sts",operation="GetCallerIdentity",outcome="denied"} 3' in lines
    assert "sts_emulator_call_seconds_count 3" in lines
    assert 'sts_emulator_call_seconds_bucket{le="+Inf"} 3' in lines
    assert "sts_emulator_open_connections 1" in lines
    assert "sts_emulator_state_available 1" in lines
    assert all(line.startswith("# ") or re.fullmatch(r'\w+(\{(\w+="[^"\\]*",?)+\})? [0-9.]+', line) for line in lines)


def test_metrics_are_for_whom_the_control_api_is(serve, emulator_server):
    assert ask(emulator_server.url, "GET", "/metrics", Host="evil.example").status == 403
    assert ask(emulator_server.url, "GET", "/metrics", Origin="http://evil.example").status == 403
    with serve("--host", "0.0.0.0", "--token", TOKEN) as (url, _):
        assert ask(url, "GET", "/metrics").status == 401
        assert ask(url, "GET", "/metrics", Authorization=f"Bearer {TOKEN}").status == 200


def test_series_are_bounded(monkeypatch):
    monkeypatch.setattr(metrics, "MOST_SERIES", 3)
    counted = Metrics()
    for number in range(50):
        counted.count("s3", f"Operation{number}", "denied", 0.1)
    told = counted.text(is_available=False, lag=1.5)
    assert told.count("sts_emulator_calls_total{") == 4
    assert 'service="other",operation="other",outcome="denied"} 47' in told
    assert "sts_emulator_state_available 0" in told
    assert "sts_emulator_state_lag_seconds 1.500" in told


def test_a_made_token_does_not_stand_in_a_log_for_programs(capsys):
    assert main(["serve", "--host", "0.0.0.0", "--port", "0", "--log-format", "json"]) == 2
    assert "give a --token" in capsys.readouterr().err
