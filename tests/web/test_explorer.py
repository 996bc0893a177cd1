"""The explorer: what is there, who can become whom, and a trust policy edited, checked, saved and downloaded."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from botocore.exceptions import ClientError
from console_lab import DEPLOY, DEV, RELEASE, console, deploy, visit, window

EXAMPLES = Path(__file__).parents[2] / "trust_policies"
ANY_BRANCH = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::{DEV}:oidc-provider/token.actions.githubusercontent.com"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {"token.actions.githubusercontent.com:sub": "repo:acme/shop:*"},
            },
        }
    ],
}


def role(aws, arn: str):
    return visit(console(aws, f"explorer/role?arn={quote(arn)}"))


def post(aws, path: str, trust: object, arn: str = DEPLOY):
    text = trust if isinstance(trust, str) else json.dumps(trust)
    return visit(console(aws, path), urlencode({"arn": arn, "trust": text}).encode())


def test_everything_of_an_account_is_listed(aws):
    page = visit(console(aws, "explorer"))
    (dev,) = page.texts(f"//section[@id='account-{DEV}']")
    for name in ("alice", "developers", "github-deploy", "token.actions.githubusercontent.com", "app-server"):
        assert name in dev
    assert any("jane" in text and "Developer" in text for text in page.texts("//section//table//tr"))


def test_an_empty_world_says_how_to_fill_it(emulator_server):
    with emulator_server.world("accounts: {}") as fresh:
        page = visit(console(fresh, "explorer"))
        assert "There is no account" in page.text
        server = fresh.endpoint_url.partition("/w/")[0]
        assert f"{server}/_emulator/api/worlds/{fresh.world}/scenario" in page.text


def test_who_can_become_a_role_and_what_it_takes(aws):
    page = role(aws, RELEASE)
    rows = page.texts("//div[@aria-label='Who']//tbody/tr")
    assert any("role/github-deploy" in row and "acme-release" in row for row in rows)
    assert any("token.actions.githubusercontent.com" in row and DEPLOY in row for row in rows)
    links = page.tree.xpath("//*[local-name()='svg']//*[local-name()='a']/@href")
    assert f"/w/{aws.world}/_emulator/explorer/role?arn={quote(RELEASE, safe='')}#statement-0" in links
    assert page.tree.xpath("//pre[@id='statement-0']")
    assert "migrate-database" in " ".join(page.texts("//div[@aria-label='Role']//tbody/tr"))
    assert role(aws, "arn:aws:iam::111122223333:role/nobody").status == 404


def test_an_edited_policy_is_judged_before_it_is_saved(aws):
    deploy(aws, "refs/heads/feature")
    page = post(aws, "explorer/role", ANY_BRANCH)
    assert any("gains" in text for text in page.texts("//ul[@id='witnesses']/li"))
    (flip,) = page.texts("//ul[@id='attempts-otherwise']/li")
    assert "repo:acme/shop:ref:refs/heads/feature: denied → allowed" in flip
    assert deploy(aws, "refs/heads/feature") is None

    assert post(aws, "explorer/role/save", ANY_BRANCH).status == 302
    assert deploy(aws, "refs/heads/feature")
    assert aws.events()[-2]["eventName"] == "UpdateAssumeRolePolicy"


@pytest.mark.parametrize("trust", ["{", '{"Version": "2012-10-17", "Statement": []}', "<script>alert(1)</script>", ""])
def test_a_policy_that_iam_would_not_save(aws, trust):
    assert "IAM would not save it" in post(aws, "explorer/role", trust).text
    refused = post(aws, "explorer/role/save", trust)
    assert refused.status == 400
    assert refused.texts("//*[@id='wrong']")[0].startswith("MalformedPolicyDocument" if trust else "ValidationError")
    assert deploy(aws, "refs/heads/main")


def expected(page) -> list[str]:
    return page.texts("//ul[@id='expectations']/li")


def test_what_the_scenario_expects_is_tried_with_the_edited_policy(aws):
    assert expected(role(aws, DEPLOY))[:2] == ["✓ the main branch may deploy", "✓ another branch may not"]
    before = len(aws.events())
    told = expected(post(aws, "explorer/role", ANY_BRANCH))
    assert told[0] == "✗ the main branch may deploy: the trust layer has no statement `MainBranch`"
    assert told[1] == "✗ another branch may not: expected deny, got allow"
    assert expected(role(aws, DEPLOY))[1] == "✓ another branch may not"
    assert len(aws.events()) == before
    assert deploy(aws, "refs/heads/feature") is None


def test_expectations_speak_of_their_own_time_and_of_the_policy_that_is_not_known_yet(emulator_server):
    scenario = """
    eventual_consistency: 30
    accounts:
      "111122223333":
        users: {alice: }
        roles:
          r:
            trust:
              - Effect: Allow
                Principal: {AWS: "arn:aws:iam::111122223333:user/alice"}
                Action: sts:AssumeRole
                Condition: {DateLessThan: {aws:CurrentTime: "2031-01-01T00:00:00Z"}}
    expect:
      - {name: alice may, assume: r, caller: {user: alice}}
      - {name: not for ever, assume: r, caller: {user: alice}, time: "2031-06-01T00:00:00Z", result: deny}
      - {name: bob is gone, assume: r, caller: {user: bob}, result: deny}
    """
    with emulator_server.world(scenario) as world:
        arn = f"arn:aws:iam::{DEV}:role/r"
        assert expected(role(world, arn))[:2] == ["✓ alice may", "✓ not for ever"]
        assert expected(role(world, arn))[2].startswith("? bob is gone: cannot be tried here, no user `bob`")
        trust = json.dumps(world.client("iam").get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"])
        later = expected(post(world, "explorer/role", trust.replace("2031", "2041"), arn))
        assert later[:2] == ["✓ alice may", "✗ not for ever: expected deny, got allow"]
        assert "no user `bob`" in later[2]


def test_a_reserved_role_stays_as_it_is(aws):
    reserved = next(
        known["Arn"] for known in aws.client("iam").list_roles()["Roles"] if "AWSReservedSSO" in known["RoleName"]
    )
    assert post(aws, "explorer/role/save", ANY_BRANCH, reserved).status == 400
    assert "IAM would not save it: UnmodifiableEntity" in post(aws, "explorer/role", ANY_BRANCH, reserved).text


def test_the_download_is_a_scenario_with_what_is_expected(aws, tmp_path):
    answer = post(aws, "explorer/role/download", ANY_BRANCH)
    assert answer.headers["content-disposition"] == 'attachment; filename="github-deploy.yaml"'
    file = tmp_path / "role.yaml"
    file.write_text(answer.text)
    assert "github-deploy" in command("lint", file)
    told = command("check", "--import", EXAMPLES / "default.yaml", file)
    assert "✗ another branch may not" in told
    assert "6 expectations: " in told


def command(*arguments: object) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "sts_emulator", *map(str, arguments)], check=False, capture_output=True, text=True
    )
    return ended.stdout + ended.stderr


def test_lint_and_consequences_come_while_typing(aws, chromium):
    deploy(aws, "refs/heads/feature")
    page = window(chromium)
    page.goto(console(aws, f"explorer/role?arn={quote(DEPLOY)}"))
    page.fill("#trust", json.dumps(ANY_BRANCH))
    page.wait_for_selector("#attempts-otherwise >> text=denied → allowed")
    page.fill("#trust", "{")
    page.wait_for_selector("#refused")
    page.click(".picture a")
    page.wait_for_url("**#statement-0")
    assert page.complaints == []
    with pytest.raises(ClientError):
        aws.client("iam").get_role(RoleName="nobody")
