"""`origin:` of providers and expectations, and the line that tells it, from scenarios to explanations and who-can."""

from __future__ import annotations

import json

import pytest

from sts_emulator.app import create_server
from sts_emulator.cli.main import main
from sts_emulator.scenario.model import parse
from sts_emulator.scenario.problems import ScenarioError
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
    told = [event["additionalEventData"]["origin"] for event in (login, hop, call)]
    assert told == [LINE, f"{LINE} → ci/job", f"{LINE} → ci/job → release/hop"]
    assert hop["additionalEventData"]["decisions"][0]["explanation"]["request"]["origin"] == told[1]
    for event, line in zip((login, hop, call), told, strict=True):
        assert f"  origin  {line}\n" in aws.explain(event["requestID"])


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


def test_what_can_asks_for_an_origin(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(SCENARIO)

    def roles(*flags: str) -> list[str]:
        main(["what-can", "ci", str(tmp_path / "s.yaml"), "--json", *flags])
        return [way["role"].rpartition("/")[2] for way in json.loads(capsys.readouterr().out)["ways"]]

    assert roles("--origin", MAIN) == ["release"]
    assert roles("--origin", "repo:acme/other") == []


SAML = """
saml_idps: {corp: {users: {jane: {email: jane@corp.test, roles: ["arn:aws:iam::111122223333:role/analyst"]}}}}
accounts:
  "111122223333":
    saml_providers:
      corp: {idp: corp, origin: {subject: Subject/NameID, type: user}}
    roles:
      analyst:
        trust:
          - Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:saml-provider/corp"}
            Action: sts:AssumeRoleWithSAML
            Condition: {StringEquals: {"SAML:aud": "https://signin.aws.amazon.com/saml"}}
expect:
  - {assume: analyst, with: {saml: {user: jane}}, origin: %s}
"""


@pytest.mark.parametrize(("origin", "mismatch"), [("jane", ""), ("boss", "expected the origin boss, got jane")])
def test_a_saml_provider_s_origin(origin, mismatch):
    server = create_server(Settings())
    try:
        (tried,) = Rehearsal(server, parse(SAML % origin)).outcomes()
        assert tried.mismatch == mismatch
    finally:
        server.worlds.store.close()


def test_tags_of_an_assertion_are_a_mapping():
    server = create_server(Settings())
    try:
        with pytest.raises(ScenarioError, match="`tags` takes a mapping"):
            list(Rehearsal(server, parse((SAML % "jane").replace("user: jane}", "user: jane, tags: [x]}"))).outcomes())
    finally:
        server.worlds.store.close()


HOPS = """
accounts:
  "111122223333":
    users: {alice: {path: /staff/, policies: AdministratorAccess}}
    roles:
      relay:
        trust: [{Effect: Allow, Principal: {AWS: "111122223333"}, Action: "sts:AssumeRole"}]
        policies: AdministratorAccess
  "444455556666":
    roles:
      other: {trust: [{Effect: Allow, Principal: {AWS: "111122223333"}, Action: "sts:AssumeRole"}]}
"""


class TestChain:
    """Every role between the first proof and the call, in order, also where no provider propagates anything."""

    pytestmark = pytest.mark.scenario(HOPS)

    @pytest.fixture
    def hop(self, aws):
        """`hop(credentials, name, role)`: the credentials of the next session."""

        def follow(credentials: dict | None, name: str, role: str = "111122223333:role/relay") -> dict:
            sts = aws.client("sts", credentials or aws.credentials(user="alice"))
            return sts.assume_role(RoleArn=f"arn:aws:iam::{role}", RoleSessionName=name)["Credentials"]

        return follow

    @staticmethod
    def origin(aws, credentials: dict) -> str:
        aws.client("sts", credentials).get_caller_identity()
        return aws.events()[-1]["additionalEventData"].get("origin", "")

    def test_a_user_s_own_key_is_the_first_proof(self, aws):
        assert self.origin(aws, aws.credentials(user="alice")) == ""
        temporary = aws.client("sts", aws.credentials(user="alice")).get_session_token()["Credentials"]
        assert self.origin(aws, temporary) == ""

    def test_each_role_is_told(self, aws, hop):
        first = hop(None, "first")
        assert self.origin(aws, first) == "user/staff/alice → relay/first"
        second = hop(first, "second")
        assert self.origin(aws, second) == "user/staff/alice → relay/first → relay/second"

    def test_accounts_are_told_where_there_are_two(self, aws, hop):
        other = hop(hop(None, "first"), "last", "444455556666:role/other")
        home = "111122223333"
        assert self.origin(aws, other) == f"{home}:user/staff/alice → {home}:relay/first → 444455556666:other/last"

    def test_of_a_long_chain_the_middle_is_left_out(self, aws, hop):
        credentials = None
        for number in range(10, 24):
            credentials = hop(credentials, str(number))
        told = self.origin(aws, credentials)
        assert told == (
            "user/staff/alice → relay/10 → … → relay/18 → relay/19 → relay/20 → relay/21 → relay/22 → relay/23"
        )

    def test_a_narrowed_session_comes_of_the_same(self, aws, hop):
        narrowed = aws.client("sts", hop(None, "first")).get_scoped_credentials(DurationSeconds=900)["Credentials"]
        assert self.origin(aws, narrowed) == "user/staff/alice → relay/first"

    def test_a_federated_user_comes_of_whoever_vouches(self, aws):
        guest = aws.client("sts", aws.credentials(user="alice")).get_federation_token(Name="guest")["Credentials"]
        assert self.origin(aws, guest) == "user/staff/alice → federated-user/guest"

    def test_no_policy_can_ask_for_it(self, aws, hop):
        credentials = hop(hop(None, "first"), "second")
        aws.client("iam", credentials).list_roles()
        asked = aws.events()[-1]["additionalEventData"]["decisions"][0]["explanation"]["request"]
        assert "relay/first" in asked["origin"]
        assert not [key for key, values in asked["context"].items() if "relay/first" in "".join(values)]


@pytest.mark.scenario(SCENARIO.replace(", origin: {subject: sub, type: workload, claims: {repo: repository}}", ""))
def test_the_first_proof_is_told_of_a_provider_that_propagates_nothing(aws):
    job = aws.client("sts").assume_role_with_web_identity(
        RoleArn="arn:aws:iam::111122223333:role/ci",
        RoleSessionName="job",
        WebIdentityToken=aws.token("github", repo="acme/shop", branch="main"),
    )
    aws.client("sts", job["Credentials"]).get_caller_identity()
    login, call = aws.events()[-2:]
    line = f"{MAIN}, as token.actions.githubusercontent.com says"
    assert login["additionalEventData"]["origin"] == line
    assert call["additionalEventData"]["origin"] == f"{line} → ci/job"


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
