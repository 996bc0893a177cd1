"""`aws login`: who signs in to the console lets tools act for them (docs/aws/console-sign-in.md, "AWS login")."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import boto3
import httpx
import jwt
import pytest
from awscrt.crypto import EC, ECExportFormat, ECType
from botocore.credentials import _build_dpop_header
from login_lab import CALLBACK, CROSS_DEVICE, DEV, SAME_DEVICE, SCENARIO, LoginTool, new_key

from sts_emulator import Aws, Emulator
from sts_emulator.app import create_server
from sts_emulator.cli.errors import CommandError
from sts_emulator.core.errors import AwsError
from sts_emulator.core.world import DEFAULT
from sts_emulator.methods.console_login import logins
from sts_emulator.settings import Settings
from sts_emulator.vending.session import ROLE, Session

ALICE = f"{DEV}/alice"
WRONG = ("ValidationException", "INVALID_REQUEST")


def test_a_user_logs_in_and_their_tool_is_the_user(tool):
    tokens = tool.login(ALICE)
    assert (tokens["tokenType"], tokens["expiresIn"]) == ("aws_sigv4", 900)
    assert tool.who(tokens) == f"arn:aws:iam::{DEV}:user/alice"
    assert jwt.decode(tokens["idToken"], options={"verify_signature": False})["sub"] == tool.who(tokens)
    renewed = tool.refresh(tokens)
    assert "idToken" not in renewed
    assert tool.who(renewed) == f"arn:aws:iam::{DEV}:user/alice"


def test_a_tool_on_another_machine_takes_a_code_to_paste(aws):
    tool = LoginTool(aws, CROSS_DEVICE)
    assert tool.who(tool.login(f"{DEV}/root")) == f"arn:aws:iam::{DEV}:root"


def test_the_permissions_are_the_users_own(aws, tool):
    key = {name[0].upper() + name[1:]: value for name, value in tool.login(ALICE)["accessToken"].items()}
    assert [user["UserName"] for user in aws.client("iam", key).list_users()["Users"]] == ["alice", "dora"]


def test_it_renews_for_twelve_hours(aws, tool, denied):
    tokens = tool.login(ALICE)
    aws.advance(hours=11, minutes=50)
    last = tool.refresh(tokens)
    assert last["expiresIn"] == pytest.approx(600, abs=30)
    aws.advance(minutes=11)
    assert denied(tool.refresh, tokens) == ("AccessDeniedException", "TOKEN_EXPIRED")


def test_the_policy_engine_is_asked(aws, tool, denied):
    with pytest.raises(CommandError, match="not authorized to perform: signin:AuthorizeOAuth2Access"):
        aws.approve(tool.url(), f"{DEV}/dora")
    assert "public-client/localhost" in aws.explain()
    iam = aws.client("iam")
    arn = "arn:aws:signin:*:*:oauth2/public-client/*"
    grant = {"Effect": "Allow", "Action": "signin:AuthorizeOAuth2Access", "Resource": arn}
    put = {"UserName": "dora", "PolicyName": "login"}
    iam.put_user_policy(**put, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    code = tool.approved(f"{DEV}/dora")
    assert denied(tool.exchange, code) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")
    grant["Action"] = ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"]
    iam.put_user_policy(**put, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [grant]}))
    tokens = tool.exchange(code)  # what was refused used nothing up
    iam.delete_user_policy(**put)
    assert denied(tool.refresh, tokens) == ("AccessDeniedException", "INSUFFICIENT_PERMISSIONS")


def test_another_password_ends_the_login(aws, tool, denied):
    iam = aws.client("iam")
    iam.create_login_profile(UserName="alice", Password="Correct-Horse-7")
    aws.advance(1)
    tokens = tool.login(ALICE)
    assert tool.refresh(tokens)
    aws.advance(1)
    iam.update_login_profile(UserName="alice", Password="Battery-Staple-8")
    assert denied(tool.refresh, tokens) == ("AccessDeniedException", "USER_CREDENTIALS_CHANGED")


def test_a_code_is_good_once_and_for_ten_minutes(aws, tool, denied):
    used, late = tool.approved(ALICE), tool.approved(ALICE)
    tool.exchange(used)
    expired = ("AccessDeniedException", "AUTHCODE_EXPIRED")
    assert denied(tool.exchange, used) == expired
    aws.advance(601)
    assert denied(tool.exchange, late) == expired
    assert denied(tool.exchange, "nothing") == expired


def test_a_code_of_a_role_is_over_with_the_roles_session():
    # Given a code that a role's session gave in its last minute
    world = create_server(Settings()).worlds.get(DEFAULT)
    now, verifier = int(world.now()), "v" * 43
    session = Session(ROLE, DEV, "deploy", "AROAEXAMPLE", issued=now - 900, expires=now - 1)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = logins.issue_code(world, session, SAME_DEVICE, CALLBACK, challenge)

    # When the tool comes with it after that, then there is nothing left to hand on
    with pytest.raises(AwsError) as refusal:
        logins.redeem_code(world, SAME_DEVICE, code, CALLBACK, verifier)
    assert (refusal.value.code, refusal.value.members["error"]) == ("AccessDeniedException", "TOKEN_EXPIRED")


@pytest.mark.parametrize(
    "changed",
    [
        {"codeVerifier": "x" * 43},
        {"redirectUri": "http://127.0.0.1:1/oauth/callback"},
        {"clientId": CROSS_DEVICE},
    ],
)
def test_whoever_does_not_know_all_of_it_gets_nothing(tool, denied, changed):
    assert denied(tool.exchange, tool.approved(ALICE), **changed)[0] == "ValidationException"


def test_proofs_of_possession(aws, tool, denied):
    """RFC 9449: missing, garbled, forged, for another request, too old, replayed, and of another key."""
    tokens = tool.login(ALICE)
    url = f"{aws.endpoint_url}/v1/token"
    good = _build_dpop_header(tool.key, url)
    head, body, signature = good.split(".")
    other = EC.new_generate(ECType.P_256)
    bad = [
        "",
        "x",
        "a.b.c",
        "x" * 50_000,
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{_build_dpop_header(other, url).split('.')[0]}.{body}.{signature}",
        _build_dpop_header(tool.key, f"{aws.endpoint_url}/v1/other"),
        _build_dpop_header(tool.key, "http://[::1"),
        _build_dpop_header(tool.key, url, ts=1_000_000),
        _build_dpop_header(other, url),
        jwt.encode({"htm": "POST", "htu": url}, "k" * 32, headers={"typ": "dpop+jwt"}),
        jwt.encode({"htm": "POST", "htu": url}, None, algorithm="none", headers={"typ": "dpop+jwt"}),
    ]
    for proof in bad:
        tool.proof = proof
        assert denied(tool.refresh, tokens) == WRONG
    tool.proof = good
    assert tool.refresh(tokens)
    assert denied(tool.refresh, tokens) == WRONG
    assert "was used before" in aws.explain()


def test_a_key_that_its_tool_writes_shorter_at_first_is_the_same_later(tool):
    """awscrt drops a coordinate's leading zero byte of a key that it just made, not of one that it has read."""
    short = (key for key in iter(new_key, None) if min(map(len, key.get_public_coords())) == 31)
    tool.key = next(short)
    tokens = tool.login(ALICE)
    tool.key = EC.new_key_from_der_data(tool.key.export_key(ECExportFormat.SEC1))
    assert {len(coordinate) for coordinate in tool.key.get_public_coords()} == {32}
    assert tool.who(tool.refresh(tokens)) == f"arn:aws:iam::{DEV}:user/alice"


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_of_two_replicas_one_takes_a_proof(serve, request, tmp_path, kind):
    """Both are shown it at the same moment, as behind a balancer, where they have one name."""
    state = str(tmp_path / "state") if kind == "file" else request.getfixturevalue("postgres").database()
    scenario = tmp_path / "world.yaml"
    scenario.write_text(SCENARIO)
    flags = ("--state", state, "--scenario", str(scenario))
    with (
        serve(*flags) as (first, _),
        serve(*flags) as (second, _),
        contextlib.closing(Emulator(first).control()) as api,
        ThreadPoolExecutor(2) as threads,
    ):
        tool = LoginTool(Aws(api, "default"))
        tokens = tool.login(ALICE)
        told = {"clientId": tool.client, "grantType": "refresh_token", "refreshToken": tokens["refreshToken"]}

        def shown(to: str, proof: str) -> int:
            headers = {"dpop": proof, "host": first.removeprefix("http://")}
            return httpx.post(f"{to}/v1/token", json=told, headers=headers, timeout=60).status_code

        for _ in range(10):
            proof = _build_dpop_header(tool.key, f"{first}/v1/token")
            assert sorted(threads.map(shown, (first, second), (proof, proof))) == [200, 400]
            assert shown(second, proof) == 400


