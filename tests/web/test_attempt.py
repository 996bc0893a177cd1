"""One attempt, whole, and two side by side: what decided stands where it is written."""

from __future__ import annotations

import datetime as dt
import json
import shlex
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from console_lab import DEPLOY, DEV, RELEASE, console, deploy, event_of, keys_of, tries, visit

from sts_emulator.pages import tokens

SCENARIO = Path(__file__).parents[2] / "trust_policies" / "default.yaml"


@pytest.fixture
def tried(aws):
    tries(aws)
    return aws


def attempt(aws, *which: str):
    return visit(console(aws, f"attempts/{event_of(aws, *which)}"))


def test_the_five_steps_of_a_refusal(tried):
    page = attempt(tried, "AssumeRoleWithWebIdentity", "denied")
    steps = page.texts("//ol[@class='steps']/li")
    assert [step.split()[1] for step in steps] == ["Proof", "Principal", "Decision", "Vending", "Event"]
    assert [step[0] for step in steps] == ["✓", "✓", "✗", "✗", "✓"]
    assert "repo:acme/shop:ref:refs/heads/feature" in steps[1]


def test_who_it_was_originally_is_said_of_every_call_that_follows(aws):
    provider = f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"
    aws.client("iam").update_open_id_connect_provider(
        OpenIDConnectProviderArn=provider,
        ContextProvider={"SubjectSourceKey": "sub", "SubjectTypeValue": "workload", "KeyDefinitionList": []},
    )
    session = deploy(aws, "refs/heads/main")
    aws.client("sts", session).get_caller_identity()
    steps = attempt(aws, "GetCallerIdentity", "allowed").texts("//ol[@class='steps']/li")
    assert "originally repo:acme/shop:ref:refs/heads/main (workload)" in steps[1]


def test_the_condition_that_decided_is_marked_where_it_stands(tried):
    page = attempt(tried, "AssumeRoleWithWebIdentity", "denied")
    (wrong,) = page.texts("//span[contains(@class,'l no')]")
    assert wrong.startswith('✗ "token.actions.githubusercontent.com:sub": "repo:acme/shop:ref:refs/heads/main"')
    assert "the request has repo:acme/shop:ref:refs/heads/feature" in wrong
    assert '"token.actions.githubusercontent.com:aud"' in " ".join(page.texts("//span[contains(@class,'l yes')]"))


def test_the_smallest_change_leads_to_its_replay(tried):
    page = attempt(tried, "AssumeRoleWithWebIdentity", "denied")
    first = page.tree.xpath("//ol[@class='changes']//a/@href")[0]
    replayed = visit(tried.endpoint_url.removesuffix(f"/w/{tried.world}") + first)
    assert replayed.texts("//*[@id='verdict']") == ["ALLOWED"]
    flips = replayed.texts("//table[@id='flips']/tbody/tr")
    assert any("StringEquals token.actions.githubusercontent.com:sub" in flip for flip in flips)
    assert not any(":aud" in flip for flip in flips)


def test_the_token_is_decoded_and_the_call_shown_as_it_came(tried):
    page = attempt(tried, "AssumeRoleWithWebIdentity", "denied")
    evidence = " ".join(page.texts("//section[@id='evidence']"))
    assert "the token's header" in evidence
    assert "octocat" in evidence
    request, response = page.tree.xpath("//section[@id='messages']/details/pre")[:2]
    assert "WebIdentityToken=" in request.text
    assert "<Code>AccessDenied</Code>" in response.text


def test_a_wrong_signature_shows_what_was_signed(tried):
    page = attempt(tried, "GetCallerIdentity", "denied")
    assert "the signature is not that of this request" in page.texts("//*[@id='refusal']")[0]
    assert "The canonical request" in page.text
    assert "No policy was asked" in page.text


def test_a_session_says_what_it_may_do(tried):
    page = attempt(tried, "AssumeRole", "allowed", "alice")
    session = " ".join(page.texts("//section[@id='session']"))
    assert f"arn:aws:sts::{DEV}:assumed-role/developer/alice" in session
    assert "s3:Get*" in session


def test_found_by_every_id_that_a_client_is_given(tried):
    event = event_of(tried, "AssumeRole", "denied", "bob")
    for identifier in (event, event.replace("-", ""), "last"):
        assert visit(console(tried, f"attempts/{identifier}")).status == 200
    assert visit(console(tried, "attempts/nothing")).status == 404


def test_two_attempts_side_by_side(tried):
    refused, allowed = (event_of(tried, "AssumeRoleWithWebIdentity", outcome) for outcome in ("denied", "allowed"))
    page = visit(console(tried, f"compare?pick={refused}&pick={allowed}"))
    different = page.texts("//tr[@class='differs']/th")
    assert "key token.actions.githubusercontent.com:sub" in different
    assert "key token.actions.githubusercontent.com:aud" not in different
    assert visit(console(tried, f"compare?pick={refused}")).status == 400


