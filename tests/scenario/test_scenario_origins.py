"""`origin:` of providers and expectations, and the line that tells it, from scenarios to explanations and who-can."""

from __future__ import annotations

import json

import pytest

from sts_emulator.app import create_server
from sts_emulator.cli.main import main
from sts_emulator.scenario.model import parse
from sts_emulator.scenario.rehearse import Rehearsal
from sts_emulator.settings import Settings

MAIN = "repo:acme/shop:ref:refs/heads/main"
LINE = f"{MAIN} (workload), as token.actions.githubusercontent.com says"
SCENARIO = """
accounts:
  "111122223333":
    oidc_providers:
      - {issuer: github, origin: {subject: sub, type: workload, claims: {repo: repository}}}
    roles:
      ci:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {StringLike: {"token.actions.githubusercontent.com:sub": "repo:acme/*"}}
        inline: {next: [{Effect: Allow, Action: "sts:AssumeRole", Resource: "*"}]}
      release:
        trust:
          - Effect: Allow
            Principal: {AWS: "arn:aws:iam::111122223333:role/ci"}
            Action: sts:AssumeRole
            Condition: {StringEquals: {"aws:OriginIdentity/Subject": "repo:acme/shop:ref:refs/heads/main"}}
"""
EXPECT = """
expect:
  - assume: ci
    with: {github: {repo: acme/shop, branch: main}}
    origin: %s
"""


def outcome(origin: str, scenario: str = SCENARIO):
    server = create_server(Settings())
    try:
        (tried,) = Rehearsal(server, parse(scenario + EXPECT % origin)).outcomes()
        return tried.mismatch
    finally:
        server.worlds.store.close()


def test_an_expectation_tells_the_origin():
    assert outcome(MAIN) == ""
    assert outcome("somebody") == f"expected the origin somebody, got {MAIN}"


def test_without_settings_there_is_none():
    plain = SCENARIO.replace(", origin: {subject: sub, type: workload, claims: {repo: repository}}", "")
    assert outcome(MAIN, plain) == f"expected the origin {MAIN}, got none"


@pytest.mark.scenario(SCENARIO)
def test_explanations_and_events_tell_it_in_one_line(aws):
    job = aws.client("sts").assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/ci",
        RoleSessionName="job",
        WebIdentityToken=aws.token("github", repo="acme/shop", branch="main"),
    )
    release = {"RoleArn": "arn:aws:iam::111122223333:role/release", "RoleSessionName": "hop"}
    last = aws.client("sts", aws.client("sts", job["Credentials"]).assume_role(**release)["Credentials"])
    last.get_caller_identity()

    login, hop, call = aws.events()[-3:]
    assert [event["additionalEventData"]["origin"] for event in (login, hop, call)] == [LINE] * 3
    assert hop["additionalEventData"]["decisions"][0]["explanation"]["request"]["origin"] == LINE
    for event in (hop, call):
        assert f"  origin  {LINE}\n" in aws.explain(event["requestID"])


@pytest.mark.scenario(SCENARIO)
def test_without_an_origin_nothing_is_told(aws):
    aws.client("sts").get_caller_identity()
    assert "origin" not in aws.events()[-1]["additionalEventData"]


def test_who_can_asks_for_an_origin(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(SCENARIO)

    def ways(*flags: str) -> list[str]:
        main(["who-can", "release", str(tmp_path / "s.yaml"), "--direct", "--json", *flags])
        return [way["steps"][-1]["role"] for way in json.loads(capsys.readouterr().out)["ways"]]

    assert ways("--origin", MAIN)
    assert ways("--origin", "repo:acme/other") == []


@pytest.mark.scenario(SCENARIO)
def test_the_file_is_the_provider_s_settings(aws):
    """What the file does not say any more is taken away."""
    iam = aws.client("iam")
    provider = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
    assert iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)["ContextProvider"] == {
        "SubjectSourceKey": "sub",
        "SubjectTypeValue": "workload",
        "KeyDefinitionList": [{"SourceKey": "repository", "TargetKey": "repo"}],
    }
    aws.load(SCENARIO.replace(", origin: {subject: sub, type: workload, claims: {repo: repository}}", ""))
    assert "ContextProvider" not in iam.get_open_id_connect_provider(OpenIDConnectProviderArn=provider)