def test_another_worlds_refresh_token(tool, denied, emulator_server):
    tokens = tool.login(ALICE)
    with emulator_server.world() as other:
        stranger = LoginTool(other)
        stranger.key = tool.key
        assert denied(stranger.refresh, tokens) == ("AccessDeniedException", "TOKEN_EXPIRED")
    assert denied(tool.refresh, {"refreshToken": "ASORx"}) == ("AccessDeniedException", "TOKEN_EXPIRED")
    assert denied(tool.refresh, tokens, clientId=CROSS_DEVICE)[1] == "TOKEN_EXPIRED"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"client_id": "arn:aws:signin:::devtools/other"}, "client_id"),
        ({"redirect_uri": "http://127.0.0.1:49153/elsewhere"}, "redirect_uri"),
        ({"redirect_uri": "http://evil.example/oauth/callback"}, "redirect_uri"),
        ({"redirect_uri": "http://user@127.0.0.1/oauth/callback"}, "redirect_uri"),
        ({"client_id": CROSS_DEVICE}, "redirect_uri"),
        ({"code_challenge_method": "plain"}, "SHA-256"),
        ({"code_challenge": "x"}, "code_challenge"),
        ({"state": ""}, "state"),
        ({"response_type": "token"}, "response_type"),
    ],
)
def test_requests_that_are_not_right(aws, tool, changed, why):
    with pytest.raises(CommandError, match=why):
        aws.approve(tool.url(**changed), ALICE)