def copies(page) -> dict[str, str]:
    return {
        snippet.xpath("string(.//span)"): snippet.xpath("string(.//pre)")
        for snippet in page.tree.xpath("//div[@class='snippet']")
    }


def runs(aws, program: str) -> str:
    """What a program prints that stands alone."""
    environment = {**aws.env(), "PATH": ""}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=False, capture_output=True, text=True
    )
    return ended.stdout + ended.stderr


def passes(aws, tmp_path, test: str) -> None:
    """A test that stands alone, in a world of its own."""
    (tmp_path / "test_copied.py").write_text(test)
    server = aws.endpoint_url.partition("/w/")[0]
    options = ["-q", "-p", "no:cacheprovider", "--sts-emulator", server, str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert "1 passed" in ended.stdout, test + ended.stdout + ended.stderr


def shell(aws, commands: str) -> str:
    """What a shell prints that has the emulator's commands and those of AWS."""
    folder = str(Path(sys.executable).parent)
    environment = {**aws.env(), "PATH": f"{folder}:/usr/bin:/bin", "HOME": "/nonexistent"}
    ended = subprocess.run(["bash", "-ec", commands], env=environment, check=False, capture_output=True, text=True)
    return ended.stdout + ended.stderr


def test_the_program_to_take_away_runs(tried):
    printed = runs(tried, copies(attempt(tried, "AssumeRoleWithWebIdentity", "allowed"))["boto3"])
    assert f"assumed-role/{DEPLOY.rpartition('/')[2]}/build-1" in printed


def test_the_test_to_take_away_passes(tried, tmp_path):
    for which in (("AssumeRoleWithWebIdentity", "denied"), ("AssumeRole", "denied", "bob")):
        passes(tried, tmp_path, copies(attempt(tried, *which))["pytest"])


def test_the_expectation_to_take_away_holds(tried, tmp_path):
    scenario = tmp_path / "lab.yaml"
    for which in (
        ("AssumeRoleWithWebIdentity", "denied"),
        ("AssumeRole", "allowed", RELEASE),
        ("AssumeRole", "denied", "bob"),
    ):
        copied = copies(attempt(tried, *which))["Expectation of a scenario"]
        scenario.write_text(SCENARIO.read_text().partition("\nexpect:")[0] + "\n" + copied + "\n")
        ended = subprocess.run(
            [sys.executable, "-m", "sts_emulator", "check", str(scenario)], check=False, capture_output=True, text=True
        )
        assert ended.returncode == 0, copied + ended.stdout + ended.stderr


def test_the_commands_to_take_away_name_every_parameter(tried):
    copied = copies(attempt(tried, "AssumeRole", "denied", "wrong"))
    words = shlex.split(copied["AWS CLI"], comments=True)
    assert words[:3] == ["aws", "sts", "assume-role"]
    assert words[words.index("--external-id") + 1] == "wrong"
    assert "--aws-sigv4" in copied["curl"]


def replay(aws, event: str, **fields: str):
    page = visit(console(aws, f"attempts/{event}/replay"))
    (form,) = page.tree.xpath("//form[@method='post']")
    posted = dict(form.form_values()) | fields
    return visit(console(aws, f"attempts/{event}/replay"), urlencode(posted).encode())


def test_replay_with_another_claim(tried):
    event = event_of(tried, "AssumeRoleWithWebIdentity", "denied")
    context = visit(console(tried, f"attempts/{event}/replay")).tree.xpath("string(//textarea[@id='context'])")
    page = replay(tried, event, context=context.replace("heads/feature", "heads/main"))
    assert page.texts("//*[@id='verdict']") == ["ALLOWED"]
    assert "result: allow" in copies(page)["Expectation of a scenario"]


def test_a_replay_with_another_claim_is_taken_away_with_it(tried, tmp_path):
    event = event_of(tried, "AssumeRoleWithWebIdentity", "denied")
    context = visit(console(tried, f"attempts/{event}/replay")).tree.xpath("string(//textarea[@id='context'])")
    copied = copies(replay(tried, event, context=context.replace("heads/feature", "heads/main")))
    session = f"assumed-role/{DEPLOY.rpartition('/')[2]}/build-1"
    assert session in runs(tried, copied["boto3"])
    assert session in shell(tried, copied["curl"])
    assert session in shell(tried, copied["AWS CLI"])
    passes(tried, tmp_path, copied["pytest"])
    assert "carry" not in copied["curl"]


def test_a_replay_with_other_parameters_and_another_policy_is_taken_away_with_them(tried, tmp_path):
    event = event_of(tried, "AssumeRole", "allowed", "alice")
    context = visit(console(tried, f"attempts/{event}/replay")).tree.xpath("string(//textarea[@id='context'])")
    trust = {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{DEV}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "acme-4711"}},
        },
    }
    more = f"{context}\nsts:externalid = acme-4711\naws:sourceip = 203.0.113.7"
    refused = copies(replay(tried, event, context=context, **{"policy trust[0]": json.dumps(trust)}))
    passes(tried, tmp_path, refused["pytest"])
    assert "AccessDenied" in shell(tried, refused["AWS CLI"])
    allowed = copies(replay(tried, event, context=more, **{"policy trust[0]": json.dumps(trust)}))
    passes(tried, tmp_path, allowed["pytest"])
    assert "assumed-role/developer/alice" in shell(tried, allowed["AWS CLI"])
    assert "assumed-role/developer/alice" in shell(tried, allowed["curl"])
    assert "#   aws:sourceip is 127.0.0.1, 203.0.113.7" in allowed["boto3"]