def test_who_is_nobody_and_who_says_no(aws, tool):
    for nobody in ("alice", f"{DEV}/eve", "444455556666/root", "/", f"{DEV}/"):
        with pytest.raises(CommandError, match="no one who signs in"):
            aws.approve(tool.url(), nobody)
    assert "error=access_denied" in aws.approve(tool.url(), ALICE, deny=True)["location"]


@pytest.fixture
def cached(tool, tmp_path):
    """What `aws login` leaves of a login of alice's, its credentials over: variables for a tool, file, and the ARN."""
    tokens = tool.login(ALICE)
    arn = tool.who(tokens)
    cache = tmp_path / "cache"
    cache.mkdir()
    expired = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    access = {**tokens["accessToken"], "accountId": DEV, "expiresAt": expired.strftime("%Y-%m-%dT%H:%M:%SZ")}
    login = {
        "accessToken": access,
        "clientId": SAME_DEVICE,
        "refreshToken": tokens["refreshToken"],
        "dpopKey": tool.pem,
    }
    file = cache / f"{hashlib.sha256(arn.encode()).hexdigest()}.json"
    file.write_text(json.dumps(login))
    (tmp_path / "config").write_text(f"[profile me]\nlogin_session = {arn}\nregion = us-east-1\n")
    variables = {
        "AWS_LOGIN_CACHE_DIRECTORY": str(cache),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": tool.aws.endpoint_url,
    }
    return variables, file, arn


def test_boto3_renews_by_itself(cached, monkeypatch):
    """botocore's LoginProvider: a cached login whose credentials are over is renewed, and written back."""
    variables, file, arn = cached
    before = json.loads(file.read_text())["accessToken"]["accessKeyId"]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    assert boto3.Session(profile_name="me").client("sts").get_caller_identity()["Arn"] == arn
    assert json.loads(file.read_text())["accessToken"]["accessKeyId"] != before


@pytest.mark.clients
def test_the_sdk_for_javascript_renews_it_too(cached, javascript_clients, tmp_path):
    """`fromLoginCredentials` of the AWS SDK for JavaScript."""
    variables, file, arn = cached
    before = json.loads(file.read_text())["accessToken"]["accessKeyId"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_REGION": "us-east-1", "AWS_PROFILE": "me"}
    said = subprocess.run(
        ["node", str(javascript_clients / "login.mjs")],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert json.loads(said.stdout or "{}").get("arn") == arn, said
    assert json.loads(file.read_text())["accessToken"]["accessKeyId"] != before