def test_a_replay_at_another_time_and_by_another_user_is_taken_away_with_them(tried):
    event = event_of(tried, "AssumeRole", "denied", "bob")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    moved = {"clock": later.strftime("%Y-%m-%dT%H:%M:%SZ"), "value": f"arn:aws:iam::{DEV}:user/alice"}
    copied = copies(replay(tried, event, **moved))
    assert "aws.advance(17" in copied["pytest"]
    assert f"--account {DEV} --user alice" in copied["AWS CLI"]
    assert '"advance_seconds": 17' in copied["curl"]


def test_what_a_replay_does_not_ask_is_said(tried):
    event = event_of(tried, "AssumeRole", "allowed", "alice")
    context = visit(console(tried, f"attempts/{event}/replay")).tree.xpath("string(//textarea[@id='context'])")
    copied = copies(replay(tried, event, context=f"{context}\naws:requesttag/team = shop"))
    assert "a call with Tags is asked for sts:TagSession as well, which this attempt was not" in copied["pytest"]
    assert "Tags.member.1.Value=shop" in copied["curl"]


def test_what_no_tool_calls_is_not_offered_as_a_call(aws):
    visit(f"{aws.endpoint_url}/sessions", b"{}", Content_Type="application/json")
    assert "AWS CLI" not in copies(visit(console(aws, "attempts/last")))


def test_replay_without_a_change_flips_nothing(tried):
    event = event_of(tried, "AssumeRole", "denied", "bob")
    page = replay(tried, event)
    assert page.texts("//*[@id='flips']") == ["Nothing flips: every node of the tree says what it said before."]


def test_replay_with_another_policy(tried):
    event = event_of(tried, "AssumeRole", "allowed", RELEASE)
    deny = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}]}
    page = replay(tried, event, **{"policy identity[0]": json.dumps(deny)})
    assert page.texts("//*[@id='verdict']") == ["DENIED by an explicit Deny"]
    assert replay(tried, event, **{"policy trust[0]": ""}).texts("//*[@id='verdict']") != ["ALLOWED"]


def test_replay_at_another_time(aws):
    deploy(aws, "refs/heads/main")
    event = event_of(aws, "AssumeRoleWithWebIdentity", "allowed")
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2)
    page = replay(aws, event, clock=later.strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert "the token would be refused before any policy is asked" in page.text


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("context", "no equals sign", "write `key = value`"),
        ("clock", "yesterday", "is no time"),
        ("type", "ghost", "is no type of caller"),
        ("policy trust[0]", "{", "This policy contains invalid Json"),
    ],
)
def test_a_change_that_makes_no_sense(tried, field, value, told):
    page = replay(tried, event_of(tried, "AssumeRole", "denied", "bob"), **{field: value})
    assert page.status == 400
    assert told in page.texts("//*[@id='wrong']")[0]


def test_a_foreign_page_cannot_post(aws):
    keys_of(aws, "alice")
    url = console(aws, "attempts/last/replay")
    assert visit(url, b"question=0", Origin="https://evil.test").status == 403


def test_who_may_only_read_sees_no_secret_of_a_call(serve):
    token = "the-token-of-a-class-room"
    with serve("--token", token) as (url, _):
        body = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=x&WebIdentityToken=a.secret.b"
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        assert visit(url, body, **form).status == 400
        whole = visit(f"{url}/_emulator/attempts/last", Authorization=f"Bearer {token}")
        reader = visit(f"{url}/_emulator/attempts/last", Authorization=f"Bearer {tokens.derived(token, reads=True)}")
    assert "a.secret.b" in whole.text
    assert reader.status == 200
    assert "a.secret.b" not in reader.text
